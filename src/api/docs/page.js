// Loads the contract and lays out the page.

import { el, prose } from "./elements.js";
import { answerView, methodBadge, operationView } from "./operation.js";
import { deref, flat, use } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

const content = document.getElementById("content");
const nav = document.getElementById("nav");

start().catch((error) => {
  content.replaceChildren(el("p.problem", { role: "alert" },
    `The contract could not be loaded (${error.message}). Reload the page, or look at `,
    el("a", { href: "/openapi.yaml" }, "openapi.yaml"), "."));
});

async function start() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`/openapi.json answered ${answer.status}`);
  const contract = await answer.json();
  use(contract);
  const groups = contract.tags.map((tag) => ({ ...tag, operations: operationsOf(contract, tag.name) }));
  const codes = codesOf(contract);
  document.getElementById("version").textContent = contract.info.version;
  content.replaceChildren(introduction(contract), ...groups.map(groupView), codesView(codes));
  nav.replaceChildren(navigation(groups));
  // The place that the address names exists only now.
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  followScrolling();
}

function operationsOf(contract, tag) {
  return Object.entries(contract.paths).flatMap(([path, item]) => METHODS
    .filter((method) => item[method]?.tags?.includes(tag))
    .map((method) => ({ method, path, item, operation: item[method] })));
}

function introduction({ info }) {
  return el("section.introduction", el("h1", info.title), el("p.lead", info.summary), prose(info.description));
}

function groupView({ name, description, operations }) {
  return el("section.group", { id: `tag-${name}`, "aria-labelledby": `tag-${name}-title` },
    el("h2", { id: `tag-${name}-title` }, name), prose(description), operations.map(operationView));
}

/** Every `code` of an error with its status, meaning and examples, in the order of their status. */
function codesOf(contract) {
  const found = new Map();
  for (const answer of Object.values(contract.components.responses)) {
    const media = answer.content?.["application/problem+json"];
    const status = String(deref(flat(media?.schema).properties?.status).const ?? "");
    for (const [code, meaning] of meanings(answer.description)) {
      const known = found.get(code) ?? { code, status, meaning: "", examples: {} };
      const examples = Object.entries(media?.examples ?? {}).filter(([, example]) => deref(example).value.code === code);
      found.set(code, {
        ...known,
        // The same code may be told for several answers; the fullest telling serves best.
        meaning: meaning.length > known.meaning.length ? meaning : known.meaning,
        examples: { ...Object.fromEntries(examples), ...known.examples },
      });
    }
  }
  return [...found.values()].sort((a, b) => a.status.localeCompare(b.status) || a.code.localeCompare(b.code));
}

/** The parts of a description such as "`one-code`: what it means. `other-code`: what that means." */
function meanings(description) {
  const [, ...parts] = description.replace(/\s+/g, " ").split(/`([a-z]+(?:-[a-z]+)*)`: /);
  return parts.flatMap((part, i) => (i % 2 ? [] : [[part, sentence(parts[i + 1])]]));
}

function sentence(text) {
  const line = text.trim();
  return line.charAt(0).toUpperCase() + line.slice(1);
}

function codesView(codes) {
  return el("section.group", { id: "errors", "aria-labelledby": "errors-title" },
    el("h2", { id: "errors-title" }, "errors"),
    el("p", "Every error answer has one of these codes. Its detail says what happened and what to do next."),
    codes.map(({ code, status, meaning, examples }) => el("section.code", { id: `code-${code}` },
      el("h3", el("a.anchor", { href: `#code-${code}` }, el("code", code))),
      answerView(status, { description: meaning, content: { "application/problem+json": { examples } } }, false))));
}

function navigation(groups) {
  const lists = groups.map(({ name, operations }) => el("div.section", el("a.tag", { href: `#tag-${name}` }, name),
    el("ul", operations.map(({ method, path, operation }) => el("li", el("a", { href: `#${operation.operationId}` },
      methodBadge(method), el("span.path", path), el("span.summary", operation.summary)))))));
  const search = el("input", { type: "search", placeholder: "Find an operation", "aria-label": "Find an operation", autocomplete: "off" });
  search.addEventListener("input", () => narrow(lists, search.value.trim().toLowerCase()));
  const menu = el("details.menu", el("summary", "Operations"), search, lists,
    el("div.section", el("a.tag", { href: "#errors" }, "errors")));
  // On a wide screen the list is always there; on a narrow one it opens on demand and closes behind a choice.
  const wide = matchMedia("(min-width: 60rem)");
  const fit = () => { menu.open = wide.matches; };
  wide.addEventListener("change", fit);
  menu.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a")) menu.open = false;
  });
  fit();
  return menu;
}

function narrow(lists, words) {
  for (const list of lists) {
    for (const item of list.querySelectorAll("li")) {
      item.hidden = !item.textContent.toLowerCase().includes(words);
    }
    list.hidden = !list.querySelector("li:not([hidden])");
  }
}

/** Marks the operation that is being read. */
function followScrolling() {
  const links = new Map([...nav.querySelectorAll("li a")].map((link) => [link.hash.slice(1), link]));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  content.querySelectorAll(".operation").forEach((section) => observer.observe(section));
}
