// One operation: what it is for, its parameters with a curl line that follows them, its body and its answers.

import { copyButton, el, inline, jsonBlock, prose } from "./elements.js";
import { deref, flat, schemaView, summary } from "./schema.js";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** The section of an operation. */
export function operationView({ method, path, item, operation }) {
  const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(deref);
  const bodies = Object.entries(deref(operation.requestBody).content ?? {});
  const call = new Call(method, path, operation, parameters, bodies);
  return el("section.operation", { id: operation.operationId, "aria-labelledby": `${operation.operationId}-title` },
    el("h3", { id: `${operation.operationId}-title` },
      el("a.anchor", { href: `#${operation.operationId}` }, operation.summary)),
    el("p.route", methodBadge(method), el("code", path)),
    el("div.columns",
      el("div.about", prose(operation.description), parametersView(parameters, call), bodiesView(bodies)),
      el("div.try", call.view())),
    answersView(operation));
}

/** The method as a small label. */
export function methodBadge(method) {
  return el(`span.method.${method}`, method.toUpperCase());
}

function parametersView(parameters, call) {
  if (!parameters.length) return null;
  return [
    el("h4", "Parameters"),
    el("p.hint", "Fill some in: the curl line follows."),
    el("dl.fields.parameters", parameters.map((parameter) => {
      const id = `${call.operation.operationId}-${parameter.name}`;
      const example = exampleOf(parameter);
      const input = el("input", { id, type: "text", placeholder: example ?? "", autocomplete: "off", spellcheck: "false" });
      input.addEventListener("input", () => call.set(parameter, input.value));
      return [
        el("dt", el("label", { for: id }, el("code.name", parameter.name)),
          parameter.required ? el("span.required", "required") : null, summary(parameter.schema)),
        el("dd", prose(parameter.description), input),
      ];
    })),
  ];
}

function exampleOf(parameter) {
  const named = Object.values(parameter.examples ?? {})[0];
  return parameter.example ?? (named && deref(named).value);
}

function bodiesView(bodies) {
  return bodies.slice(0, 1).map(([type, body]) => [
    el("h4", "Body"),
    el("p.hint", el("code", type), bodies.slice(1).map(([other]) => [" or ", el("code", other)])),
    schemaView(body.schema),
  ]);
}

/** A request as a curl line, put together anew whenever something is filled in. */
class Call {
  constructor(method, path, operation, parameters, bodies) {
    Object.assign(this, { method, path, operation, parameters, values: new Map() });
    this.examples = bodies.flatMap(([type, body]) =>
      Object.values(body.examples ?? {}).map((example) => ({ type, ...deref(example) })));
    this.example = this.examples[0];
    this.code = el("code");
  }

  set(parameter, value) {
    this.values.set(parameter, value);
    this.draw();
  }

  view() {
    this.draw();
    return [
      el("h4", "Request"),
      this.examples.length > 1 && this.choice(),
      el("div.sample", copyButton(() => this.line()), el("pre", { tabindex: 0 }, this.code)),
    ];
  }

  choice() {
    const options = this.examples.map((example, i) => el("option", { value: i }, example.summary));
    const select = el("select", { "aria-label": "Example" }, options);
    select.addEventListener("change", () => {
      this.example = this.examples[Number(select.value)];
      this.draw();
    });
    return select;
  }

  draw() {
    this.code.textContent = this.line();
  }

  line() {
    const words = ["curl"];
    if (this.downloads()) words[0] = "curl -OJ";
    if (this.method !== "get") words[0] += ` -X ${this.method.toUpperCase()}`;
    words[0] += ` ${quoted(location.origin + this.url())}`;
    if (!this.operation.security && !LOOPBACK.test(location.hostname)) words.push('-H "Authorization: Bearer $TOKEN"');
    if (this.example) {
      words.push(`-H 'Content-Type: ${this.example.type}'`, `-d ${quoted(JSON.stringify(this.example.value))}`);
    }
    return words.join(" \\\n  ");
  }

  url() {
    const path = this.path.replace(/\{(\w+)\}/g, (_, name) => {
      const parameter = this.parameters.find((known) => known.in === "path" && known.name === name);
      return encodeURIComponent(this.values.get(parameter) || exampleOf(parameter));
    });
    const query = this.parameters
      .filter((parameter) => parameter.in === "query" && this.values.get(parameter))
      .map((parameter) => `${parameter.name}=${encodeURIComponent(this.values.get(parameter))}`);
    return query.length ? `${path}?${query.join("&")}` : path;
  }

  downloads() {
    return Boolean(this.operation.responses["200"]?.content?.["application/octet-stream"]);
  }
}

/** As a word of the shell. */
function quoted(text) {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function answersView(operation) {
  const answers = Object.entries(operation.responses).map(([status, answer]) => ({ status, answer: deref(answer) }));
  const good = answers.filter(({ status }) => status < "400");
  const bad = answers.filter(({ status }) => status >= "400");
  return el("div.answers",
    el("h4", "Answers"),
    good.map(({ status, answer }) => answerView(status, answer, true)),
    bad.length && el("details.errors", el("summary", `${bad.length} errors: `, bad.map(({ status }) => status).join(", ")),
      bad.map(({ status, answer }) => answerView(status, answer, false))));
}

/** An answer; its fields are drawn for a success only, since all problems have the same. */
export function answerView(status, answer, withFields) {
  const contents = Object.entries(answer.content ?? {});
  const headers = Object.entries(answer.headers ?? {}).map(([name, header]) => [name, deref(header)]);
  return el(`div.answer.${status < "400" ? "good" : "bad"}`,
    el("div.status", el("strong", status), el("div", prose(answer.description)), contents.length > 0 && el("code", contents.map(([type]) => type).join(", "))),
    headers.length > 0 && el("details", el("summary", `${headers.length} ${headers.length > 1 ? "headers" : "header"}`),
      el("dl.fields", headers.map(([name, header]) => [
        el("dt", el("code.name", name), summary(header.schema)), el("dd", inline(header.description ?? "")),
      ]))),
    contents.slice(0, 1).map(([, media]) => [
      withFields && hasFields(media.schema) && lazily("Fields", () => schemaView(media.schema)),
      examplesOf(media).map(({ title, value }) => lazily(title, () => jsonBlock(value))),
    ]));
}

function hasFields(schema) {
  return Boolean(flat(schema).properties);
}

function examplesOf(media) {
  const named = Object.values(media.examples ?? {}).map(deref);
  const examples = named.map(({ summary: text, value }) => ({ title: text ? `Example: ${text}` : "Example", value }));
  return media.example === undefined ? examples : [...examples, { title: "Example", value: media.example }];
}

/** A part that is drawn when it is first opened. */
function lazily(title, draw) {
  const details = el("details", el("summary", ...inline(title)));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(draw());
  });
  return details;
}
