// The words of the page in the reader's language. English is the key; what has no translation is English.

import { zh } from "./zh.js";

const KEY = "answerback.language";

function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** `en` or `zh`: what was chosen, else what the browser asks for. */
export const language = ["en", "zh"].find((known) => known === chosen()) ??
  (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

/** A sentence, with `{name}` filled in from `values`. */
export function t(text, values = {}) {
  const sentence = language === "zh" ? zh[text] ?? text : text;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Takes another language. What is looked at is in the address, so the page is simply loaded again. */
export function speak(wanted) {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // It is asked for again next time.
  }
  location.reload();
}

const REASONS = {
  replied: "replied",
  peer_closed: "closed",
  peer_reset: "reset",
  idle_timeout: "idle",
  lifetime: "lifetime over",
  write_timeout: "write timed out",
  requested: "requested",
  listener_closed: "listener closed",
  shutdown: "shutdown",
  limit: "limit",
  fault: "fault",
  journal_unavailable: "journal unavailable",
  crash: "crash",
};

/** By whom and how a connection ended, in short. */
export function ending(row) {
  if (row.state === "open") return t("open");
  const by = row.by === "peer" ? t("peer") : t("endpoint");
  return `${by}: ${t(REASONS[row.reason] ?? row.reason)}`;
}
