"use strict";
// Every name is put in as text (textContent), never as markup.
import { say, tongue } from "./words.js";

// draw: draws everything anew; me: who reads this page, as the server sees it.
export const page = { draw() {}, me: null };
const unfolded = new Set();  // what a reader has opened stays open when the list changes

export function translate(root) {
  for (const node of root.querySelectorAll("[data-en]")) node.textContent = node.dataset[tongue];
  for (const node of root.querySelectorAll("[data-hint-en]")) node.placeholder = node.dataset[tongue === "en" ? "hintEn" : "hintZh"];
}

export function made(template) {
  const node = document.getElementById(template).content.cloneNode(true).firstElementChild;
  translate(node);
  return node;
}

export function element(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

export const short = (time) => new Date(time).toLocaleString(tongue === "zh" ? "zh-CN" : undefined, { dateStyle: "short", timeStyle: "medium" });

const length = (number, unit) => new Intl.NumberFormat(tongue, { style: "unit", unit, unitDisplay: "long" }).format(number);

export function span(milliseconds) {
  const minutes = Math.max(1, Math.round(milliseconds / 60000));
  return minutes < 120 ? length(minutes, "minute") : length(Math.round(minutes / 60), "hour");
}

export const seconds = (s) => (s < 120 ? length(Math.round(s), "second") : span(s * 1000));

// A time that is left, counted down by `tick` without drawing anything anew.
export function countdown(until) {
  const node = element("span", "left");
  node.dataset.until = until;
  show(node);
  return node;
}

function show(node) {
  const left = Math.max(0, Math.round((new Date(node.dataset.until) - Date.now()) / 1000));
  node.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  return left;
}

export function tick() {
  const over = [...document.querySelectorAll("[data-until]")].filter((node) => show(node) === 0);
  if (over.length) page.draw();
}

export function fold(details, key, title, rows, opened = () => {}) {
  details.hidden = rows.length === 0;
  details.querySelector("summary").textContent = title;
  details.querySelector("ul").replaceChildren(...rows);
  keepOpen(details, key, opened);
}

export function keepOpen(details, key, opened = () => {}) {
  details.open = unfolded.has(key);
  details.addEventListener("toggle", () => {
    const fresh = details.open && !unfolded.has(key);
    if (details.open) unfolded.add(key); else unfolded.delete(key);
    if (fresh) opened();
  });
}

export const isOpen = (key) => unfolded.has(key);

export function fill(id, cards) {
  const list = document.getElementById(id);
  list.replaceChildren(...cards);
  const empty = list.previousElementSibling;
  if (empty && empty.classList.contains("empty")) empty.hidden = cards.length > 0;
}

export async function read(path, fallback) {
  try {
    const answer = await fetch(path);
    return answer.ok || path === "/readyz" ? await answer.json() : fallback;
  } catch { return fallback; }
}

// What was refused, in words; empty when it was done.
export async function send(path, body) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  } catch (error) { return String(error.message ?? error); }
  if (answer.ok) return "";
  return refusal(answer);
}

export async function refusal(answer) {
  try {
    const said = await answer.json();
    const wrong = (said.errors ?? []).map((one) => `${one.where}: ${one.what}`).join("; ");
    if (said.denied) return `${said.denied.reason} (${said.denied.rule})`;
    return [said.detail, wrong].filter(Boolean).join(" ") || `HTTP ${answer.status}`;
  } catch { return `HTTP ${answer.status}`; }
}

export const failures = new Map();  // by what was acted on

export function refused(node, key) {
  node.textContent = failures.has(key) ? `${say("failed")} ${failures.get(key)}` : "";
  node.hidden = node.textContent === "";
}
