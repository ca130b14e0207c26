// Text of strangers, made visible: control characters, direction marks and what cannot be seen are shown as what they
// are, so that a payload can neither hide nor turn the line around.

import { el } from "./elements.js";

const UNSEEN = "\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
  "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\u{e0000}-\\u{e0fff}";
const SPLIT = new RegExp(`(\\r\\n|[${UNSEEN}]|\\ufffd+)`, "u");
const EACH = new RegExp(`[${UNSEEN}]`, "gu");
/** More marks than this on one letter are a way to draw over other lines. */
const PILED = /(\p{M}{4})\p{M}+/gu;

const SHORT = { "\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** How one unseen character is written: as in source code. Few fonts have pictures of control characters. */
export function name(character) {
  const code = character.codePointAt(0);
  if (code < 0x80) return SHORT[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The text as one line, cut at `limit` characters. */
export function line(text, limit = 300) {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(PILED, "$1").replace(EACH, (character) => name(character));
}

/** The text as nodes: what is plain is plain, what is unseen is marked, and so is what was no text (U+FFFD). */
export function nodes(text) {
  const parts = [];
  text.replace(PILED, "$1").split(SPLIT).forEach((part, n) => {
    if (part === "") return;
    if (n % 2 === 0) parts.push(part);
    else if (part[0] === "\ufffd") parts.push(el("span.bad", part));
    else if (part === "\r\n") parts.push(el("span.unseen", "\\r\\n"), "\n");
    else parts.push(el("span.unseen", name(part)), part === "\n" ? "\n" : "");
  });
  return parts;
}
