"use strict";
// The whole page: what it hears, when it is drawn, in which language.
import * as asking from "./asking.js";
import * as house from "./house.js";
import { page, read, tick, translate } from "./parts.js";
import * as plans from "./plans.js";
import * as tasks from "./tasks.js";
import { say, tongue, turn } from "./words.js";

let troubles = {};
let live = null;

function draw() {
  const held = document.activeElement?.dataset.key;
  document.documentElement.lang = tongue;
  translate(document);
  const state = document.getElementById("state");
  state.textContent = say(live === null ? "connecting" : live ? "live" : "lost");
  state.classList.toggle("bad", live === false);
  const me = document.getElementById("me");
  me.textContent = page.me ? say("you", page.me.name, page.me.role) + (page.me.decides ? "" : ` · ${say("viewer")}`) : "";
  document.getElementById("tongue").textContent = tongue === "en" ? "中文" : "English";
  const notice = document.getElementById("troubles");
  notice.textContent = Object.entries(troubles).map(([who, what]) => `${who}: ${what}`).join("\n");
  notice.hidden = notice.textContent === "";
  for (const part of [asking, plans, house, tasks]) part.draw();
  if (held) document.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

async function reload() {
  page.me = await read("/v1/me", page.me);
  await Promise.all([house.load(), plans.load(), tasks.load()]);
  draw();
}

async function check() {
  const queue = page.me?.queue;
  troubles = (await read("/readyz", { troubles })).troubles ?? {};
  page.me = await read("/v1/me", page.me);
  if (page.me?.queue && !queue) await tasks.load();
  if (plans.running().size) await plans.load(plans.running());  // whoever ran it may have died, which no event tells
  draw();
}

const waiting = new Map();
function soon(part, id) {  // a storm of changes is read once
  if (waiting.has(part)) { waiting.get(part).add(id); return; }
  const ids = new Set([id]);
  waiting.set(part, ids);
  setTimeout(async () => { waiting.delete(part); await part.load(ids); draw(); }, 150);
}

function listen() {
  const stream = new EventSource("/v1/events");
  stream.onopen = () => { live = true; reload(); };  // also after a break: what was missed is read
  stream.onerror = () => { live = false; draw(); };
  for (const [event, part] of [["incident", house], ["sign", house], ["plan", plans], ["task", tasks]]) {
    stream.addEventListener(event, (told) => soon(part, told.data));
  }
}

page.draw = draw;
document.getElementById("tongue").addEventListener("click", () => { turn(); draw(); });
asking.start();
draw();
reload();
check();
setInterval(check, 15000);
setInterval(tick, 1000);
listen();
