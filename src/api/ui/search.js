// The search box: one line in the API's own words, with suggestions for the word that is being typed.

import { el } from "./elements.js";
import { FILTERS, parse, pieces, quoted } from "./query.js";
import { t } from "./words.js";

const MEANINGS = {
  listener: "name or id",
  peer: "address or network",
  state: "open or closed",
  contains: "text, in the listener's encoding",
  contains_hex: "bytes",
  direction: "of what is contained",
  since: "opened then or later",
  until: "opened before",
};
const FAULTS = {
  unknown: "There is no filter {word}. Put quotes around a text with a colon in it.",
  empty: "What should {word} be?",
  twice: "{word} can be asked for only once; put quotes around a text with blanks.",
  direction: "direction says where contains looks; give one of contains and contains_hex too.",
};
/** A query is taken when nothing was typed for so long, in milliseconds. */
const PAUSE = 300;

/** What is wrong with a query, or null. */
export function faultOf(text) {
  const { fault } = parse(text);
  return fault ? t(FAULTS[fault[0]], { word: fault[1] }) : null;
}

export class Search {
  /** `take(text)` gets a query that is well-formed, `names()` are those of the listeners. */
  constructor({ take, names }) {
    Object.assign(this, { take, names });
    this.chosen = -1;
    this.input = el("input", {
      type: "search", id: "search", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": "suggestions",
      "aria-label": t("Search connections"), placeholder: t("listener:gate peer:10.0.0.0/8 contains:LOGIN state:open"), autocomplete: "off", spellcheck: "false",
    });
    this.options = el("div.suggestions", { role: "listbox", id: "suggestions", "aria-label": t("Filters"), hidden: true });
    this.fault = el("p.search-fault", { role: "alert", hidden: true });
    this.node = el("div.search", { role: "search" }, this.input, el("kbd", { "aria-hidden": "true" }, "/"), this.options, this.fault);
    this.input.addEventListener("input", () => { this.suggest(); this.later(); });
    this.input.addEventListener("focus", () => this.suggest());
    this.input.addEventListener("click", () => this.suggest());
    this.input.addEventListener("blur", () => { this.shut(); this.now(); });
    this.input.addEventListener("keydown", (event) => this.key(event));
    // The box keeps the focus when an option is clicked.
    this.options.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    if (this.input.value.trim() !== text) this.input.value = text;
    this.say(faultOf(text));
  }

  say(fault) {
    this.fault.hidden = !fault;
    this.fault.textContent = fault ?? "";
    this.input.setAttribute("aria-invalid", String(Boolean(fault)));
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  now() {
    clearTimeout(this.timer);
    const text = this.input.value.trim();
    // While a word is being typed it is not wrong yet.
    const fault = faultOf(text);
    if (fault && document.activeElement === this.input && /:$|^\S*$/.test(text)) return;
    this.say(fault);
    if (!fault) this.take(text);
  }

  /** The word under the caret, and what it could become. */
  suggest() {
    const caret = this.input.selectionStart ?? this.input.value.length;
    const text = this.input.value;
    const word = pieces(text).find((piece) => piece.begin < caret && caret <= piece.end) ?? { name: null, value: "", begin: caret, end: caret };
    this.word = word;
    this.found = this.candidates(word, text);
    this.chosen = -1;
    this.options.replaceChildren(...this.found.map(({ text: shown, hint }, n) => el("div", {
      role: "option", id: `suggestion-${n}`, "aria-selected": "false", onclick: () => this.accept(n),
    }, el("code", shown), el("span", hint))));
    this.open(this.found.length > 0);
  }

  candidates({ name, value }, text) {
    const words = (list, hint) => list.filter((word) => word.startsWith(value) && word !== value).map((word) => ({ text: `${name}:${quoted(word)}`, hint }));
    if (name === "listener") return words(this.names(), "").slice(0, 12);
    if (name === "state") return words(["open", "closed"], "");
    if (name === "direction") return words(["received", "sent"], "");
    if (name !== null) return [];
    const used = pieces(text).map((piece) => piece.name);
    return FILTERS.filter(([filter]) => filter.startsWith(value) && !used.includes(filter))
      .map(([filter, example]) => ({ text: `${filter}:`, hint: `${t(MEANINGS[filter])}, ${filter}:${example}` }));
  }

  open(wanted) {
    this.options.hidden = !wanted;
    this.input.setAttribute("aria-expanded", String(wanted));
    if (!wanted) this.input.removeAttribute("aria-activedescendant");
  }

  shut() {
    this.open(false);
  }

  accept(n) {
    const { begin, end } = this.word;
    const text = this.input.value;
    const written = this.found[n].text;
    const complete = !written.endsWith(":");
    const before = text.slice(0, begin) + written + (complete && end === text.length ? " " : "");
    this.input.value = before + text.slice(end);
    this.input.setSelectionRange(before.length, before.length);
    this.suggest();
    if (complete) this.now();
  }

  key(event) {
    const open = !this.options.hidden;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const count = this.found.length;
      this.choose(((this.chosen < 0 ? (event.key === "ArrowDown" ? -1 : 0) : this.chosen) + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
    } else if (open && event.key === "Tab" && !event.shiftKey && this.chosen >= 0) {
      this.accept(this.chosen);
    } else if (event.key === "Enter") {
      if (open && this.chosen >= 0) this.accept(this.chosen);
      else { this.shut(); this.now(); this.say(faultOf(this.input.value.trim())); }
    } else if (event.key === "Escape") {
      if (open) this.shut();
      else if (this.input.value) { this.input.value = ""; this.now(); } else this.input.blur();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  choose(n) {
    this.chosen = n;
    [...this.options.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === n)));
    this.input.setAttribute("aria-activedescendant", `suggestion-${n}`);
    this.options.children[n].scrollIntoView({ block: "nearest" });
  }
}
