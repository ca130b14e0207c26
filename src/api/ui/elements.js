// Building blocks: elements, icons, times and sizes. Everything becomes text nodes and attributes, nothing HTML.

/** An element: `el("p.note", {id: "x"}, "text", child, …)`. Children that are null or false are left out. */
export function el(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const part of rest.flat(Infinity)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node || typeof part !== "object") node.append(part);
    else for (const [key, value] of Object.entries(part)) set(node, key, value);
  }
  return node;
}

function set(node, key, value) {
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") node[key] = value;
  else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
}

/** A button that does not submit; with `icon` it shows that, and its name is only told. */
export function button(label, act, options = {}) {
  const { icon: shape, class: kind = "", ...attributes } = options;
  const given = { type: "button", onclick: act, ...attributes };
  if (shape) Object.assign(given, { "aria-label": label, title: attributes.title ?? label });
  const node = el("button", given, shape ? icon(shape) : label);
  if (kind) node.className = kind;
  return node;
}

const SHAPES = {
  add: "M8 3v10M3 8h10",
  back: "M9.5 3.5 5 8l4.5 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 6V3.5h6.5V10H10M3.5 6H10v6.5H3.5z",
  down: "M8 3v9M4.5 8.5 8 12l3.5-3.5",
  save: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
  edit: "M3.5 12.5l.6-2.7 6.4-6.4 2.1 2.1-6.4 6.4zM9.3 4.7l2 2",
  help: "M6 6.2a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.5M8 11.8v.4",
  pause: "M5.5 4v8M10.5 4v8",
  play: "M5.5 3.8v8.4L12 8z",
  search: "M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 10l3 3",
};

/** One of a few shapes, in the colour of the text around it. */
export function icon(name) {
  const shape = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  shape.append(svg("path", { d: SHAPES[name] }));
  return shape;
}

/** An element of a drawing. */
export function svg(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** `14:23:05.417` of this clock's zone. */
export function clock(milliseconds) {
  const time = new Date(milliseconds);
  const two = (number) => String(number).padStart(2, "0");
  const seconds = `${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return `${two(time.getHours())}:${two(time.getMinutes())}:${seconds}`;
}

/** The same with the day in front, unless it is today. */
export function moment(milliseconds) {
  const time = new Date(milliseconds);
  const today = time.toDateString() === new Date().toDateString();
  const two = (number) => String(number).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} `;
  return (today ? "" : day) + clock(milliseconds);
}

/** Microseconds since 1970 of a time as the API writes it: a `Date` has only milliseconds. */
export function micros(text) {
  return Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number((text.slice(20, 26).replace(/\D.*/, "")).padEnd(6, "0"));
}

/** How long: `417 µs`, `4.2 ms`, `12 ms`, `2.31 s`, `4 min 5 s`. */
export function span(microseconds) {
  if (microseconds < 1000) return `${microseconds} µs`;
  const ms = microseconds / 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round(ms / 1000) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How much: `27`, `1.4 K`, `12 M`, of bytes or of anything. */
export function amount(number) {
  if (number < 1000) return String(Math.round(number));
  for (const unit of ["k", "M", "G", "T"]) {
    number /= 1000;
    if (number < 999.5) return `${number < 9.95 ? number.toFixed(1) : Math.round(number)}${unit}`;
  }
  return `${Math.round(number)}T`;
}

/** A number with its thousands told apart. */
export function exact(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}
