// One listener: the form that opens it, the form that changes its reply under live clients, and its spec.

import { json } from "./api.js";
import { el } from "./elements.js";
import { ENCODINGS } from "./reading.js";
import { escape, unescape } from "./send.js";
import { t } from "./words.js";

const KINDS = ["text", "hex", "base64", "template", "echo", "silence"];

/** What a listener shows that is no part of its spec. */
const STATUS = ["id", "state", "opened_at", "closed_at", "close_reason", "failure", "connections", "received", "sent"];

/** The spec of a listener, as PUT takes it. */
export function specOf(listener) {
  return Object.fromEntries(Object.entries(listener).filter(([name]) => !STATUS.includes(name)));
}

/** A reply as a kind and what is typed. */
export function typed(reply) {
  if (reply === null || reply === "" || reply.hex === "") return ["silence", ""];
  if (typeof reply === "string") return ["text", escape(reply)];
  if (reply.echo) return ["echo", ""];
  const kind = ["text", "hex", "base64", "template"].find((name) => name in reply);
  return [kind, kind === "text" ? escape(reply.text) : reply[kind]];
}

/** A kind and what is typed as a reply. What a reply of the same kind had besides stays: its encoding, say. */
export function replyOf(kind, text, before = {}) {
  if (kind === "echo") return { echo: true };
  // In a PATCH, null would bring the standard reply back.
  if (kind === "silence") return { hex: "" };
  const rest = before !== null && typeof before === "object" && kind in before ? before : {};
  return { ...rest, [kind]: kind === "text" ? unescape(text) : text };
}

/** A choice out of words; the first may be what the default is called. */
function choice(label, words, value) {
  const known = words.some(([word]) => word === value) ? words : [...words, [value, value]];
  const node = el("select", { "aria-label": label, title: label }, known.map(([word, shown]) => el("option", { value: word }, shown)));
  node.value = value;
  return node;
}

/** The fields for a reply, an encoding and what follows. */
export class ReplyFields {
  constructor({ reply, encoding, then, standard }) {
    this.before = reply;
    const [kind, text] = standard ? ["text", ""] : typed(reply);
    this.standard = standard;
    this.kind = choice(t("kind of reply"), KINDS.map((name) => [name, t(name)]), kind);
    this.text = el("textarea", { rows: 1, "aria-label": t("Reply"), value: text, spellcheck: "false" });
    const encodings = [...(standard ? [["", "gbk"]] : []), ["auto", t("auto")], ...ENCODINGS.map((name) => [name, name])];
    this.encoding = choice(t("Encoding"), standard ? encodings.filter(([name]) => name !== "gbk") : encodings, encoding);
    const words = [["close", t("then close")], ["keep", t("then keep")], ["half_close", t("then half-close")], ["reset", t("then reset")]];
    this.then = choice(t("after the reply"), standard ? [["", t("then: default")], ...words] : words, then);
    this.kind.addEventListener("change", () => this.shape());
    this.text.addEventListener("input", () => this.grow());
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.text.form.requestSubmit();
      }
    });
    this.nodes = [el("div.pair", this.kind, this.text), el("div.pair", this.encoding, this.then)];
    this.shape();
  }

  shape() {
    const fixed = ["echo", "silence"].includes(this.kind.value);
    this.text.disabled = fixed;
    this.text.placeholder = fixed ? "" : this.kind.value === "text" ? (this.standard ? "问题正在处理中..." : "\\n") : "";
    this.text.classList.toggle("mono", this.kind.value !== "text");
  }

  grow() {
    this.text.rows = Math.min(6, Math.max(1, this.text.value.split("\n").length, Math.ceil(this.text.value.length / 34)));
  }

  /** The members of the spec that these fields say; what was left as it is by default is left out. */
  get members() {
    const members = {};
    const untouched = this.standard && this.kind.value === "text" && this.text.value === "";
    if (!untouched) members.reply = replyOf(this.kind.value, this.text.value, this.before);
    if (this.encoding.value) members.encoding = this.encoding.value;
    if (this.then.value) members.then = this.then.value;
    return members;
  }
}

/** The form that opens a port. `opened(listener)` gets it, `more(spec)` takes what is typed to the full spec. */
export function openForm({ opened, more, cancel }) {
  const port = el("input", { type: "number", min: 0, max: 65535, required: true, "aria-label": t("Port"), placeholder: t("port"), title: t("0 lets the system choose"), id: "open-port" });
  const name = el("input", { type: "text", "aria-label": t("Name"), placeholder: t("name"), spellcheck: "false", autocomplete: "off" });
  const fields = new ReplyFields({ reply: null, encoding: "", then: "", standard: true });
  const fault = el("p.fault", { role: "alert", hidden: true });
  const spec = () => ({ port: Number(port.value), ...(name.value ? { name: name.value } : {}), ...fields.members });
  const submit = async (event) => {
    event.preventDefault();
    fault.hidden = true;
    try {
      opened(await json("/listeners", { method: "POST", body: spec() }));
    } catch (problem) {
      show(fault, problem);
    }
  };
  const node = el("form.open", { onsubmit: submit, "aria-label": t("Open a port") },
    el("div.pair", port, name), fields.nodes,
    el("div.acts", el("button.primary", { type: "submit" }, t("Open")),
      el("button", { type: "button", onclick: () => more(spec()) }, t("More…")),
      el("button.quiet", { type: "button", onclick: cancel }, t("Cancel"))), fault);
  return { node, focus: () => port.focus() };
}

/** The form that changes what an open listener answers. */
export function replyForm(listener, { changed, more, remove }) {
  const fields = new ReplyFields(listener);
  fields.grow();
  const fault = el("p.fault", { role: "alert", hidden: true });
  const submit = async (event) => {
    event.preventDefault();
    fault.hidden = true;
    try {
      changed(await json(`/listeners/${listener.id}`, { method: "PATCH", body: fields.members }));
    } catch (problem) {
      show(fault, problem);
    }
  };
  const sure = el("button.danger", { type: "button" }, t("Close port"));
  sure.addEventListener("click", () => {
    if (sure.dataset.asked) return remove();
    sure.dataset.asked = "yes";
    sure.textContent = listener.connections.open ? t("Close it, {n} clients go", { n: listener.connections.open }) : t("Close it for good");
    return undefined;
  });
  sure.addEventListener("blur", () => { delete sure.dataset.asked; sure.textContent = t("Close port"); });
  return el("form.reply", { onsubmit: submit, "aria-label": t("What it answers") }, fields.nodes,
    el("div.acts", el("button.primary", { type: "submit" }, t("Apply")), el("button", { type: "button", onclick: more }, t("Spec…")), sure), fault);
}

/** Shows what is wrong, below a form. */
export function show(place, problem) {
  place.hidden = false;
  place.textContent = problem.lines?.join("\n") ?? String(problem);
}
