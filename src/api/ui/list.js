// The list of connections, newest first. Only the rows in sight are elements, so that thousands cost what thirty do.

import { amount, clock, el, exact, moment, span } from "./elements.js";
import { fate } from "./connections.js";
import { ending, t } from "./words.js";

/** Row heights in pixels, as layout.css has them: one line, or two where there is no room. */
const WIDE = 27;
const NARROW = 46;
/** A list narrower than this has rows of two lines. */
const ROOM = 880;
/** While records pour in the list is drawn this often (milliseconds): faster than anybody reads. */
const PACE = 100;

export class List {
  /** `model` has the rows, `open(id)` opens one, `more()` asks for older ones. */
  constructor({ model, open, more }) {
    Object.assign(this, { model, open, more });
    this.nodes = new Map();
    this.active = null;
    this.height = WIDE;
    this.seen = 0;
    this.drawn = 0;
    this.waiting = false;
    this.rail = el("div.rail", { role: "presentation" });
    this.box = el("div.rows", { role: "listbox", tabindex: 0, id: "rows", "aria-label": t("Connections") }, this.rail);
    this.fresh = el("button.fresh", { type: "button", hidden: true, onclick: () => this.top() });
    this.head = el("div.row.head", { "aria-hidden": "true" },
      cell("time", t("opened")), cell("peer", t("peer")), cell("at", t("listener")), cell("rx", t("received")),
      cell("tx", t("sent")), cell("end", t("ended")), cell("said", t("first text")));
    this.node = el("div.list", this.head, this.box, this.fresh);
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.rail.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resized()).observe(this.box);
  }

  /** Something changed: draws soon. */
  changed() {
    if (this.waiting) return;
    this.waiting = true;
    const rest = PACE - (performance.now() - this.drawn);
    const next = () => requestAnimationFrame(() => { this.waiting = false; this.draw(); });
    if (rest > 0) setTimeout(next, rest);
    else next();
  }

  resized() {
    const narrow = this.box.clientWidth < ROOM;
    const height = narrow ? NARROW : WIDE;
    if (height !== this.height) this.box.scrollTop *= height / this.height;
    this.height = height;
    this.node.classList.toggle("narrow", narrow);
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
    this.draw();
  }

  scrolled() {
    if (this.box.scrollTop < this.height / 2) this.unread = 0;
    this.draw();
  }

  /** Who is at the top stays at the top; who is further down stays at what they read. */
  anchor() {
    const added = this.model.added - this.seen;
    this.seen = this.model.added;
    if (added <= 0) return;
    if (this.box.scrollTop < this.height / 2) return;
    this.unread = (this.unread ?? 0) + added;
    this.rail.style.height = `${this.model.rows.length * this.height}px`;
    this.box.scrollTop += added * this.height;
  }

  draw() {
    this.drawn = performance.now();
    const { rows } = this.model;
    const { height, box } = this;
    this.anchor();
    this.rail.style.height = `${rows.length * height}px`;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 4);
    const last = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + 4);
    const shown = new Set();
    let above = null;
    for (let n = first; n < last; n += 1) {
      const row = rows[rows.length - 1 - n];
      shown.add(row.id);
      above = this.show(row, n, rows.length, above);
    }
    for (const [id, node] of this.nodes) {
      if (shown.has(id)) continue;
      node.remove();
      this.nodes.delete(id);
    }
    if (this.active && shown.has(this.active)) box.setAttribute("aria-activedescendant", `row-${this.active}`);
    else box.removeAttribute("aria-activedescendant");
    this.fresh.hidden = !this.unread;
    if (this.unread) this.fresh.textContent = `↑ ${t("{n} new", { n: exact(this.unread) })}`;
    if (last > rows.length - 30) this.more();
  }

  /** Elements stand in the order in which they are seen: that is how they are read aloud. */
  show(row, n, total, above) {
    let node = this.nodes.get(row.id);
    if (!node) {
      node = blank(row);
      this.nodes.set(row.id, node);
      if (above) above.after(node);
      else this.rail.prepend(node);
    }
    if (node.place !== n) {
      node.place = n;
      node.style.transform = `translateY(${n * this.height}px)`;
      node.setAttribute("aria-posinset", n + 1);
    }
    if (node.total !== total) {
      node.total = total;
      node.setAttribute("aria-setsize", this.model.older === null ? total : -1);
    }
    const active = row.id === this.active;
    if (node.version === row.version && node.active === active) return node;
    node.version = row.version;
    if (node.active !== active) {
      node.active = active;
      node.setAttribute("aria-selected", String(active));
    }
    write(node, row);
    return node;
  }

  clicked(event) {
    const node = event.target.closest(".row");
    if (node) this.open(node.dataset.id);
  }

  /** Marks a row, and brings it into sight. */
  mark(id) {
    this.active = id || null;
    const place = this.placeOf(id);
    if (place >= 0) {
      const top = place * this.height;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      const bottom = top + this.height - this.box.clientHeight;
      if (bottom > this.box.scrollTop) this.box.scrollTop = bottom;
    }
    this.draw();
  }

  /** The row that is so many below the marked one. */
  beside(step) {
    const { rows } = this.model;
    if (!rows.length) return null;
    const place = this.placeOf(this.active);
    const to = place < 0 ? Math.floor(this.box.scrollTop / this.height) : place + step;
    return rows[rows.length - 1 - Math.max(0, Math.min(rows.length - 1, to))].id;
  }

  placeOf(id) {
    const row = this.model.byId.get(id);
    return row ? this.model.rows.length - 1 - this.model.place(row.cursor) : -1;
  }

  top() {
    this.unread = 0;
    this.box.scrollTop = 0;
    this.draw();
  }
}

const cell = (name, text) => el(`span.${name}`, text);

/** A row: two lines, which lie beside each other where there is room. */
function blank(row) {
  const parts = ["peer", "at", "time", "rx", "tx", "said", "end"];
  const cells = Object.fromEntries(parts.map((part) => [part, cell(part)]));
  const node = el("div.row", { role: "option", id: `row-${row.id}`, "aria-selected": "false", "data-id": row.id },
    el("span.dot"), el("span.line", parts.slice(0, 3).map((part) => cells[part])), el("span.line", parts.slice(3).map((part) => cells[part])));
  node.cells = cells;
  node.version = -1;
  cells.time.textContent = clock(row.opened / 1000);
  cells.time.title = moment(row.opened / 1000);
  cells.peer.textContent = row.from;
  cells.peer.title = row.from;
  cells.at.textContent = row.at;
  return node;
}

function write(node, row) {
  const { cells } = node;
  node.dataset.fate = fate(row);
  cells.rx.textContent = row.received.bytes ? `↓${amount(row.received.bytes)}` : "";
  cells.tx.textContent = row.sent.bytes ? `↑${amount(row.sent.bytes)}` : "";
  cells.end.textContent = ending(row);
  cells.end.title = row.closed === null ? "" : `${ending(row)} · ${span(row.closed - row.opened)}`;
  cells.said.textContent = row.text;
  cells.said.classList.toggle("mine", row.spoke === "sent");
  cells.said.classList.toggle("malformed", row.malformed);
  node.setAttribute("aria-label", [
    row.from, t("to {listener}", { listener: row.at }), ending(row),
    t("received {n} bytes", { n: row.received.bytes }), t("sent {n} bytes", { n: row.sent.bytes }), row.text,
  ].join(", "));
}
