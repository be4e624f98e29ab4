"use strict";
// Every name is put in as text (textContent), never as markup.
const words = {
  en: { live: "live", lost: "connection lost, trying again", connecting: "connecting", looking: "looking for the cause …",
        alerts: (n, all) => `${n} of ${all} alerts firing`, alertList: (n) => `Alerts (${n})`, signList: (n) => `Evidence from metrics (${n})`,
        seen: "Seen before:", after: "Soon after", confirmed: "confirmed:", rejected: "ruled out:", sure: "sure", choose: "…", over: "over",
        due: (left) => `crosses in about ${left}`, past: "should have crossed by now", noted: "noted", failed: "That was refused:",
        counts: (open, all) => `${open} open, ${all} in all`,
        open: "open", mitigated: "mitigated", resolved: "resolved", "confirmed-state": "confirmed" },
  zh: { live: "实时", lost: "连接中断，正在重试", connecting: "正在连接", looking: "正在寻找根因…",
        alerts: (n, all) => `${all} 条告警中 ${n} 条触发`, alertList: (n) => `告警（${n}）`, signList: (n) => `指标证据（${n}）`,
        seen: "曾经出现：", after: "紧随", confirmed: "已确认：", rejected: "已排除：", sure: "把握", choose: "…", over: "已结束",
        due: (left) => `约 ${left} 后越过阈值`, past: "按预测此时应已越过", noted: "已记录", failed: "被拒绝：",
        counts: (open, all) => `${open} 个进行中，共 ${all} 个`,
        open: "进行中", mitigated: "已缓解", resolved: "已解决", "confirmed-state": "已确认" },
};
let tongue = (navigator.language || "en").startsWith("zh") ? "zh" : "en";
let incidents = [];
let signs = [];
let troubles = {};
let live = null;
const unfolded = new Set();  // what a reader has opened stays open when the list changes
const ticked = new Set();
const failures = new Map();
const said = new Map();

const say = (key, ...rest) => { const word = words[tongue][key] ?? key; return typeof word === "function" ? word(...rest) : word; };

function translate(root) {
  for (const node of root.querySelectorAll("[data-en]")) node.textContent = node.dataset[tongue];
}

function made(template) {
  const node = document.getElementById(template).content.cloneNode(true).firstElementChild;
  translate(node);
  return node;
}

const short = (time) => new Date(time).toLocaleString(tongue === "zh" ? "zh-CN" : undefined, { dateStyle: "short", timeStyle: "medium" });

function span(milliseconds) {
  const minutes = Math.max(1, Math.round(milliseconds / 60000));
  const [number, unit] = minutes < 120 ? [minutes, "minute"] : [Math.round(minutes / 60), "hour"];
  return new Intl.NumberFormat(tongue, { style: "unit", unit, unitDisplay: "long" }).format(number);
}

function fold(details, key, title, rows) {
  details.hidden = rows.length === 0;
  details.querySelector("summary").textContent = title;
  details.querySelector("ul").replaceChildren(...rows);
  details.open = unfolded.has(key);
  details.addEventListener("toggle", () => { if (details.open) unfolded.add(key); else unfolded.delete(key); });
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
      draw();
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
  item.dataset.id = incident.id;
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
  put(".failed", failures.has(incident.id) ? `${say("failed")} ${failures.get(incident.id)}` : "");
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

async function send(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  if (answer.ok) return "";
  try { return (await answer.json()).detail; } catch { return `HTTP ${answer.status}`; }
}

async function post(id, act, body) {
  const refusal = await send(`/v1/incidents/${encodeURIComponent(id)}/${act}`, body);
  if (refusal) failures.set(id, refusal); else failures.delete(id);
  reload();
}

async function label(id, word) {
  const refusal = await send(`/v1/signs/${encodeURIComponent(id)}/label`, { said: word });
  if (!refusal) said.set(id, word);
  draw();
}

function fill(id, cards) {
  const list = document.getElementById(id);
  list.replaceChildren(...cards);
  list.previousElementSibling.hidden = cards.length > 0;
}

function draw() {
  document.documentElement.lang = tongue;
  translate(document);
  const state = document.getElementById("state");
  state.textContent = say(live === null ? "connecting" : live ? "live" : "lost");
  state.classList.toggle("bad", live === false);
  document.getElementById("tongue").textContent = tongue === "en" ? "中文" : "English";
  const notice = document.getElementById("troubles");
  notice.textContent = Object.entries(troubles).map(([who, what]) => `${who}: ${what}`).join("\n");
  notice.hidden = notice.textContent === "";
  const visible = incidents.filter((incident) => incident.state !== "merged");
  document.getElementById("counts").textContent = visible.length ? say("counts", visible.filter((one) => one.state === "open").length, visible.length) : "";
  fill("incidents", visible.map(card));
  const standing = (kind, most) => signs.filter((sign) => sign.kind === kind).sort((a, b) => (a.ended_at !== null) - (b.ended_at !== null)).slice(0, most).map(signCard);
  fill("warnings", standing("warning", 12));
  fill("anomalies", standing("anomaly", 25));
}

async function read(path, fallback) {
  try {
    const answer = await fetch(path);
    return answer.ok || path === "/readyz" ? await answer.json() : fallback;
  } catch { return fallback; }
}

async function reload() {
  [incidents, signs] = await Promise.all([read("/v1/incidents", incidents), read("/v1/signs?limit=200", signs)]);
  draw();
}

async function check() {
  troubles = (await read("/readyz", { troubles })).troubles ?? {};
  draw();
}

let waiting = null;
function soon() {  // a storm of changes is read once
  waiting ??= setTimeout(() => { waiting = null; reload(); }, 150);
}

function listen() {
  const stream = new EventSource("/v1/events");
  stream.onopen = () => { live = true; reload(); };  // also after a break: what was missed is read
  stream.onerror = () => { live = false; draw(); };
  stream.addEventListener("incident", soon);
  stream.addEventListener("sign", soon);
}

document.getElementById("tongue").addEventListener("click", () => {
  tongue = tongue === "en" ? "zh" : "en";
  draw();
});
draw();
reload();
check();
setInterval(check, 15000);
listen();
