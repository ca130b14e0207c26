// Building blocks: elements, prose, JSON and the button that copies. Everything becomes text nodes, nothing HTML.

/** An element: `el("p.note", {id: "x"}, "text", child, …)`. Children that are null or false are left out. */
export function el(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const part of rest.flat(Infinity)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node || typeof part !== "object") node.append(part);
    else for (const [key, value] of Object.entries(part)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value);
    }
  }
  return node;
}

/** A line of prose with `code`, **strong** and *emphasis*. */
export function inline(text) {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/);
  return parts.filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`")) return el("code", part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**")) return el("strong", part.slice(2, -2));
    if (part.length > 2 && part.startsWith("*") && part.endsWith("*")) return el("em", part.slice(1, -1));
    return part;
  });
}

/** The prose of a description (the little Markdown that the contract uses): paragraphs, lists, indented code. */
export function prose(text) {
  const blocks = (text ?? "").trimEnd().split(/\n{2,}/).filter((block) => block.trim());
  return blocks.map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("    "))) {
      return el("div.sample", copyButton(() => lines.map((line) => line.slice(4)).join("\n")),
        el("pre", { tabindex: 0 }, el("code", lines.map((line) => line.slice(4)).join("\n"))));
    }
    if (lines[0].startsWith("- ")) {
      const items = block.slice(2).split(/\n- /).map((item) => item.replace(/\n\s*/g, " "));
      return el("ul", items.map((item) => el("li", inline(item))));
    }
    return el("p", lines.flatMap((line, i) => [i > 0 && " ", ...inline(line)]));
  });
}

/** JSON that a person can read: what fits on a line stays on one. */
export function pretty(value, indent = "", room = 64) {
  const short = oneLine(value);
  if (value === null || typeof value !== "object" || short.length + indent.length <= room) return short;
  const inner = `${indent}  `;
  const list = Array.isArray(value);
  const members = Object.entries(value).map(([key, member]) =>
    inner + (list ? "" : `${JSON.stringify(key)}: `) + pretty(member, inner, room));
  return `${list ? "[" : "{"}\n${members.join(",\n")}\n${indent}${list ? "]" : "}"}`;
}

function oneLine(value) {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${oneLine(member)}`).join(", ")}}`;
}

/** A block of JSON with its keys, strings and numbers told apart. */
export function jsonBlock(value) {
  const text = typeof value === "string" ? value : pretty(value);
  if (typeof value === "string") return codeBlock(text, [text]);
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null|-?\d[\d.eE+-]*)\b/g;
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(token)) {
    parts.push(text.slice(last, match.index));
    const kind = match[2] ? "key" : match[1] ? "text" : "value";
    parts.push(el(`span.${kind}`, match[1] ?? match[3]));
    last = match.index + (match[1] ?? match[3]).length;
  }
  return codeBlock(text, [...parts, text.slice(last)]);
}

/** A block of code that can be copied. A long line scrolls inside it, never the page. */
export function codeBlock(text, parts = [text]) {
  return el("div.sample", copyButton(() => text), el("pre", { tabindex: 0 }, el("code", parts.filter((part) => part !== ""))));
}

/** Copies what `text()` returns at the time of the click. Browsers lend the clipboard only to https and loopback. */
export function copyButton(text) {
  if (!navigator.clipboard) return null;
  const button = el("button.copy", { type: "button", "aria-label": "Copy" }, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "copied";
    } catch {
      button.textContent = "no access";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  return button;
}
