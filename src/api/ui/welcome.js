// What there is to see before there is anything to see: how to open a port, and what to type to be its first client.

import { json } from "./api.js";
import { button, el } from "./elements.js";
import { copy, sayProblem } from "./menu.js";
import { t } from "./words.js";

/** Where a client of this machine, or of the one that the page came from, reaches a listener. */
export function reach(listener) {
  const any = ["0.0.0.0", "::"].includes(listener.host);
  const host = any ? location.hostname.replace(/^\[|\]$/g, "") : listener.host;
  return { host, port: listener.port };
}

/** Lines for a shell that are clients of a listener. */
export function tryLines(listener) {
  const { host, port } = reach(listener);
  const back = ["utf-8", "auto"].includes(listener.encoding) ? "" : ` | iconv -f ${listener.encoding} -t utf-8`;
  return [
    `echo hello | nc ${host} ${port}${back}`,
    `echo hello | curl -s telnet://${host.includes(":") ? `[${host}]` : host}:${port}${back}`,
  ];
}

/** A line to be typed, with a button that copies it. */
export function typeLine(text) {
  return el("div.type", el("code", { tabindex: 0 }, text), button(t("Copy"), () => copy(text), { icon: "copy", class: "quiet" }));
}

/** Opens 8080, or where somebody has that, whatever port is free. */
async function openFirst() {
  try {
    return await json("/listeners", { method: "POST", body: { port: 8080 } });
  } catch (problem) {
    if (!["port-in-use", "port-not-allowed"].includes(problem.code)) throw problem;
    return json("/listeners", { method: "POST", body: { port: 0 } });
  }
}

/** `first(listener)` gets the first one. */
export function nothingOpen(first) {
  const open = async () => {
    try {
      first(await openFirst());
    } catch (problem) {
      sayProblem(problem);
    }
  };
  return el("div.welcome", el("h2", t("No port is open yet")),
    el("p", t("A listener is an open TCP port. Every client that connects to it, and every byte, shows up here as it happens.")),
    el("p", button(t("Open the first port"), open, { class: "primary large", id: "open-first" })),
    el("p.soft", t("It answers every client with a standard reply in GBK, then closes. You can change that at any time, also while clients are connected.")));
}

export function nobodyCame(listener) {
  return el("div.welcome", el("h2", t("Port {port} is open", { port: listener.port })),
    el("p", t("Be its first client. On a shell:")),
    tryLines(listener).map(typeLine),
    el("p.waiting", el("span.pulse", { "aria-hidden": "true" }), t("Waiting for the first byte…")));
}

export function nothingFits(clear) {
  return el("div.welcome", el("h2", t("Nothing fits")), el("p", t("No connection on record fits this search. One that comes and fits shows up here.")),
    el("p", button(t("Clear the search"), clear)));
}
