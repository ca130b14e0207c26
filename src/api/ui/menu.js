// A menu that opens under a button, and copying.

import { el } from "./elements.js";
import { t } from "./words.js";

let open = null;

/** A button that opens a menu of `items()`: `[label, act]`, or null for a line between. */
export function menuButton(label, items, attributes = {}) {
  const node = el("button.menu-button", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", ...attributes }, label);
  node.addEventListener("click", () => (open?.owner === node ? shut() : show(node, items())));
  node.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    show(node, items());
  });
  return node;
}

function show(owner, items) {
  shut();
  const entry = (item) => item && el("button", { type: "button", role: "menuitem", tabindex: -1, onclick: () => { shut(); item[1](); } }, item[0]);
  const node = el("div.menu", { role: "menu" }, items.map((item) => entry(item) ?? el("hr", { role: "separator" })));
  node.addEventListener("keydown", move);
  document.body.append(node);
  const place = owner.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = node;
  node.style.left = `${Math.max(4, Math.min(place.left, innerWidth - width - 4))}px`;
  const below = place.bottom + 2 + height <= innerHeight;
  node.style.top = `${below ? place.bottom + 2 : Math.max(4, place.top - height - 2)}px`;
  owner.setAttribute("aria-expanded", "true");
  open = { owner, node };
  node.querySelector("button").focus();
}

function shut() {
  if (!open) return false;
  const { owner, node } = open;
  open = null;
  const inside = node.contains(document.activeElement);
  node.remove();
  owner.setAttribute("aria-expanded", "false");
  if (inside) owner.focus();
  return true;
}

function move(event) {
  const entries = [...open.node.querySelectorAll("button")];
  const at = entries.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) entries.at(to % entries.length).focus();
  else if (event.key === "Escape" || event.key === "Tab") shut();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

addEventListener("pointerdown", (event) => {
  if (open && !open.node.contains(event.target) && !open.owner.contains(event.target)) shut();
});
addEventListener("resize", shut);
addEventListener("scroll", (event) => { if (open && event.target !== open.node) shut(); }, true);

/** Copies a text. The clipboard is lent only to https and loopback; elsewhere the old way still works. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea.away", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return say(t("The browser does not lend its clipboard"), "bad");
  }
  return say(t("Copied"));
}

/** A short word at the lower edge, told to screen readers too. */
export function say(text, kind = "") {
  const place = document.getElementById("said");
  const node = el("p", text);
  node.className = kind;
  place.replaceChildren(node);
  setTimeout(() => node.remove(), kind === "bad" ? 8000 : 2000);
}

/** What went wrong, said. */
export function sayProblem(problem) {
  if (problem.name !== "AbortError") say(problem.lines?.join(" · ") ?? t("The service does not answer"), "bad");
}
