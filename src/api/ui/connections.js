// The connections that the page knows, oldest first, put together from pages of the list and events of the stream. Both
// may tell the same thing twice and in either order, so everything here can be told twice.

import { micros } from "./elements.js";
import { line } from "./text.js";

/** More than this are not kept; the oldest go, and are loaded again when somebody scrolls there. */
const MOST = 50_000;

/** How a connection went, in one word: what it looks like in the list. */
export function fate(row) {
  if (row.state === "open") return "open";
  if (["replied", "peer_closed", "requested", "lifetime", "idle_timeout", "shutdown"].includes(row.reason)) return "closed";
  return "broken";
}

export class Connections {
  constructor() {
    this.clear();
  }

  clear() {
    this.rows = [];
    this.byId = new Map();
    /** How many were put on top, ever: who is scrolled down stays where they are. */
    this.added ??= 0;
    /** The cursor behind which older ones are; null when all are here. */
    this.older = null;
  }

  /** A connection as a list, or an event, shows it. */
  put(view) {
    const row = this.byId.get(view.id) ?? this.insert(view);
    row.version += 1;
    if (view.state === "closed") {
      row.state = "closed";
      row.by = view.closed_by;
      row.reason = view.close_reason;
      row.closed = micros(view.closed_at);
    }
    grow(row.received, view.received);
    grow(row.sent, view.sent);
    for (const message of view.messages) say(row, message);
    return row;
  }

  insert(view) {
    const row = {
      id: view.id,
      cursor: view.cursor,
      listener: view.listener,
      peer: view.peer,
      from: view.peer.ip.includes(":") ? `[${view.peer.ip}]:${view.peer.port}` : `${view.peer.ip}:${view.peer.port}`,
      at: view.listener.name ?? `:${view.local.port}`,
      port: view.local.port,
      state: "open",
      opened: micros(view.opened_at),
      closed: null,
      by: null,
      reason: null,
      received: { bytes: 0, messages: 0 },
      sent: { bytes: 0, messages: 0 },
      text: "",
      spoke: null,
      malformed: false,
      version: 0,
    };
    this.byId.set(row.id, row);
    const { rows } = this;
    if (!rows.length || rows[rows.length - 1].cursor < row.cursor) {
      rows.push(row);
      this.added += 1;
      if (rows.length > MOST + 1000) this.trim();
    } else {
      rows.splice(this.place(row.cursor), 0, row);
    }
    return row;
  }

  /** Where a cursor belongs. */
  place(cursor) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].cursor < cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  trim() {
    for (const row of this.rows.splice(0, this.rows.length - MOST)) this.byId.delete(row.id);
    this.older = this.rows[0].cursor;
  }

  /** A page of older ones, newest first. They are put in at once: one by one would move all others each time. */
  putOlder(items) {
    const fresh = items.filter((view) => !this.byId.has(view.id));
    const { rows, added } = this;
    this.rows = [];
    for (const view of fresh.reverse()) this.put(view);
    const before = this.rows;
    this.rows = rows;
    this.added = added;
    const first = rows.length ? rows[0].cursor : null;
    if (first === null || !before.length || before[before.length - 1].cursor < first) this.rows = before.concat(rows);
    else for (const row of before) this.rows.splice(this.place(row.cursor), 0, row);
  }

  /** A message that crossed; whether its connection is known. */
  message(view) {
    const row = this.byId.get(view.connection);
    if (!row) return false;
    row.version += 1;
    grow(row[view.direction], { bytes: view.offset + view.size, messages: view.seq });
    say(row, view);
    return true;
  }

  remove(id) {
    const row = this.byId.get(id);
    if (!row) return;
    this.byId.delete(id);
    const place = this.place(row.cursor);
    if (this.rows[place] === row) this.rows.splice(place, 1);
  }
}

function grow(tally, told) {
  tally.bytes = Math.max(tally.bytes, told.bytes);
  tally.messages = Math.max(tally.messages, told.messages);
}

/** The first that the client said, or else that it was told. */
function say(row, message) {
  const first = row.spoke === null || (row.spoke === "sent" && message.direction === "received");
  if (!first || !message.text) return;
  row.spoke = message.direction;
  row.malformed = message.malformed;
  row.text = line(message.text, 200);
}
