"use strict";
// Asking: a sentence in, its answers with their evidence out as they are found; a change is a plan.
import { element, page, refusal } from "./parts.js";
import * as plans from "./plans.js";
import { say } from "./words.js";

const MOST_TURNS = 20;
const turns = [];  // the newest first; each {question, reading, answers, done, failed}
let session = "";

export function start() {
  const form = document.getElementById("ask");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const box = form.querySelector("input");
    const question = box.value.trim();
    if (question) ask(question);
    box.value = "";
  });
  document.getElementById("fresh").addEventListener("click", () => { session = ""; turns.length = 0; page.draw(); });
}

export function draw() {
  document.getElementById("turns").replaceChildren(...turns.map(shown));
  document.getElementById("fresh").hidden = turns.length === 0;
}

async function ask(question) {
  const turn = { question, reading: null, answers: [], done: null, failed: "" };
  turns.unshift(turn);
  turns.length = Math.min(turns.length, MOST_TURNS);
  page.draw();
  try {
    const answer = await fetch("/v1/ask", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ question, session, stream: true }) });
    if (!answer.ok) turn.failed = await refusal(answer);
    else for await (const [kind, body] of events(answer.body)) { hear(turn, kind, body); page.draw(); }
    if (turn.done === null && !turn.failed) turn.failed = say("lost");
  } catch (error) { turn.failed = String(error.message ?? error); }
  page.draw();
}

function hear(turn, kind, body) {
  if (kind === "reading") turn.reading = body;
  if (kind === "answer") turn.answers.push(body);
  if (kind === "plan") plans.load(new Set([body.id])).then(page.draw);
  if (kind === "error") turn.failed = body.detail;
  if (kind === "done") { turn.done = body; session = body.session; turn.answers = body.answers; }
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const line = (name) => part.split("\n").find((one) => one.startsWith(`${name}: `))?.slice(name.length + 2);
      if (line("event") && line("data")) yield [line("event"), JSON.parse(line("data"))];
    }
  }
}

function shown(turn) {
  const item = element("li", "turn");
  item.append(element("p", "question", turn.question));
  const tasks = turn.reading?.tasks ?? [];
  if (tasks.length) item.append(element("p", "soft reading", `${say("readAs")} ${tasks.map(taskText).join(" · ")}`));
  const back = turn.done?.question ?? turn.done?.reason;
  if (back) item.append(element("p", `said ${turn.done.outcome}`, back));
  for (const one of turn.answers) item.append(answer(one));
  if (turn.failed) item.append(element("p", "failed", `${say("askFailed")} ${turn.failed}`));
  else if (!turn.done) item.append(element("p", "soft", say("asking")));
  return item;
}

const taskText = (task) => [task.intent, ...Object.entries(task.slots).map(([name, value]) => `${name}=${[value].flat().join(",")}`)].join(" ");

function answer(one) {
  const box = element("div", "answer");
  box.append(...one.said.map((line) => element("p", "said", line)));
  if (one.detail && !one.plan) box.append(element("pre", "plot", one.detail));
  if (one.narration) box.append(element("p", "narration", `[${say("narrated")}] ${one.narration}`));
  if (one.plan) {
    const link = element("a", "", `↓ ${one.plan.id}`);
    link.href = `#${one.plan.id}`;
    box.append(link);
  }
  if (one.evidence.length) {
    const list = element("ul", "evidence");
    list.append(...one.evidence.map((from) => element("li", "", `${say("from")} ${from.source} · ${from.query} [${say("found", from.count)}]`)));
    box.append(list);
  }
  return box;
}
