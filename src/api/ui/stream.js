// The stream of events, read with `fetch`: the browser's own EventSource cannot send the token.

import { path, request } from "./api.js";

/** Without a byte for so long the line is taken for dead: a heartbeat comes every 15 s. */
const SILENCE = 40_000;
/** After a longer break it is quicker to begin anew than to catch up with everything that happened. */
export const CATCH_UP = 60_000;
const LONGEST_PAUSE = 15_000;

/** Cuts a stream of text into events (WHATWG HTML, section 9.2.6), `{name, id, data}`; an id alone is one without data. */
export function parser(take) {
  let rest = "";
  let event = { name: "message", id: null, data: null };
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (event.id !== null || event.data !== null) take(event);
        event = { name: "message", id: null, data: null };
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event.name = value;
      else if (field === "id") event.id = value;
      else if (field === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    }
  };
}

/** Follows the events. It comes back after every break and goes on behind the last event. */
export class Stream {
  /** `take(name, data)` gets the events, `state(word)` one of live, waiting, full; `lost(problem)` ends it. */
  constructor({ take, state, lost }) {
    Object.assign(this, { take, state, lost });
    this.run = null;
    this.last = null;
    this.heard = 0;
  }

  /** Begins now; with `resume`, behind the last event that was seen. */
  start(filters, resume = false) {
    this.stop();
    if (!resume) this.last = null;
    this.run = new AbortController();
    this.follow(filters, this.run);
  }

  stop() {
    this.run?.abort();
    this.run = null;
  }

  async follow(filters, run) {
    let pause = 500;
    while (!run.signal.aborted) {
      if (this.last && Date.now() - this.heard > CATCH_UP) {
        this.lost(new Error("too much was missed"));
        return;
      }
      try {
        if (await this.read(filters, run)) pause = 500;
      } catch (fault) {
        if (run.signal.aborted) return;
        // A fault of ours does not go away by asking again.
        if (fault.status >= 400 && fault.status < 500 && fault.status !== 408) {
          this.lost(fault);
          return;
        }
        this.state(fault.code === "reader-limit" ? "full" : "waiting");
      }
      if (run.signal.aborted) return;
      await waitFor(pause * (0.75 + Math.random() / 2), run.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** Reads one answer to its end; whether there was anything in it. */
  async read(filters, run) {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    run.signal.addEventListener("abort", abort);
    let watchdog;
    const alive = () => { clearTimeout(watchdog); watchdog = setTimeout(abort, SILENCE); };
    const hear = () => { this.heard = Date.now(); alive(); };
    let heard = false;
    try {
      alive();
      const headers = { Accept: "text/event-stream", ...(this.last ? { "Last-Event-ID": this.last } : {}) };
      const answer = await request(path("/events", filters), { headers, signal: attempt.signal });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const feed = parser((event) => this.event(event, run));
      for (;;) {
        const { done, value } = await reader.read();
        if (done || run.signal.aborted) break;
        hear();
        heard = true;
        feed(value);
      }
    } finally {
      clearTimeout(watchdog);
      run.signal.removeEventListener("abort", abort);
    }
    if (!run.signal.aborted) this.state("waiting");
    return heard;
  }

  event({ name, id, data }, run) {
    if (run.signal.aborted) return;
    if (name === "ready") this.state("live");
    if (data !== null) this.take(name, JSON.parse(data));
    if (id !== null) this.last = id;
  }
}

function waitFor(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); done(); });
  });
}
