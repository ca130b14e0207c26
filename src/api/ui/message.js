// One message of a conversation: where it begins and ends, when it crossed, its bytes and its text side by side.

import { FORMATS, fromBase64, hexOf, malformed, printable } from "./bytes.js";
import { clock, el, exact, micros, moment, span } from "./elements.js";
import { copy, menuButton } from "./menu.js";
import { nodes } from "./text.js";
import { t } from "./words.js";

/** Bytes, and characters, that are shown at first, and how many more each time: a line may have a megabyte. */
const FIRST = 2048;
const MORE = 32 * 1024;
/** A silence that is worth a line of its own, in microseconds. */
const SILENCE = 1_000_000;

/** What can be copied of bytes: `[label, act]` each. */
export function copies(bytes, text) {
  return FORMATS.map(([label, write]) => [t("Copy as {format}", { format: t(label) }), async () => copy(write ? write(await bytes()) : await text())]);
}

/** The nodes of a message: a line for the silence before it, if there was one, and itself. `before` is in microseconds, null if unknown. */
export function messageNodes(message, { show, columns, before }) {
  const bytes = fromBase64(message.base64);
  const at = micros(message.at);
  const silence = before !== null && at - before > SILENCE && el("p.silence", t("{time} later", { time: span(at - before) }));
  const arrow = message.direction === "received" ? "↓" : "↑";
  const named = `${t(message.direction)} #${message.seq}`;
  const head = el("header", el("div.facts",
    el("span.who", { "aria-hidden": "true" }, arrow), el("b.who", named),
    el("span", { title: `${exact(message.size)} B` }, t("{n} bytes", { n: exact(message.size) })),
    el("time", { datetime: message.at, title: `${message.at} · ${t("byte {n} of the stream", { n: exact(message.offset) })}` }, clock(at / 1000)),
    before !== null && at > before && el("span.delta", { title: t("since what came before") }, `+${span(at - before)}`),
    badges(message)),
    menuButton(t("Copy"), () => copies(() => bytes, () => message.text), { "aria-label": t("Copy {what}", { what: named }) }));
  const body = el(`div.body.${show}${columns === 16 ? ".full" : ""}`);
  fill(body, message, bytes, { show, columns, limit: FIRST });
  return [silence || null, el(`article.message.${message.direction}`, { "aria-label": `${named}, ${moment(at / 1000)}` }, head, body, notes(message))].filter(Boolean);
}

function badges(message) {
  const differs = message.detected_encoding && message.detected_encoding !== message.encoding;
  return [
    message.malformed && el("span.badge.warn", t("malformed {encoding}", { encoding: message.encoding })),
    message.malformed && differs && el("span.badge", t("looks like {encoding}", { encoding: message.detected_encoding })),
    message.rule && el("span.badge.rule", t("rule {rule}", { rule: message.rule })),
    message.stored < message.size && el("span.badge.warn", t("cut")),
  ];
}

function notes(message) {
  const { near_miss: near, template_error: failure } = message;
  return [
    near && el("p.note.near", el("b", near.rule ? t("near miss, rule {rule}", { rule: near.rule }) : t("no frame")), ` ${near.detail}`),
    failure && el("p.note.near", el("b", t("the template failed")), ` ${failure}`),
    message.stored < message.size && el("p.note", t("{stored} of {size} bytes are on record; SHA-256 of all of them:", { stored: exact(message.stored), size: exact(message.size) }), " ", el("code", message.sha256 ?? "?")),
  ];
}

function fill(body, message, bytes, options) {
  const { show, columns, limit } = options;
  const parts = [];
  if (show !== "text") parts.push(el("pre.hex", { "aria-label": "hex" }, hexRows(message, bytes.subarray(0, limit), columns, show === "hex")));
  if (show !== "hex") parts.push(el("div.text", { dir: "auto", "aria-label": t("text") }, message.text === "" ? el("span.unseen", "∅") : nodes(message.text.slice(0, limit))));
  const left = Math.max(show === "text" ? 0 : bytes.length - limit, show === "hex" ? 0 : message.text.length - limit);
  if (left > 0) {
    const more = () => fill(body, message, bytes, { ...options, limit: limit + MORE });
    parts.push(el("button.more", { type: "button", onclick: more }, t("{n} more, show the next {step}", { n: exact(left), step: exact(Math.min(left, MORE)) })));
  }
  body.replaceChildren(...parts);
}

const PLAIN = 0;
const BAD = 1;
const FRAME = 2;
const KINDS = [null, "bad", "frame"];

/** Which bytes are no text, and which belong to the frame and not to its content. */
function flagsOf(message, bytes) {
  const flags = new Uint8Array(bytes.length);
  const { offset, size } = message.content;
  const content = bytes.subarray(offset, offset + size);
  if (message.malformed) malformed(content, message.encoding)?.forEach((bad, n) => { if (bad) flags[offset + n] = BAD; });
  flags.fill(FRAME, 0, Math.min(offset, bytes.length));
  flags.fill(FRAME, Math.min(offset + size, bytes.length));
  return flags;
}

function hexRows(message, bytes, columns, gutter) {
  const flags = flagsOf(message, bytes);
  const rows = [];
  const digits = Math.max(4, (bytes.length - 1).toString(16).length);
  for (let begin = 0; begin < bytes.length; begin += columns) {
    const end = Math.min(begin + columns, bytes.length);
    rows.push(el("span.offset", `${begin.toString(16).padStart(digits, "0")}  `));
    rows.push(...runs(bytes, flags, begin, end));
    if (gutter) {
      const missing = begin + columns - end;
      const pad = "   ".repeat(missing) + (columns > 8 && missing >= 8 ? " " : "");
      rows.push(el("span.gutter", `${pad}  ${Array.from(bytes.subarray(begin, end), printable).join("")}`));
    }
    rows.push("\n");
  }
  return rows;
}

/** The bytes of a row, those of one kind together; a wider gap in the middle helps the eye. */
function runs(bytes, flags, begin, end) {
  const parts = [];
  const middle = begin + 8;
  let text = "";
  let kind = flags[begin] ?? PLAIN;
  const flush = () => {
    if (text) parts.push(kind === PLAIN ? text : el(`span.${KINDS[kind]}`, text));
    text = "";
  };
  for (let n = begin; n < end; n += 1) {
    const gap = n === begin ? "" : n === middle ? "  " : " ";
    if (flags[n] !== kind) {
      flush();
      kind = flags[n];
      if (gap) parts.push(gap);
      text = hexOf(bytes[n]);
    } else {
      text += gap + hexOf(bytes[n]);
    }
  }
  flush();
  return parts;
}
