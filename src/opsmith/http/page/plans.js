"use strict";
// Plans: what waits for a person, what it would do, what is being done, and what came of it.
import { countdown, element, failures, fill, isOpen, keepOpen, made, page, read, refused, seconds, send, short } from "./parts.js";
import { say, tongue } from "./words.js";

const MOST = 200;
const MOST_PAST = 50;
const MOST_SHOWN = 50;
const MOST_ALONE = 10;
const OPEN = ["proposed", "approved"];
const SURE_MS = 8000;

let plans = [];
const whole = new Map();   // of plans that were begun, with what was done
const trails = new Map();
const present = new Set(); // what this page has shown as waiting stays in place when it ends
const sure = new Map();    // a second click is wanted, on the very same plan
const busy = new Set();

export const running = () => new Set(plans.filter((plan) => plan.state === "running").map((plan) => plan.id));

// ids: which ones changed, when that is known; else all are read.
export async function load(ids) {
  if (ids && ids.size <= MOST_ALONE) {
    const found = await Promise.all([...ids].map((id) => read(`/v1/plans/${encodeURIComponent(id)}`, null)));
    for (const plan of found.filter(Boolean)) {
      if (begun(plan)) whole.set(plan.id, plan);
      plans = [plan, ...plans.filter((one) => one.id !== plan.id)];
    }
  } else plans = await read(`/v1/plans?limit=${MOST}`, plans);
  for (const plan of plans) if (isCurrent(plan)) present.add(plan.id);
  const shown = plans.filter((plan) => begun(plan) && (present.has(plan.id) || isOpen("past plans"))).slice(0, MOST_PAST);
  if (!ids) await Promise.all(shown.map(fetchOne));
  await Promise.all([...trails.keys()].filter((id) => isOpen(`${id} trail`)).map(fetchTrail));
}

async function fetchOne(plan) {
  const found = await read(`/v1/plans/${encodeURIComponent(plan.id)}`, null);
  if (found) whole.set(plan.id, found);
}

async function fetchTrail(id) {
  trails.set(id, await read(`/v1/plans/${encodeURIComponent(id)}/trail`, trails.get(id) ?? []));
}

const begun = (plan) => ![...OPEN, "rejected"].includes(plan.state);
const isRefused = (plan) => plan.judgement.says === "denied";
const isCurrent = (plan) => plan.state === "running" || (OPEN.includes(plan.state) && !isRefused(plan));
const standing = (plan) => plan.approvals.filter((one) => new Date(one.expires_at) > Date.now());
const wanted = (plan) => (plan.judgement.says === "needs_approval" ? plan.judgement.approvers : 0);
const isReady = (plan) => OPEN.includes(plan.state) && !isRefused(plan) && new Set(standing(plan).map((one) => one.approver)).size >= wanted(plan);

const order = (plan) => (plan.state === "running" ? 0 : isReady(plan) ? 1 : isCurrent(plan) ? 2 : 3);

export function draw() {
  const current = plans.filter((plan) => present.has(plan.id)).sort((a, b) => order(a) - order(b) || b.made_at.localeCompare(a.made_at));
  const past = plans.filter((plan) => !present.has(plan.id)).slice(0, MOST_PAST);
  const counted = (test) => current.filter(test).length;
  document.getElementById("plan-counts").textContent = say("planCounts", counted((one) => isCurrent(one) && one.state !== "running"), counted((one) => one.state === "running"));
  fill("plans", current.slice(0, MOST_SHOWN).map(card));
  const fold = document.getElementById("past");
  fold.hidden = past.length === 0;
  fold.querySelector("ol").replaceChildren(...past.map(card));
}

document.getElementById("past").addEventListener("toggle", () => load().then(page.draw));
keepOpen(document.getElementById("past"), "past plans");

export function card(told) {
  const plan = whole.get(told.id)?.state === told.state ? { ...told, ...whole.get(told.id) } : told;
  const item = made("plan");
  const find = (selector) => item.querySelector(selector);
  const [look, word] = state(plan);
  item.classList.add(look);
  item.dataset.id = item.id = plan.id;
  find(".badge").textContent = say(word);
  find("h3").textContent = plan.why;
  find("time").textContent = short(plan.made_at);
  find(".about").replaceChildren(...about(plan));
  find(".steps").replaceChildren(...plan.steps.map((step, index) => stepRow(plan, step, index)));
  find(".checks").replaceChildren(...checks(plan));
  find(".policy").replaceChildren(...policy(plan));
  const came = outcome(plan);
  find(".outcome").textContent = came;
  find(".outcome").hidden = came === "";
  refused(find(".failed"), plan.id);
  buttons(find(".acts"), plan);
  trail(find(".trail"), plan);
  return item;
}

function state(plan) {
  if (OPEN.includes(plan.state) && isRefused(plan)) return ["calm", "refused"];
  if (isReady(plan)) return ["ready", "ready"];
  const words = { proposed: "waits", approved: "waits", running: "plan-running", done: "done", undone: "undone", failed: "plan-failed", rejected: "plan-rejected" };
  const looks = { proposed: "waiting", approved: "waiting", running: "running", done: "fine", undone: "back", failed: "broken", rejected: "calm" };
  if (plan.abandoned) return ["broken", "plan-abandoned"];
  return [looks[plan.state], words[plan.state]];
}

function outcome(plan) {
  if (OPEN.includes(plan.state)) return "";
  if (plan.state !== "running") return plan.notes.at(-1) ?? "";
  if (plan.abandoned) return say("abandoned");
  const isDone = (plan.acts ?? []).length === plan.steps.length && plan.acts.every((act) => act.state === "verified");
  return isDone && plan.checks.length ? say("settling") : "";
}

function about(plan) {
  const parts = [element("code", "", plan.id), element("span", `risk ${plan.risk}`, say(plan.risk)), say("touches", (plan.touches ?? []).length || plan.steps.length), say("by", plan.made_by)];
  if (page.me?.everywhere && plan.tenant !== page.me.tenant) parts.push(say("tenant", plan.tenant));
  if (plan.incident) {
    const link = element("a", "", say("incident", plan.incident));
    link.href = `#${encodeURIComponent(plan.incident)}`;
    parts.push(link);
  }
  return parts.flatMap((part, index) => (index ? [" · ", part] : [part]));
}

function stepRow(plan, step, index) {
  const act = (plan.acts ?? []).find((one) => one.step === index + 1);
  const row = element("li", "step");
  const head = element("div", "head");
  head.append(element("span", "number", `${index + 1}`), element("strong", "", `${step.action} ${say("on")} ${step.target}`));
  if (begun(plan)) head.append(element("span", `act ${act?.state ?? "pending"}`, actWord(act)));
  row.append(head, preview(step.preview));
  const values = Object.entries(step.values).map(([name, value]) => `${name}=${value}`).join("  ");
  if (values) row.append(fact(say("values"), values));
  if (step.members.length) row.append(fact(say("members"), step.members.join(", ")));
  row.append(step.irreversible ? fact(say("noUndo"), step.irreversible, "grave") : fact(say("undo"), step.undo || say("undoOwn")));
  if (step.verify) row.append(fact(say("verify"), step.verify[tongue]));
  if (act?.says) row.append(element("p", "says", act.says));
  return row;
}

function actWord(act) {
  if (!act) return say("pending");
  return say({ failed: "act-failed", undone: "act-undone" }[act.state] ?? act.state);
}

function preview(text) {
  const box = element("pre", "preview");
  for (const line of text.split("\n")) {
    const look = /^\+(?!\+\+ )/.test(line) ? "more" : /^-(?!-- )/.test(line) ? "less" : "";
    box.append(element("span", look, `${line}\n`));
  }
  return box;
}

function fact(name, text, look = "") {
  const row = element("p", `fact ${look}`);
  row.append(element("span", "name", name), ` ${text}`);
  return row;
}

function checks(plan) {
  const rows = [];
  if (plan.waves.length) rows.push(element("p", "", say("waves", plan.waves.join(", "))));
  if (!plan.checks.length) return [...rows, element("p", "soft", say("noChecks"))];
  const canUndo = plan.steps.some((step) => !step.irreversible);
  const list = plan.checks.map((one) => element("li", "", say("check", one.kind, one.subject, seconds(one.within_s), seconds(one.holds_s))));
  const box = element("ul", "");
  box.append(...list);
  return [...rows, element("p", "", say("checks")), box, ...(canUndo ? [element("p", "soft", `(${say("elseUndone")})`)] : [])];
}

function policy(plan) {
  const judged = plan.judgement;
  const words = [say("rule", judged.rule), { allowed: say("free"), denied: `${say("denied")} ${judged.reason ?? ""}`, needs_approval: say("needs", wanted(plan)) }[judged.says]];
  const parts = [words.join(" ")];
  for (const one of plan.approvals) {
    if (new Date(one.expires_at) <= Date.now()) { if (OPEN.includes(plan.state)) parts.push(` ${say("expired", one.approver)}`); continue; }
    if (OPEN.includes(plan.state)) parts.push(` ${say("gave", one.approver)} `, countdown(one.expires_at), tongue === "zh" ? "。" : ".");
  }
  if (OPEN.includes(plan.state) && page.me && !page.me.named && wanted(plan) > 1) parts.push(` ${say("nameless")}`);
  return parts;
}

function buttons(place, plan) {
  const me = page.me;
  if (!me?.decides) { place.remove(); return; }
  const open = OPEN.includes(plan.state) && !isRefused(plan);
  const mine = standing(plan).some((one) => one.approver === me.name);
  const could = {
    approve: open && !isReady(plan) && !mine && (me.named || wanted(plan) < 2),
    run: isReady(plan),
    reject: open,
    undo: (["done", "failed"].includes(plan.state) || plan.abandoned) && plan.steps.some((step) => !step.irreversible),
  };
  for (const way of ["approve", "run", "reject", "undo"]) {
    const button = place.querySelector(`.${way}`);
    if (!could[way]) { button.remove(); continue; }
    const key = `${plan.id} ${way}`;
    button.dataset.key = key;
    button.disabled = busy.has(key);
    const word = { approve: "sureApprove", run: "sureRun", undo: "sureUndo" }[way];
    if (sure.has(key)) { button.textContent = say(word, plan.id); button.classList.add("sure"); }
    button.addEventListener("click", () => (word && !sure.has(key) ? askAgain(key) : decide(plan.id, way, key)));
  }
  if (!place.children.length) place.remove();
}

function askAgain(key) {
  sure.set(key, setTimeout(() => { sure.delete(key); page.draw(); }, SURE_MS));
  page.draw();
}

async function decide(id, way, key) {
  clearTimeout(sure.get(key));
  sure.delete(key);
  busy.add(key);
  failures.delete(id);
  page.draw();
  const refusal = await send(`/v1/plans/${encodeURIComponent(id)}/${way}`);
  busy.delete(key);
  if (refusal) failures.set(id, refusal);
  await load(new Set([id]));
  page.draw();
}

function trail(details, plan) {
  const rows = (trails.get(plan.id) ?? []).map((mark) => {
    const row = element("li", "");
    const what = mark.step ? `${say("step", mark.step)} ${actWord(mark)}` : say({ running: "plan-running", failed: "plan-failed", rejected: "plan-rejected" }[mark.state] ?? mark.state);
    row.append(element("code", "", `#${mark.seq}`), ` ${short(mark.at)} · ${mark.by} · ${what}${mark.says ? `: ${mark.says}` : ""} `, element("code", "seal", mark.digest.slice(0, 12)));
    return row;
  });
  details.querySelector("ul").replaceChildren(...rows);
  const summary = details.querySelector("summary");
  summary.textContent = summary.dataset[tongue];
  keepOpen(details, `${plan.id} trail`, () => fetchTrail(plan.id).then(page.draw));
}
