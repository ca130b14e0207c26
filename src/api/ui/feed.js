// What the list shows, kept true: pages of the API for what was, the stream of events for what comes.

import { json, path } from "./api.js";
import { Connections } from "./connections.js";
import { fits, forStream } from "./query.js";
import { CATCH_UP, Stream } from "./stream.js";

const PAGE = 200;
/** What could not be loaded is asked for again so much later, in milliseconds. */
const RETRY = 3000;
/** Connections that come to fit later than they opened are looked up, so many at once at most. */
const LOOKUPS = 200;

export class Feed {
  /** `changed()`, `message(view)`, `ended(view)`, `listener(view)`, `gone(view)`, `state(word)`, `fault(problem)`. */
  constructor(told) {
    this.told = told;
    this.model = new Connections();
    this.filters = {};
    this.run = 0;
    this.loading = false;
    this.loaded = false;
    this.stopped = null;
    this.unknown = new Set();
    this.early = [];
    this.retry = 0;
    this.stream = new Stream({
      take: (name, data) => this.take(name, data),
      state: told.state,
      lost: (problem) => this.lost(problem),
    });
  }

  /** Shows what fits these filters, from now on. What was shown stays until there is something else to show. */
  show(filters) {
    this.filters = filters;
    this.unknown.clear();
    this.early = [];
    this.run += 1;
    this.loaded = false;
    this.stopped = null;
    this.stream.start({ ...forStream(filters), payload: "none" });
  }

  /** Stops following; `resume` goes on where it was. */
  pause() {
    this.stopped ??= Date.now();
    this.stream.stop();
  }

  resume() {
    if (this.stopped === null) return;
    const quick = Date.now() - this.stopped < CATCH_UP && this.loaded && this.stream.last;
    this.stopped = null;
    if (quick) this.stream.start({ ...forStream(this.filters), payload: "none" }, true);
    else this.show(this.filters);
  }

  get narrow() {
    return Boolean(this.filters.contains || this.filters.contains_hex);
  }

  take(name, data) {
    const { told, model } = this;
    if (name === "ready") return this.load();
    if (name === "listener") return told.listener(data);
    if (name === "listener_deleted") return told.gone(data);
    if (name === "gap") return this.missed();
    // The newest page is on its way, and is put in first.
    if (!this.loaded) return this.early.push([name, data]);
    if (name === "message") {
      if (!model.message(data) && this.narrow) this.lookUp(data.connection);
      told.message(data);
    } else if (name === "opened") {
      if (!this.narrow && this.fits(data)) model.put(data);
    } else if (name === "closed") {
      this.closed(data);
      told.ended(data);
    }
    told.changed();
  }

  closed(view) {
    const { model } = this;
    if (this.filters.state === "open") model.remove(view.id);
    else if (model.byId.has(view.id) || (!this.narrow && this.fits(view))) model.put(view);
    // A connection that ended fits now; whether it contains what is looked for, the API knows.
    else if (this.narrow && this.filters.state === "closed") this.lookUp(view.id);
  }

  fits(view) {
    return fits({ state: view.state, opened: Date.parse(view.opened_at) * 1000 }, this.filters);
  }

  /** The newest page. The stream runs already, so nothing can come between the two. */
  async load() {
    if (this.loaded) return;
    const { run } = this;
    await this.guarded(async () => {
      const page = await json(path("/connections", { ...this.filters, payload: "none", limit: PAGE }));
      if (run !== this.run) return;
      this.model.clear();
      this.model.putOlder(page.items);
      this.model.older = page.next;
      this.loaded = true;
      for (const [name, data] of this.early.splice(0)) this.take(name, data);
    });
  }

  /** One more page of older ones, if there are any. */
  async loadOlder() {
    const { run, model } = this;
    if (!this.loaded || this.loading || model.older === null || Date.now() < this.retry) return;
    await this.guarded(async () => {
      const page = await json(path("/connections", { ...this.filters, payload: "none", limit: 500, after: model.older }));
      if (run !== this.run) return;
      model.putOlder(page.items);
      model.older = page.next;
    });
  }

  async guarded(work) {
    this.loading = true;
    try {
      await work();
      this.told.fault(null);
    } catch (problem) {
      if (!this.loaded) this.model.clear();
      this.retry = Date.now() + RETRY;
      this.told.fault(problem);
    } finally {
      this.loading = false;
      this.told.changed();
    }
  }

  /** A message fits whose connection is not in the list yet. */
  lookUp(id) {
    if (this.unknown.size >= LOOKUPS) return;
    this.unknown.add(id);
    if (this.unknown.size === 1) this.lookUpAll();
  }

  async lookUpAll() {
    const { run } = this;
    for (const id of this.unknown) {
      const found = await json(path(`/connections/${id}`, { payload: "none" })).catch(() => null);
      if (run !== this.run) return;
      this.unknown.delete(id);
      if (found && this.fits(found) && (await this.contains(found))) this.model.put(found);
      this.told.changed();
    }
  }

  /** Only the API can tell whether one that has ended contains what is looked for. */
  async contains(view) {
    if (this.filters.state !== "closed") return true;
    const { contains, contains_hex, direction } = this.filters;
    const query = { contains, contains_hex, direction, limit: 1, payload: "none" };
    const page = await json(path(`/connections/${view.id}/messages`, query)).catch(() => null);
    return Boolean(page?.items.length);
  }

  /** Records were removed while nobody looked: what is shown may be of them. */
  missed() {
    this.show(this.filters);
  }

  lost(problem) {
    // So much was missed, or the service does not know the cursor any more, because its records are others now.
    if (this.stream.last && problem.status !== 401) this.show(this.filters);
    else {
      this.model.clear();
      this.told.changed();
      this.told.state("stopped");
      this.told.fault(problem);
    }
  }
}
