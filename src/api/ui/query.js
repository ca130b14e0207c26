// The language of the search box: the API's own filters, `listener:gate peer:10.0.0.0/8 contains:登录 state:open`.
// A word without a colon is looked for in the messages; quotes keep blanks together.

/** What can be asked for, with an example each. */
export const FILTERS = [
  ["listener", "gate"],
  ["peer", "10.0.0.0/8"],
  ["state", "open"],
  ["contains", "LOGIN"],
  ["contains_hex", "0d0a"],
  ["direction", "received"],
  ["since", "2026-11-22T10:15:00Z"],
  ["until", "2026-11-22T10:16:00Z"],
];
const NAMES = FILTERS.map(([name]) => name);

/** The pieces of a query: `{name, value, begin, end}`. */
export function pieces(text) {
  const found = [];
  for (const match of text.matchAll(/(?:([A-Za-z_]+):)?(?:"((?:[^"\\]|\\.)*)"?|(\S*))/g)) {
    if (match[0] === "") continue;
    const value = match[2] !== undefined ? match[2].replace(/\\(.)/g, "$1") : match[3];
    found.push({ name: match[1] ?? null, value, begin: match.index, end: match.index + match[0].length });
  }
  return found;
}

/** Reads a query: `{filters}`, or `{fault: [kind, word]}` that says what is wrong with it. */
export function parse(text) {
  const filters = {};
  const words = [];
  for (const { name, value } of pieces(text)) {
    if (name === null) words.push(value);
    else if (!NAMES.includes(name)) return { fault: ["unknown", name] };
    else if (value === "") return { fault: ["empty", name] };
    else if (name in filters) return { fault: ["twice", name] };
    else filters[name] = value;
  }
  if (words.length && "contains" in filters) return { fault: ["twice", "contains"] };
  if (words.length) filters.contains = words.join(" ");
  if (filters.direction && !filters.contains && !filters.contains_hex) return { fault: ["direction", "direction"] };
  return { filters };
}

/** The query with a filter set, or taken away where the value is null. */
export function withFilter(text, name, value) {
  const rest = pieces(text).filter((piece) => piece.name !== name).map((piece) => text.slice(piece.begin, piece.end));
  if (value !== null) rest.push(`${name}:${quoted(value)}`);
  return rest.join(" ");
}

/** A value as it is written in a query. */
export const quoted = (value) => (/[\s"]/.test(value) || value === "" ? `"${value.replace(/["\\]/g, "\\$&")}"` : value);

/** The filters that the stream of events takes: what it does not know is looked at here, by `fits`. */
export function forStream(filters) {
  const { state, since, until, ...rest } = filters;
  return rest;
}

/** Whether a row is one of those that were asked for, as far as this can be told from the row. */
export function fits(row, filters) {
  if (filters.state && row.state !== filters.state) return false;
  if (filters.since && row.opened < Date.parse(filters.since) * 1000) return false;
  return !(filters.until && row.opened >= Date.parse(filters.until) * 1000);
}
