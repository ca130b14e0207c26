// How the bytes of a conversation are read: side by side or alone, in which encoding, cut by which framing.

import { el } from "./elements.js";
import { t } from "./words.js";

/** What people meet; the API takes every label that browsers know. */
export const ENCODINGS = [
  "utf-8", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr", "windows-1252", "windows-1251",
  "windows-1250", "koi8-r", "iso-8859-2", "iso-8859-15", "ibm866", "windows-874", "utf-16le", "utf-16be",
];

const FRAMINGS = [
  ["delimiter:0a", "lines (\\n)"],
  ["delimiter:0d0a", "lines (\\r\\n)"],
  ["delimiter:00", "up to NUL"],
  ["length_prefixed:1", "length, 1 byte"],
  ["length_prefixed:2", "length, 2 bytes"],
  ["length_prefixed:4", "length, 4 bytes"],
  ["ascii_length:4", "length, 4 digits"],
  ["octet_counting", "octet counting"],
  ["until_close", "the whole stream"],
];

/** Hex and text side by side, or one of them. */
export function showField(value, choose) {
  const choice = (name, label) => el("label", el("input", {
    type: "radio", name: "show", value: name, checked: name === value, onchange: () => choose(name),
  }), el("span", label));
  return el("div.choice", { role: "radiogroup", "aria-label": t("View") }, choice("both", t("both")), choice("hex", t("hex")), choice("text", t("text")));
}

/** The encoding of the text; empty is the listener's own. */
export function encodingField(value, choose) {
  const known = value === "" || value === "auto" || ENCODINGS.includes(value);
  const option = (name, label = name) => el("option", { value: name }, label);
  const field = el("select", { "aria-label": t("Encoding"), title: t("Encoding") },
    option("", t("listener's encoding")), option("auto", t("detected encoding")), ENCODINGS.map((name) => option(name)), !known && option(value));
  field.value = value;
  field.addEventListener("change", () => choose(field.value));
  return field;
}

/** Where a message ends; empty is as recorded, and `other…` takes any that the API takes. */
export function framingField(value, choose) {
  const listed = value === "" || FRAMINGS.some(([name]) => name === value);
  const option = (name, label) => el("option", { value: name }, label);
  const field = el("select", { "aria-label": t("Framing"), title: t("Framing") },
    option("", t("framed as recorded")), FRAMINGS.map(([name, label]) => option(name, t(label))), option("other", t("other framing…")));
  const own = el("input", {
    type: "text", hidden: listed, value: listed ? "" : value, placeholder: "fixed:64, delimiter:0d0a, {…}", spellcheck: "false",
    "aria-label": t("Framing in the API's words"), onchange: () => { if (own.value.trim()) choose(own.value.trim()); },
  });
  field.value = listed ? value : "other";
  field.addEventListener("change", () => {
    own.hidden = field.value !== "other";
    if (own.hidden) choose(field.value);
    else own.focus();
  });
  return el("span.framing", field, own);
}
