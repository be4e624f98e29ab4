"use strict";
// What was found: incidents, early warnings, anomalies, and what people say of them.
import { failures, fill, fold, made, page, read, refused, send, short, span } from "./parts.js";
import { say } from "./words.js";

let incidents = [];
let signs = [];
const ticked = new Set();
const said = new Map();

export async function load() {
  [incidents, signs] = await Promise.all([read("/v1/incidents", incidents), read("/v1/signs?limit=200", signs)]);
}

export function draw() {
  const visible = incidents.filter((incident) => incident.state !== "merged");
  document.getElementById("counts").textContent = visible.length ? say("counts", visible.filter((one) => one.state === "open").length, visible.length) : "";
  fill("incidents", visible.map(card));
  const standing = (kind, most) => signs.filter((sign) => sign.kind === kind).sort((a, b) => (a.ended_at !== null) - (b.ended_at !== null)).slice(0, most).map(signCard);
  fill("warnings", standing("warning", 12));
  fill("anomalies", standing("anomaly", 25));
}

async function post(id, act, body) {
  const refusal = await send(`/v1/incidents/${encodeURIComponent(id)}/${act}`, body);
  if (refusal) failures.set(id, refusal); else failures.delete(id);
  await load();
  page.draw();
}

async function label(id, word) {
  const refusal = await send(`/v1/signs/${encodeURIComponent(id)}/label`, { said: word });
  if (!refusal) said.set(id, word);
  page.draw();
}

function alertRow(incident, alert) {
  const row = document.createElement("li");
  row.classList.toggle("off", !alert.firing);
  const label = document.createElement("label");
  if (incident.alerts.length > 1) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = ticked.has(`${incident.id} ${alert.fingerprint}`);
    box.addEventListener("change", () => {
      const key = `${incident.id} ${alert.fingerprint}`;
      if (box.checked) ticked.add(key); else ticked.delete(key);
      page.draw();
    });
    label.append(box, " ");
  }
  label.append(`${alert.firing ? "●" : "○"} ${alert.name} · ${alert.entity}${alert.severity ? ` · ${alert.severity}` : ""}`);
  row.append(label);
  return row;
}

function signRow(sign) {
  const row = document.createElement("li");
  row.classList.toggle("off", sign.ended_at !== null);
  row.textContent = `${short(sign.at)} · ${sign.entity} · ${sign.series}: ${sign.claim}`;
  return row;
}

function card(incident) {
  const item = made("incident");
  const find = (selector) => item.querySelector(selector);
  const put = (selector, text) => { find(selector).textContent = text; find(selector).hidden = text === ""; };
  item.classList.add(incident.state);
  item.dataset.id = item.id = incident.id;
  const verdict = incident.verdict;
  put(".badge", say(incident.state === "confirmed" ? "confirmed-state" : incident.state));
  put("h3", incident.title);
  put("time", short(incident.opened_at));
  put(".verdict", verdict ? verdict.sentence : say("looking"));
  for (const name of verdict ? verdict.path : []) {
    const step = document.createElement("span");
    step.textContent = name;
    find(".path").append(step);
    find(".path").hidden = false;
  }
  const more = [say("alerts", incident.firing, incident.alerts.length + incident.more)];
  if (verdict && verdict.cause) more.push(`${verdict.cause.entity} ${verdict.cause.kind}, ${Math.round(verdict.confidence * 100)} % ${say("sure")}`);
  if (incident.confirmed) more.push(`${say("confirmed")} ${incident.confirmed.entity} ${incident.confirmed.kind}`);
  if (incident.after) more.push(`${say("after")} ${incident.after}`);
  for (const blame of incident.rejected) more.push(`${say("rejected")} ${blame.entity} ${blame.kind}`);
  put(".more", more.join(" · "));
  put(".seen", incident.similar.length ? `${say("seen")} ${incident.similar.map(seenBefore).join("; ")}` : "");
  refused(find(".failed"), incident.id);
  fold(find(".alerts"), `${incident.id} alerts`, say("alertList", incident.alerts.length), incident.alerts.map((one) => alertRow(incident, one)));
  fold(find(".signs"), `${incident.id} signs`, say("signList", incident.signs.length), incident.signs.map(signRow));
  buttons(item, incident);
  return item;
}

function seenBefore(id) {
  const known = incidents.find((one) => one.id === id);
  if (!known || !known.confirmed) return id;
  return `${short(known.opened_at)} ${known.title} (${known.confirmed.entity} ${known.confirmed.kind})`;
}

function buttons(item, incident) {
  const report = item.querySelector(".report");
  if (incident.report) report.href = incident.report; else report.remove();
  for (const act of ["confirm", "reject"]) {
    const button = item.querySelector(`.${act}`);
    if (!incident.verdict || !incident.verdict.cause || incident.state === "confirmed") button.remove();
    else button.addEventListener("click", () => post(incident.id, act));
  }
  const others = incidents.filter((one) => one.id !== incident.id && ["open", "mitigated"].includes(one.state));
  const merge = item.querySelector(".merge");
  if (!others.length || !["open", "mitigated"].includes(incident.state)) merge.remove();
  else {
    const select = merge.querySelector("select");
    select.append(new Option(say("choose"), ""), ...others.map((one) => new Option(one.title, one.id)));
    select.addEventListener("change", () => { if (select.value) post(incident.id, "merge", { other: select.value }); });
  }
  const split = item.querySelector(".split");
  const chosen = incident.alerts.filter((one) => ticked.has(`${incident.id} ${one.fingerprint}`)).map((one) => one.fingerprint);
  if (!chosen.length || chosen.length === incident.alerts.length) split.remove();
  else split.addEventListener("click", () => {
    for (const name of chosen) ticked.delete(`${incident.id} ${name}`);
    post(incident.id, "split", { alerts: chosen });
  });
}

function signCard(sign) {
  const item = made("sign");
  const find = (selector) => item.querySelector(selector);
  item.classList.toggle("over", sign.ended_at !== null);
  item.dataset.id = sign.id;
  find(".entity").textContent = sign.entity;
  find("time").textContent = short(sign.at) + (sign.ended_at ? ` · ${say("over")}` : "");
  find(".claim").textContent = sign.claim;
  find(".series").textContent = sign.series;
  if (sign.due_at && !sign.ended_at) {
    const left = new Date(sign.due_at) - Date.now();
    find(".due").textContent = left > 0 ? say("due", span(left)) : say("past");
    find(".due").hidden = false;
  }
  find(".said").textContent = said.has(sign.id) ? say("noted") : "";
  for (const word of ["true", "false"]) {
    const button = find(`.${word}`);
    if (sign.kind !== "anomaly" || said.has(sign.id)) button.remove();
    else button.addEventListener("click", () => label(sign.id, word));
  }
  return item;
}
