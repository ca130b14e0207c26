// The left side: every listener with its state, its clients and its rate, and what it can be told.

import { json } from "./api.js";
import { amount, button, el, exact } from "./elements.js";
import { openForm, replyForm } from "./listener.js";
import { say, sayProblem } from "./menu.js";
import { EVERY, Plot, Series } from "./plot.js";
import { tryLines, typeLine } from "./welcome.js";
import { t } from "./words.js";

export class Listeners {
  /** `pick(listener or null)` filters by it, `spec(listener, draft)` opens the full spec, `changed()` tells that some came or went. */
  constructor({ pick, spec, changed }) {
    Object.assign(this, { pick, spec, changed });
    this.items = new Map();
    this.known = false;
    this.picked = null;
    this.list = el("ul");
    this.count = el("span.count");
    this.form = openForm({
      opened: (listener) => { this.open(false); this.put(listener); this.choose(listener.id); },
      more: (draft) => { this.open(false); spec(null, draft); },
      cancel: () => this.open(false),
    });
    this.form.node.hidden = true;
    this.adder = button(t("Open a port"), () => this.open(this.form.node.hidden), { icon: "add", class: "quiet", "aria-expanded": "false" });
    this.rates = new Rates();
    this.node = el("section.listeners", { "aria-label": t("Listeners") },
      el("header.top", el("h2", t("Listeners"), " ", this.count), this.adder), this.form.node, this.list, this.rates.node);
    setInterval(() => this.poll(), EVERY);
  }

  get all() {
    return [...this.items.values()].map((item) => item.view);
  }

  open(wanted) {
    this.form.node.hidden = !wanted;
    this.adder.setAttribute("aria-expanded", String(wanted));
    if (wanted) this.form.focus();
  }

  /** What the counters are now. The stream tells of changes, not of counts. */
  async poll() {
    if (document.hidden || this.asking) return;
    this.asking = true;
    try {
      this.set((await json("/listeners")).items);
    } catch {
      // The stream says that the service is away.
    } finally {
      this.asking = false;
    }
  }

  set(views) {
    const here = new Set(views.map((view) => view.id));
    for (const id of [...this.items.keys()]) if (!here.has(id)) this.drop(id);
    for (const view of views) this.put(view);
    this.rates.add(views);
    this.settled();
  }

  put(view) {
    let item = this.items.get(view.id);
    if (!item) {
      item = new Item(view, this);
      this.items.set(view.id, item);
      this.list.append(item.node);
    }
    item.update(view);
    this.settled();
  }

  drop(id) {
    this.items.get(id)?.node.remove();
    this.items.delete(id);
    this.settled();
  }

  settled() {
    this.count.textContent = this.items.size ? exact(this.items.size) : "";
    const text = this.all.map(({ id, state, port }) => `${id}${state}${port}`).join();
    if (this.known && text === this.told) return;
    this.known = true;
    this.told = text;
    this.changed();
  }

  /** A click on a listener shows its clients alone, a second one all again. */
  choose(id) {
    const item = this.items.get(id);
    this.pick(item && this.picked !== id ? item.view : null);
  }

  /** Shows which one the view is about: by id or name, or none. */
  mark(key) {
    this.picked = null;
    for (const [id, item] of this.items) {
      const is = key !== undefined && (id === key || item.view.name === key);
      if (is) this.picked = id;
      item.expand(is);
    }
  }

  async remove(view) {
    try {
      await json(`/listeners/${view.id}`, { method: "DELETE" });
      if (this.picked === view.id) this.pick(null);
      this.drop(view.id);
    } catch (problem) {
      sayProblem(problem);
    }
  }
}

class Item {
  constructor(view, owner) {
    this.owner = owner;
    this.rate = new Series();
    this.plot = new Plot(60, 16, ["in"]);
    this.name = el("b.name");
    this.address = el("span.address");
    this.figures = el("span.figures");
    this.state = el("span.state");
    this.pace = el("span.pace");
    this.button = el("button.pick", { type: "button", "aria-pressed": "false", onclick: () => owner.choose(view.id) },
      el("span.dot", { "aria-hidden": "true" }), this.name, this.address, this.state, this.plot.node, this.figures, this.pace);
    this.more = el("div.details");
    this.node = el("li.listener", this.button, this.more);
    this.expanded = false;
  }

  update(view) {
    const before = this.view;
    this.view = view;
    this.node.dataset.state = view.state;
    this.name.textContent = view.name ?? `:${view.port}`;
    const host = view.host.includes(":") ? `[${view.host}]` : view.host;
    this.address.textContent = view.name ? `:${view.port}` : "";
    this.address.title = `${host}:${view.port}`;
    this.state.textContent = view.state === "open" ? "" : t(view.state);
    this.state.title = view.failure?.detail ?? view.close_reason ?? "";
    const { open, total } = view.connections;
    this.figures.textContent = t("{open} open of {total}", { open: exact(open), total: exact(total) });
    this.rate.count(total, performance.now());
    this.plot.draw(this.rate);
    const now = this.rate.now;
    this.pace.textContent = now > 0 ? `${now < 10 ? now.toFixed(1) : amount(now)}/s` : "";
    this.button.setAttribute("aria-label", [
      view.name ?? "", `${host}:${view.port}`, t(view.state), this.figures.textContent,
    ].filter(Boolean).join(", "));
    // A form that somebody types into stays as it is.
    const same = before && ["reply", "encoding", "then"].every((name) => JSON.stringify(before[name]) === JSON.stringify(view[name]));
    if (this.expanded && (!same || before.state !== view.state) && !this.more.contains(document.activeElement)) this.fill();
  }

  expand(wanted) {
    if (wanted === this.expanded) return;
    this.expanded = wanted;
    this.node.classList.toggle("picked", wanted);
    this.button.setAttribute("aria-pressed", String(wanted));
    if (wanted) this.fill();
    else this.more.replaceChildren();
  }

  fill() {
    const { view, owner } = this;
    const notes = [
      view.failure && el("p.fault", view.failure.detail),
      view.rules.length > 0 && el("p.soft", t("{n} rules come first, see the spec", { n: view.rules.length })),
    ];
    const form = replyForm(view, {
      changed: (changed) => { document.activeElement?.blur(); owner.put(changed); say(t("Applied, also to the clients that are connected")); },
      more: () => owner.spec(this.view),
      remove: () => owner.remove(this.view),
    });
    const facts = [`${view.host}:${view.port}`, view.framing.type === "none" ? null : t("framing {type}", { type: view.framing.type }),
      `↓ ${amount(view.received.bytes)}B`, `↑ ${amount(view.sent.bytes)}B`].filter(Boolean).join(" · ");
    this.more.replaceChildren(...[el("p.soft.mono", facts), ...notes, form, view.state === "open" && typeLine(tryLines(view)[0])].filter(Boolean));
  }
}

/** What all listeners do together, over the last five minutes. */
class Rates {
  constructor() {
    this.came = new Figure(t("connections"), ["in"]);
    this.open = new Figure(t("open"), ["out"]);
    this.bytes = new Figure(t("bytes"), ["in", "out"]);
    this.node = el("section.rates", { "aria-label": t("The last five minutes") }, this.came.node, this.open.node, this.bytes.node);
  }

  add(views) {
    const at = performance.now();
    const sum = (number) => views.reduce((all, view) => all + number(view), 0);
    const rate = (number) => `${number < 10 ? number.toFixed(1) : amount(number)}/s`;
    const [came] = this.came.series;
    const [open] = this.open.series;
    const [received, sent] = this.bytes.series;
    came.count(sum((view) => view.connections.total), at);
    open.add(sum((view) => view.connections.open));
    received.count(sum((view) => view.received.bytes), at);
    sent.count(sum((view) => view.sent.bytes), at);
    this.came.draw(`${t("most")} ${rate(came.most)}`, rate(came.now));
    this.open.draw(`${t("most")} ${exact(open.most)}`, exact(open.values.at(-1)));
    this.bytes.draw("", `↓ ${amount(received.now)}/s ↑ ${amount(sent.now)}/s`);
  }
}

/** A plot with its name, the most there was, and what is now. */
class Figure {
  constructor(name, kinds) {
    this.series = kinds.map(() => new Series());
    this.plot = new Plot(200, 32, kinds);
    this.most = el("span");
    this.now = el("b");
    this.node = el("figure", el("figcaption", el("span", name), this.most, this.now), this.plot.node);
  }

  draw(most, now) {
    this.plot.draw(...this.series);
    this.most.textContent = most;
    this.now.textContent = now;
  }
}
