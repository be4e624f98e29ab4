"use strict";
// Tasks: what waits on the queue, what is worked on, what came of it.
import { failures, fill, keepOpen, made, page, read, refused, send, short } from "./parts.js";
import { say } from "./words.js";

const MOST_SHOWN = 25;
const ORDER = ["running", "dead", "waiting", "delayed", "done", "cancelled"];
let tasks = [];

export async function load() {
  if (page.me && !page.me.queue) page.me = await read("/v1/me", page.me);
  if (page.me?.queue) tasks = await read("/v1/tasks?limit=100", tasks);
}

export function draw() {
  const counts = {};
  for (const task of tasks) counts[task.state] = (counts[task.state] ?? 0) + 1;
  document.getElementById("task-counts").textContent = say("taskCounts", counts);
  document.getElementById("no-tasks").textContent = say(page.me?.queue ? "noTasks" : "noQueue");
  const sorted = [...tasks].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  fill("tasks", sorted.slice(0, MOST_SHOWN).map(card));
}

function card(task) {
  const item = made("task");
  const find = (selector) => item.querySelector(selector);
  item.classList.add(task.state);
  item.dataset.id = task.id;
  find(".badge").textContent = say(`task-${task.state}`);
  find("strong").textContent = task.kind;
  find("time").textContent = short(task.ended_at ?? task.began_at ?? task.due ?? task.put_at);
  const words = Object.entries(task.body).map(([name, value]) => `${name}=${[value].flat().join(",")}`);
  find(".body").textContent = words.join("  ");
  find(".about").textContent = [say("by", task.by), task.attempts > 1 && say("attempt", task.attempts), task.worker].filter(Boolean).join(" · ");
  const told = task.error || task.result?.says || "";
  find(".says").textContent = told;
  find(".says").hidden = told === "";
  find("pre").textContent = JSON.stringify({ id: task.id, key: task.key, body: task.body, result: task.result }, null, 1);
  keepOpen(find("details"), `${task.id} task`);
  refused(find(".failed"), task.id);
  const could = { cancel: ["waiting", "delayed", "running"], retry: ["dead", "cancelled"] };
  for (const [way, states] of Object.entries(could)) {
    const button = find(`.${way}`);
    if (!page.me?.decides || !states.includes(task.state)) { button.remove(); continue; }
    button.dataset.key = `${task.id} ${way}`;
    button.addEventListener("click", () => post(task.id, way));
  }
  return item;
}

async function post(id, way) {
  const refusal = await send(`/v1/tasks/${encodeURIComponent(id)}/${way}`);
  if (refusal) failures.set(id, refusal); else failures.delete(id);
  await load();
  page.draw();
}
