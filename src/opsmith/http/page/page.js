"use strict";
// Every name is put in as text (textContent), never as markup.
const words = {
  en: { live: "live", lost: "connection lost, trying again", looking: "looking for the cause …",
        firing: "alerts firing", of: "of", seen: "seen before:", confirmed: "confirmed:",
        open: "open", mitigated: "mitigated", resolved: "resolved", "confirmed-state": "confirmed" },
  zh: { live: "实时", lost: "连接中断，正在重试", looking: "正在寻找根因…",
        firing: "条告警触发中", of: "/", seen: "曾经出现：", confirmed: "已确认：",
        open: "进行中", mitigated: "已缓解", resolved: "已解决", "confirmed-state": "已确认" },
};
let tongue = (navigator.language || "en").startsWith("zh") ? "zh" : "en";
let shown = [];
let live = null;

const say = (key) => words[tongue][key] ?? key;

function translate(root) {
  for (const node of root.querySelectorAll("[data-en]")) node.textContent = node.dataset[tongue];
}

function card(incident) {
  const item = document.getElementById("incident").content.cloneNode(true).firstElementChild;
  const put = (selector, text) => { item.querySelector(selector).textContent = text; };
  item.classList.add(incident.state);
  item.dataset.id = incident.id;
  put(".badge", say(incident.state === "confirmed" ? "confirmed-state" : incident.state));
  put("h2", incident.title);
  put("time", new Date(incident.opened_at).toLocaleString());
  const verdict = incident.verdict;
  put(".verdict", verdict ? verdict.sentence : say("looking"));
  put(".path", verdict ? verdict.path.join(" → ") : "");
  const more = [`${incident.firing} ${say("of")} ${incident.alerts.length} ${say("firing")}`];
  if (incident.confirmed) more.push(`${say("confirmed")} ${incident.confirmed.entity} ${incident.confirmed.kind}`);
  if (incident.similar.length) more.push(`${say("seen")} ${incident.similar.join(", ")}`);
  put(".more", more.join(" · "));
  translate(item);
  const report = item.querySelector(".report");
  if (incident.report) report.href = incident.report; else report.remove();
  for (const act of ["confirm", "reject"]) {
    const button = item.querySelector(`.${act}`);
    if (!verdict || !verdict.cause || incident.state === "confirmed") button.remove();
    else button.addEventListener("click", () => post(incident.id, act));
  }
  return item;
}

async function post(id, act) {
  await fetch(`/v1/incidents/${encodeURIComponent(id)}/${act}`, { method: "POST" });
}

function draw() {
  document.documentElement.lang = tongue;
  translate(document);
  const state = document.getElementById("state");
  state.textContent = live === null ? "" : say(live ? "live" : "lost");
  state.classList.toggle("bad", live === false);
  document.getElementById("tongue").textContent = tongue === "en" ? "中文" : "English";
  const visible = shown.filter((incident) => incident.state !== "merged");
  document.getElementById("empty").hidden = visible.length > 0;
  document.getElementById("incidents").replaceChildren(...visible.map(card));
}

async function reload() {
  const answer = await fetch("/v1/incidents");
  if (answer.ok) shown = await answer.json();
  draw();
}

function listen() {
  const stream = new EventSource("/v1/events");
  stream.onopen = () => { live = true; reload(); };  // also after a break: what was missed is read
  stream.onerror = () => { live = false; draw(); };
  stream.addEventListener("incident", reload);
}

document.getElementById("tongue").addEventListener("click", () => {
  tongue = tongue === "en" ? "zh" : "en";
  draw();
});
draw();
reload();
listen();
