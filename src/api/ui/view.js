// What is looked at, kept in the fragment of the address: a view can be shared, reloaded and gone back to, and what is
// searched for is never sent anywhere, as browsers keep fragments to themselves.

/** q: the query · c: the connection · show: both, hex, text · encoding, framing: how its bytes are read. */
const DEFAULTS = { q: "", c: "", show: "both", encoding: "", framing: "" };

export const view = { ...DEFAULTS };
const watchers = [];

function read() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  for (const [name, usual] of Object.entries(DEFAULTS)) view[name] = parameters.get(name) ?? usual;
  if (!["both", "hex", "text"].includes(view.show)) view.show = "both";
}

function write() {
  const parameters = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) if (view[name] !== usual) parameters.set(name, view[name]);
  // Colons and slashes may stand in a fragment, and a query reads better with them.
  const text = parameters.toString().replace(/%3A/g, ":").replace(/%2F/g, "/");
  return text ? `#${text}` : location.pathname;
}

/** Calls `act(changed)` with the names that changed, whoever changed them. */
export function watch(act) {
  watchers.push(act);
}

/** Looks at something else. With `push`, the browser's back button leads back. */
export function look(change, { push = false } = {}) {
  const changed = Object.keys(change).filter((name) => view[name] !== change[name]);
  if (!changed.length) return;
  Object.assign(view, change);
  history[push ? "pushState" : "replaceState"](null, "", write());
  for (const act of watchers) act(changed);
}

function moved() {
  const before = { ...view };
  read();
  const changed = Object.keys(DEFAULTS).filter((name) => view[name] !== before[name]);
  if (changed.length) for (const act of watchers) act(changed);
}

read();
addEventListener("popstate", moved);
addEventListener("hashchange", moved);
