// The page: a live view of every listener, connection and byte. Nothing is built or vendored: what is served is what is
// in the repository, so that whoever maintains it next changes a file and reloads.
//
//   view.js           what is looked at, in the address        query.js       the language of the search
//   api.js stream.js  asking, and following the events         feed.js        what the list shows, kept true
//   connections.js    the connections that are known           list.js        the list, drawn
//   listeners.js      the left side, with listener.js          conversation.js the right side, with message.js, send.js
//   text.js bytes.js  text and bytes of strangers, made safe   words.js zh.js the languages

import { askWith } from "./api.js";
import { Conversation } from "./conversation.js";
import { askForToken, editSpec, help } from "./dialogs.js";
import { button, el, icon } from "./elements.js";
import { Feed } from "./feed.js";
import { List } from "./list.js";
import { Listeners } from "./listeners.js";
import { sayProblem } from "./menu.js";
import { parse, withFilter } from "./query.js";
import { Search } from "./search.js";
import { look, view, watch } from "./view.js";
import { nobodyCame, nothingFits, nothingOpen } from "./welcome.js";
import { language, speak, t } from "./words.js";

/** A tab that nobody sees gives its stream up after so long: a browser has only a few lines to one host. */
const UNSEEN = 30_000;

document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
askWith(askForToken);

const status = el("span.status", { role: "status" });
const empty = el("div.empty", { hidden: true });
let paused = false;

const feed = new Feed({
  changed: () => { list.changed(); settle(); },
  message: (message) => { if (message.connection === view.c) conversation.touched(); },
  ended: (connection) => { if (connection.id === view.c) conversation.touched(); },
  listener: (listener) => listeners.put(listener),
  gone: ({ id }) => listeners.drop(id),
  state: live,
  fault: (problem) => { search.say(problem && whatIs(problem)); },
});
const list = new List({ model: feed.model, open: (id) => look({ c: id }, { push: !view.c }), more: () => feed.loadOlder() });
const conversation = new Conversation({
  known: (id) => feed.model.byId.get(id),
  covered: (id) => !paused && !feed.narrow && feed.model.byId.has(id),
  close: () => leave(),
});
const listeners = new Listeners({
  pick: (listener) => look({ q: withFilter(view.q, "listener", listener && (listener.name ?? listener.id)) }),
  spec: (listener, draft) => editSpec(listener, draft, (made) => listeners.put(made)),
  changed: () => settle(),
});
const search = new Search({ take: (q) => look({ q }), names: () => listeners.all.map(({ name, id }) => name ?? id) });
const pauser = el("button.quiet.pauser", { type: "button", onclick: pause });
const tabs = ["listeners", "connections", "conversation"].map((name) =>
  el("button", { type: "button", "data-pane": name, onclick: () => show(name) }, t({ listeners: "Listeners", connections: "Connections", conversation: "Conversation" }[name])));

document.getElementById("top").append(
  search.node, status, pauser,
  el("button.quiet.language", { type: "button", lang: language === "zh" ? "en" : "zh-Hans", onclick: () => speak(language === "zh" ? "en" : "zh") }, language === "zh" ? "English" : "中文"),
  el("a.quiet", { href: "/docs" }, "API"),
  button(t("Keys and help"), help, { icon: "help", class: "quiet" }));
document.querySelector(".brand").addEventListener("click", (event) => {
  event.preventDefault();
  look({ q: "", c: "" });
});
document.getElementById("main").append(listeners.node, el("section.middle", { "aria-label": t("Connections") }, list.node, empty), grip(), conversation.node);
document.getElementById("tabs").append(...tabs);

/** Says whether the page is live. */
function live(word) {
  status.dataset.state = word;
  status.textContent = { live: t("live"), waiting: t("reconnecting…"), full: t("too many readers"), paused: t("paused"), stopped: t("stopped") }[word];
  if (word === "live") document.body.dataset.ready = "yes";
}

function whatIs(problem) {
  if (problem.status === 401) return t("Without the token there is nothing to see; load the page again to be asked for it.");
  return problem.lines?.join(" · ") ?? t("The service does not answer");
}

function pause() {
  paused = !paused;
  if (paused) {
    feed.pause();
    live("paused");
  } else {
    feed.resume();
  }
  drawPauser();
}

function drawPauser() {
  const label = paused ? t("Go on") : t("Pause");
  pauser.replaceChildren(icon(paused ? "play" : "pause"));
  pauser.setAttribute("aria-label", label);
  pauser.title = label;
  pauser.setAttribute("aria-pressed", String(paused));
}

/** What there is to see where there is no list. */
function settle() {
  const { rows } = feed.model;
  const open = listeners.all.filter((listener) => listener.state === "open");
  let state = "list";
  if (!rows.length && feed.loaded && listeners.known) {
    const { listener, ...others } = parse(view.q).filters ?? {};
    const picked = open.find((one) => one.id === listener || one.name === listener);
    if (Object.keys(others).length || (listener && !picked)) state = "fits";
    else if (!open.length) state = "open";
    else state = `come ${(picked ?? open[0]).port}`;
  }
  if (empty.dataset.state === state) return;
  empty.dataset.state = state;
  empty.hidden = state === "list";
  list.node.hidden = state !== "list";
  const one = open.find(({ port }) => state === `come ${port}`);
  if (state === "fits") empty.replaceChildren(nothingFits(() => look({ q: "" })));
  else if (state === "open") empty.replaceChildren(nothingOpen((listener) => listeners.put(listener)));
  else if (one) empty.replaceChildren(nobodyCame(one));
  if (state === "list") list.resized();
}

/** On a narrow screen one side is shown at a time. */
function show(pane) {
  document.body.dataset.pane = pane;
  for (const tab of tabs) tab.setAttribute("aria-current", String(tab.dataset.pane === pane));
}

function leave() {
  look({ c: "" });
  list.box.focus();
}

function follow(changed) {
  if (changed.includes("q")) {
    search.value = view.q;
    const { filters } = parse(view.q);
    listeners.mark(filters?.listener);
    if (filters) {
      if (paused) pause();
      feed.show(filters);
      list.top();
    }
  }
  if (changed.includes("c")) {
    document.body.classList.toggle("talking", Boolean(view.c));
    show(view.c ? "conversation" : document.body.dataset.pane === "conversation" ? "connections" : document.body.dataset.pane ?? "connections");
    list.mark(view.c);
    conversation.open(view.c);
  } else if (changed.includes("encoding") || changed.includes("framing")) {
    conversation.reread();
  } else if (changed.includes("show")) {
    conversation.tools();
    conversation.redraw();
  }
}

function step(by) {
  const id = list.beside(by);
  if (!id) return;
  if (view.c) look({ c: id });
  else list.mark(id);
}

const KEYS = {
  "/": () => { show("connections"); search.input.focus(); search.input.select(); },
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: (event) => document.activeElement === list.box && step(1, event.preventDefault()),
  ArrowUp: (event) => document.activeElement === list.box && step(-1, event.preventDefault()),
  Enter: (event) => {
    if (!list.active || event.target.closest("button, a, summary")) return false;
    look({ c: list.active }, { push: !view.c });
    conversation.flow.focus();
    return true;
  },
  Escape: () => { if (view.c) leave(); else if (view.q) look({ q: "" }); },
  p: pause,
  o: () => { show("listeners"); listeners.open(true); },
  s: () => { if (!conversation.send.node.hidden) conversation.send.input.focus(); },
  g: () => list.top(),
  1: () => look({ show: "both" }),
  2: () => look({ show: "hex" }),
  3: () => look({ show: "text" }),
  "?": help,
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input:not([type=radio]), textarea, select");
  if (typing) {
    if (event.key === "Escape") {
      if (typing.closest("form.open")) listeners.open(false);
      list.box.focus();
    }
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  const done = act(event);
  if (done !== false && event.key.length === 1) event.preventDefault();
});

/** What parts the list from the conversation, to be moved by pointer or arrow keys. */
function grip() {
  const KEY = "answerback.split";
  const node = el("div.grip", { role: "separator", tabindex: 0, "aria-orientation": "vertical", "aria-label": t("Width of the conversation"), "aria-valuemin": 25, "aria-valuemax": 75 });
  let share = 48;
  const set = (wanted) => {
    share = Math.round(Math.max(25, Math.min(75, wanted)) * 10) / 10;
    document.documentElement.style.setProperty("--share", `${share}%`);
    node.setAttribute("aria-valuenow", Math.round(share));
    try { localStorage.setItem(KEY, share); } catch { /* then it is as it was next time */ }
  };
  try { share = Number(localStorage.getItem(KEY)) || share; } catch { /* then it is the usual */ }
  set(share);
  node.addEventListener("pointerdown", (event) => { node.setPointerCapture(event.pointerId); event.preventDefault(); });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) set(((innerWidth - event.clientX) / innerWidth) * 100);
  });
  node.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: 2, ArrowRight: -2 }[event.key];
    if (by) set(share + by);
  });
  return node;
}

let unseen;
document.addEventListener("visibilitychange", () => {
  clearTimeout(unseen);
  if (document.hidden) unseen = setTimeout(() => feed.pause(), UNSEEN);
  else if (!paused) feed.resume();
});
addEventListener("unhandledrejection", (event) => { if (event.reason?.lines) sayProblem(event.reason); });

watch(follow);
drawPauser();
live("waiting");
show("connections");
listeners.poll();
follow(["q", "c"]);
