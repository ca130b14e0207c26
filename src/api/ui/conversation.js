// One connection as a conversation: what was received and sent, in its order, and as it goes on.

import { json, path, request, save } from "./api.js";
import { Connections, fate } from "./connections.js";
import { button, clock, el, exact, micros, span } from "./elements.js";
import { markFound } from "./found.js";
import { menuButton, sayProblem } from "./menu.js";
import { copies, messageNodes } from "./message.js";
import { encodingField, framingField, showField } from "./reading.js";
import { parse } from "./query.js";
import { SendBar } from "./send.js";
import { look, view } from "./view.js";
import { ending, t } from "./words.js";

/** Messages of a page, and of the page that are kept as elements. */
const PAGE = 200;
const KEPT = 1500;
/** How often what the stream does not tell is asked for, in milliseconds. */
const POLL = 2000;
/** Where a line has room for sixteen bytes: in pixels, alone and beside the text. */
const ROOM = { hex: 560, both: 780 };

export class Conversation {
  /** `known(id)` is the row of a connection in the list; `covered(id)` says whether the stream tells of it; `close()` leaves. */
  constructor({ known, covered, close }) {
    Object.assign(this, { known, covered });
    this.id = null;
    this.title = el("h2", { tabindex: -1, id: "conversation-title" });
    this.facts = el("p.facts");
    this.offer = el("p.offer", { hidden: true });
    this.flow = el("div.flow", { tabindex: 0, role: "region", "aria-label": t("Messages") });
    this.send = new SendBar();
    this.state = el("span.state");
    this.fields = el("div.tools");
    this.node = el("section.conversation", { "aria-labelledby": "conversation-title" },
      el("header.top", button(t("Back to the list"), close, { icon: "back", class: "quiet back" }), this.title, this.state,
        button(t("Close this view"), close, { icon: "close", class: "quiet leave" })),
      this.facts, this.fields, this.offer, this.flow, this.send.node);
    this.flow.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.flow);
    setInterval(() => this.poll(), POLL);
  }

  /** Shows a connection, or none. */
  async open(id) {
    this.run = {};
    this.id = id || null;
    this.row = null;
    this.clear();
    this.send.serve(null);
    if (!this.id) return;
    const { run } = this;
    try {
      await this.learn(run);
      if (run !== this.run) return;
      this.tools();
      await this.load(run);
    } catch (problem) {
      if (run === this.run) this.failed(problem);
    }
  }

  failed(problem) {
    if (!this.row) {
      this.title.textContent = t("No such connection");
      this.facts.textContent = problem.status === 404 ? t("Its records were removed, or never were here.") : "";
      this.fields.replaceChildren();
      this.state.textContent = "";
    }
    this.flow.replaceChildren(el("p.fault", { role: "alert" }, problem.lines?.join("\n") ?? String(problem)));
  }

  clear() {
    this.items = [];
    this.end = null;
    this.first = null;
    this.last = null;
    this.loading = false;
    this.again = false;
    this.offer.hidden = true;
    this.flow.replaceChildren();
  }

  /** Reads the same connection in another way. */
  async reread() {
    if (!this.row) return;
    this.run = {};
    const { run } = this;
    this.clear();
    this.tools();
    await this.load(run).catch((problem) => run === this.run && this.failed(problem));
  }

  /** Who this is. A row of the list knows already, and goes on to know. */
  async learn(run) {
    const known = this.known(this.id);
    if (known) this.row = known;
    else if (!this.row || !this.covered(this.id)) {
      const found = await json(path(`/connections/${this.id}`, { payload: "none" }));
      if (run !== this.run) return;
      const row = new Connections().put(found);
      this.row = this.row ? Object.assign(this.row, row) : row;
    }
    this.describe();
  }

  describe() {
    const { row } = this;
    this.title.textContent = `${row.from} → ${row.at}${row.listener.name ? ` :${row.port}` : ""}`;
    this.state.textContent = ending(row);
    this.state.dataset.fate = fate(row);
    const took = row.closed === null ? null : t("lasted {time}", { time: span(row.closed - row.opened) });
    const side = (arrow, tally) => `${arrow} ${t("{n} bytes in {m}", { n: exact(tally.bytes), m: exact(tally.messages) })}`;
    this.facts.textContent = [
      t("opened {time}", { time: clock(row.opened / 1000) }), took, side("↓", row.received), side("↑", row.sent),
    ].filter(Boolean).join(" · ");
    this.send.serve(row.state === "open" ? row.id : null);
    const live = row.state === "open";
    if (live !== this.live) this.closing();
    this.live = live;
  }

  tools() {
    const raw = (direction) => [t("Save {what} bytes", { what: t(direction) }), () =>
      save(`/connections/${this.id}/payload?direction=${direction}`, `${this.id}-${direction}.bin`).catch(sayProblem)];
    const taken = (format, name) => [t("Save as {format}", { format }), () =>
      save(path("/export", { format, connection: this.id }), `${this.id}.${name}`).catch(sayProblem)];
    const whole = (direction) => copies(
      async () => new Uint8Array(await (await request(`/connections/${this.id}/payload?direction=${direction}`)).arrayBuffer()),
      async () => this.textOf(direction)).map(([label, act]) => [`${t(direction)}: ${label}`, () => act().catch(sayProblem)]);
    this.fields.replaceChildren(
      showField(view.show, (show) => look({ show })),
      encodingField(view.encoding, (encoding) => look({ encoding })),
      framingField(view.framing, (framing) => look({ framing })),
      el("span.gap"),
      menuButton(t("Copy all"), () => [...whole("received"), null, ...whole("sent")]),
      menuButton(t("Save"), () => [raw("received"), raw("sent"), null, taken("pcapng", "pcapng"), taken("ndjson", "ndjson"), taken("hexdump", "txt")]));
  }

  /** The whole text of one direction, in the encoding that is looked at. */
  async textOf(direction) {
    let text = "";
    for (let after = null; ;) {
      const page = await json(path(`/connections/${this.id}/messages`, { direction, payload: "none", limit: 1000, encoding: view.encoding, after }));
      text += page.items.map((message) => message.text).join("");
      if (!page.next) return text;
      after = page.next;
    }
  }

  query(rest) {
    return json(path(`/connections/${this.id}/messages`, { encoding: view.encoding, ...rest }));
  }

  async load(run) {
    this.loading = true;
    try {
      if (view.framing) {
        await this.recut(run);
      } else {
        const page = await this.query({ order: "desc", limit: PAGE });
        if (run !== this.run) return;
        this.first = page.next;
        this.put(page.items.reverse());
        this.last = page.items.at(-1)?.cursor ?? null;
      }
      if (run !== this.run) return;
      this.closing();
      // A live conversation is followed at its end, another is read from its beginning, or from what was searched for.
      this.flow.scrollTop = this.row.state === "open" ? this.flow.scrollHeight : 0;
      const found = this.mark();
      if (found && this.row.state !== "open") found.startContainer.parentNode.closest("article").scrollIntoView({ block: "nearest" });
    } finally {
      if (run === this.run) this.loading = false;
    }
    if (run === this.run && this.again) this.next();
  }

  /** Both directions cut anew, side by side by time. */
  async recut(run) {
    const { framing } = view;
    const both = await Promise.all(["received", "sent"].map((direction) => this.query({ framing, direction, limit: 1000 })));
    if (run !== this.run) return;
    const items = both.flatMap((page) => page.items);
    items.sort((a, b) => micros(a.at) - micros(b.at) || (a.direction === b.direction ? a.seq - b.seq : a.direction < b.direction ? -1 : 1));
    this.items = [];
    this.end = null;
    this.flow.replaceChildren();
    this.put(items);
    if (both.some((page) => page.next)) this.flow.append(el("p.silence", t("only the first 1000 frames each way are shown")));
  }

  scrolled() {
    if (this.flow.scrollTop < 80) this.earlier();
    if (this.behind && this.atBottom) this.next();
  }

  /** Something was recorded: gets it. One request at a time, and one more when there was more meanwhile. */
  async next() {
    if (!this.row) return;
    if (this.loading) {
      this.again = true;
      return;
    }
    const { run } = this;
    const bottom = this.atBottom;
    // Who reads far up is not given more and more to hold; it is there when they come down.
    this.behind = !bottom && this.items.length > 2 * KEPT;
    if (this.behind) return;
    this.again = false;
    this.loading = true;
    try {
      if (view.framing) await this.recut(run);
      else await this.append(run);
      if (run !== this.run) return;
      this.closing();
      if (bottom) this.flow.scrollTop = this.flow.scrollHeight;
    } catch (problem) {
      if (run === this.run && problem.status === 404) this.failed(problem);
    } finally {
      if (run === this.run) this.loading = false;
    }
    if (run === this.run && this.again) this.next();
  }

  async append(run) {
    for (;;) {
      const page = await this.query({ after: this.last ?? this.row.cursor, limit: PAGE });
      if (run !== this.run || !page.items.length) return;
      this.put(page.items);
      this.last = page.items.at(-1).cursor;
      if (!page.next) return;
    }
  }

  /** Marks what was searched for. */
  mark() {
    return markFound(this.flow, parse(view.q).filters?.contains);
  }

  /** Earlier ones, when somebody scrolls up to them. */
  async earlier() {
    if (this.loading || !this.first || view.framing) return;
    const { run } = this;
    this.loading = true;
    try {
      const page = await this.query({ order: "desc", limit: PAGE, after: this.first });
      if (run !== this.run) return;
      this.first = page.next;
      const height = this.flow.scrollHeight;
      this.put(page.items.reverse(), true);
      this.flow.scrollTop += this.flow.scrollHeight - height;
    } catch (problem) {
      sayProblem(problem);
    } finally {
      if (run === this.run) this.loading = false;
    }
    if (run === this.run && this.again) this.next();
  }

  get atBottom() {
    return this.flow.scrollHeight - this.flow.scrollTop - this.flow.clientHeight < 60;
  }

  put(items, front = false) {
    if (!items.length) return;
    let before = front ? null : this.items.at(-1);
    const nodes = items.flatMap((message) => {
      const since = before ? micros(before.at) : this.first ? null : this.row.opened;
      before = message;
      return messageNodes(message, { show: view.show, columns: this.columns, before: since });
    });
    if (front) this.flow.prepend(...nodes);
    else this.end ? this.end.before(...nodes) : this.flow.append(...nodes);
    this.items = front ? [...items, ...this.items] : [...this.items, ...items];
    this.trim(front);
    this.detect(items);
    this.mark();
  }

  /** A conversation of days does not fill the memory: what is far up goes, and comes back when it is scrolled to. */
  trim(front) {
    if (front || this.items.length <= KEPT || !this.atBottom) return;
    const gone = this.items.length - KEPT;
    this.items.splice(0, gone);
    this.first = view.framing ? null : this.items[0].cursor;
    const articles = this.flow.querySelectorAll("article");
    while (this.flow.firstChild !== articles[gone]) this.flow.firstChild.remove();
  }

  /** Says that the bytes look like another encoding, and offers to read them so. */
  detect(items) {
    if (!this.offer.hidden) return;
    const other = items.find((message) => message.direction === "received" && message.detected_encoding &&
      message.detected_encoding !== message.encoding && /[^\0-\x7f]/.test(message.text));
    if (!other) return;
    const { detected_encoding: encoding } = other;
    this.offer.hidden = false;
    this.offer.replaceChildren(t("These bytes look like {encoding}, and were read as {other}.", { encoding, other: other.encoding }), " ",
      button(t("Read as {encoding}", { encoding }), () => look({ encoding })));
  }

  /** The line below the last message: how it ended, or that it goes on. */
  closing() {
    const { row } = this;
    if (!row) return;
    const ended = row.state === "closed";
    const text = ended ? `${clock(row.closed / 1000)} · ${ending(row)} · ${t("lasted {time}", { time: span(row.closed - row.opened) })}` :
      this.items.length ? t("connected") : t("connected, nothing was sent yet");
    this.end = el("p.end", { "data-fate": fate(row) }, text);
    this.flow.querySelector("p.end")?.remove();
    this.flow.append(this.end);
  }

  measure() {
    const columns = view.show === "text" || this.flow.clientWidth >= ROOM[view.show] ? 16 : 8;
    if (columns === this.columns) return;
    this.columns = columns;
    this.redraw();
  }

  /** The same messages in another form; nothing is asked for. */
  redraw() {
    const { items } = this;
    this.columns = view.show === "text" || this.flow.clientWidth >= ROOM[view.show] ? 16 : 8;
    if (!items.length) return;
    const { scrollTop, scrollHeight } = this.flow;
    this.items = [];
    this.end = null;
    this.flow.replaceChildren();
    this.put(items);
    this.closing();
    this.flow.scrollTop = scrollTop * (this.flow.scrollHeight / scrollHeight);
  }

  /** The stream told something of this connection. */
  touched() {
    if (!this.row) return;
    this.row = this.known(this.id) ?? this.row;
    this.describe();
    this.next();
  }

  /** What the stream does not tell, because it follows something else, is asked for. */
  async poll() {
    if (!this.row || this.row.state !== "open" || document.hidden || this.covered(this.id)) return;
    const { run } = this;
    await this.learn(run).catch(() => null);
    if (run === this.run) this.next();
  }
}
