// What is asked or shown above the page: the token, a listener's whole spec, the keys.

import { json } from "./api.js";
import { button, el } from "./elements.js";
import { show, specOf } from "./listener.js";
import { t } from "./words.js";

function dialog(title, ...content) {
  const heading = el("h2", { id: "dialog-title" }, title);
  const node = el("dialog", { "aria-labelledby": "dialog-title" }, heading, content);
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks for the token; null when it was refused. It is kept in this tab, and gone with it. */
export function askForToken(wrong) {
  return new Promise((done) => {
    const input = el("input.mono", { type: "password", autocomplete: "off", required: true, "aria-label": t("Token"), id: "token" });
    let given = null;
    const take = (event) => {
      event.preventDefault();
      given = input.value.trim();
      node.close();
    };
    const node = dialog(t("This service asks for a token"),
      el("form", { onsubmit: take },
        wrong && el("p.fault", { role: "alert" }, t("That was not the token.")),
        el("p", t("It was printed when the service started, or set with --token. It stays in this tab and goes with it.")),
        input,
        el("div.acts", el("button.primary", { type: "submit" }, t("Go on")), button(t("Cancel"), () => node.close()))));
    node.addEventListener("close", () => done(given));
  });
}

/**
 * The whole spec of a listener as JSON, to be changed; without a listener, of one that is to be opened.
 * `done(listener)` gets what became of it.
 */
export function editSpec(listener, draft, done) {
  const spec = listener ? specOf(listener) : { host: "0.0.0.0", name: null, encoding: "gbk", framing: { type: "none" }, greeting: null, reply: "问题正在处理中...", rules: [], sends: [], faults: [], limits: {}, ...draft };
  const area = el("textarea.mono.spec", { rows: 22, spellcheck: "false", "aria-label": t("Spec, as JSON"), value: JSON.stringify(spec, null, 2) });
  const fault = el("p.fault", { role: "alert", hidden: true });
  const submit = async (event) => {
    event.preventDefault();
    fault.hidden = true;
    let body;
    try {
      body = JSON.parse(area.value);
    } catch (mistake) {
      fault.hidden = false;
      fault.textContent = t("This is no JSON: {detail}", { detail: mistake.message });
      return;
    }
    try {
      const made = listener ? await json(`/listeners/${listener.id}`, { method: "PUT", body }) : await json("/listeners", { method: "POST", body });
      node.close();
      done(made);
    } catch (problem) {
      show(fault, problem);
    }
  };
  const node = dialog(listener ? t("Spec of {listener}", { listener: listener.name ?? `:${listener.port}` }) : t("Open a port"),
    el("form", { onsubmit: submit },
      el("p.soft", t("Rules, templates, framing, faults, limits: all that the API takes."), " ", el("a", { href: "/docs#schema-ListenerSpec", target: "_blank", rel: "noopener" }, t("What each field means")),
        listener && ` ${t("A changed reply or rule answers the next message of clients that are connected; another host or port drops them.")}`),
      area, fault,
      el("div.acts", el("button.primary", { type: "submit" }, listener ? t("Make it so") : t("Open")), button(t("Cancel"), () => node.close()))));
}

const KEYS = [
  [["/"], "search"],
  [["j", "k"], "next and previous connection"],
  [["Enter"], "open the connection; the arrows scroll it"],
  [["Esc"], "back: leave the field, the connection, the search"],
  [["p"], "pause and go on"],
  [["o"], "open a port"],
  [["s"], "send to the client that is shown"],
  [["1", "2", "3"], "both, hex, text"],
  [["g"], "to the newest"],
  [["?"], "this list"],
];

/** The keys, and the words of the search. */
export function help() {
  const rows = KEYS.map(([keys, what]) => [el("dt", keys.map((key) => el("kbd", key))), el("dd", t(what))]);
  const node = dialog(t("Keys"), el("dl.keys", rows),
    el("p.soft", t("The search takes the API's own filters: listener, peer, state, contains, contains_hex, direction, since, until. What is looked at is in the address, so it can be shared.")),
    el("div.acts", button(t("Close"), () => node.close(), { class: "primary" }), el("a", { href: "/docs" }, t("The API"))));
}
