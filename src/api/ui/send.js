// Speaking into a connection: text or hex, and hanging up on it.

import { json } from "./api.js";
import { button, el } from "./elements.js";
import { say, sayProblem } from "./menu.js";
import { t } from "./words.js";

const WRITTEN = { n: "\n", r: "\r", t: "\t", 0: "\0", "\\": "\\" };
const ESCAPED = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\\": "\\\\" };

/** A text as it is typed into one line: `\n` is a line break, `\\` a backslash. */
export const unescape = (typed) => typed.replace(/\\([nrt0\\])/g, (_, letter) => WRITTEN[letter]);
/** The other way round. */
export const escape = (text) => text.replace(/[\n\r\t\0\\]/g, (character) => ESCAPED[character]);

/** The bar below a live connection. */
export class SendBar {
  constructor() {
    this.id = null;
    this.mode = el("select", { "aria-label": t("what is typed") }, el("option", { value: "text" }, t("text")), el("option", { value: "hex" }, "hex"));
    this.input = el("input", { type: "text", "aria-label": t("Send to this client"), autocomplete: "off", spellcheck: "false", id: "send" });
    this.mode.addEventListener("change", () => this.hint());
    this.node = el("form.send", { onsubmit: (event) => this.send(event), hidden: true },
      this.mode, this.input, el("button.primary", { type: "submit" }, t("Send")),
      button(t("Close"), () => this.hangUp("fin"), { title: t("Close in order (FIN)") }),
      button(t("Reset"), () => this.hangUp("reset"), { title: t("Reset at once (RST)"), class: "danger" }));
    this.hint();
  }

  hint() {
    this.input.placeholder = this.mode.value === "hex" ? "78 78 05 80 0d 0a" : t("Text to send; \\n is a line break");
    this.input.classList.toggle("mono", this.mode.value === "hex");
  }

  /** Which connection it speaks into; none hides it. */
  serve(id) {
    if (id !== this.id) this.input.value = "";
    this.id = id;
    this.node.hidden = id === null;
  }

  async send(event) {
    event.preventDefault();
    const typed = this.input.value;
    if (typed === "") return;
    const body = this.mode.value === "hex" ? { hex: typed } : { text: unescape(typed) };
    try {
      await json(`/connections/${this.id}/send`, { method: "POST", body });
      if (this.input.value === typed) this.input.value = "";
    } catch (problem) {
      sayProblem(problem);
    }
  }

  async hangUp(how) {
    try {
      await json(`/connections/${this.id}/close`, { method: "POST", body: { how } });
      say(how === "fin" ? t("FIN was sent") : t("The client was reset"));
    } catch (problem) {
      sayProblem(problem);
    }
  }
}
