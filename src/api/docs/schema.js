// A schema (JSON Schema 2020-12, as far as the contract uses it) as a list of fields.

import { el, inline, prose } from "./elements.js";

let contract = {};

/** Says which document `$ref` points into. */
export function use(document) {
  contract = document;
}

/** What a reference stands for; members beside `$ref` win, as OpenAPI 3.1 has it. */
export function deref(value) {
  if (!value?.$ref) return value ?? {};
  const path = value.$ref.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const target = deref(path.reduce((node, key) => node?.[key], contract));
  const { $ref, ...beside } = value;
  return { ...target, ...beside };
}

/** The schema with its references followed and its `allOf` made one. */
export function flat(schema) {
  const { allOf, ...own } = deref(schema);
  return (allOf ?? []).map(flat).reduce((sum, part) => {
    const properties = { ...sum.properties };
    for (const [name, value] of Object.entries(part.properties ?? {})) {
      properties[name] = { ...deref(properties[name]), ...deref(value) };
    }
    return { ...sum, ...part, properties, required: [...(sum.required ?? []), ...(part.required ?? [])] };
  }, own);
}

/** The one form of a schema that may otherwise only be null. */
function unlessNull(schema) {
  const whole = flat(schema);
  const forms = whole.oneOf?.filter((form) => deref(form).type !== "null") ?? [];
  return forms.length === 1 ? forms[0] : schema;
}

/** The type in a word or two: `string`, `integer or null`, `list of Message`. */
export function typeWord(schema) {
  const flatSchema = flat(schema);
  const name = schema?.$ref?.split("/").pop();
  if (flatSchema.oneOf) return unique(flatSchema.oneOf.map(typeWord)).join(" or ");
  const types = [flatSchema.type ?? (flatSchema.properties ? "object" : "any")].flat();
  return types.map((type) => {
    if (type === "array") return `list of ${typeWord(flatSchema.items)}`;
    if (type === "object" && name && !name.startsWith("Nullable")) return name;
    return type;
  }).join(" or ");
}

/** What a value must keep to, as short phrases. */
function bounds(schema) {
  const found = [];
  const values = schema.enum?.filter((value) => value !== null);
  if (values) found.push(["one of ", ...values.flatMap((value, i) => [i > 0 && ", ", el("code", value)])]);
  if (schema.const !== undefined) found.push(["always ", el("code", JSON.stringify(schema.const))]);
  if (schema.minimum !== undefined || schema.maximum !== undefined) found.push([range(schema.minimum, schema.maximum)]);
  if (schema.minLength > 1 || schema.maxLength) found.push([`${range(schema.minLength, schema.maxLength)} characters`]);
  if (schema.maxItems) found.push([`at most ${schema.maxItems}`]);
  if (schema.format) found.push([schema.format]);
  if (schema.default !== undefined) found.push(["default ", el("code", JSON.stringify(schema.default))]);
  return found;
}

function range(from, to) {
  if (from === undefined) return `at most ${to}`;
  return to === undefined ? `at least ${from}` : `${from} to ${to}`;
}

function unique(list) {
  return [...new Set(list)];
}

/** Type and bounds on one line. */
export function summary(schema) {
  const whole = flat(schema);
  const rest = bounds(whole).map((phrase) => el("span.bound", phrase));
  return el("span.type", el("span.word", typeWord(schema)), rest);
}

/** A schema with all its fields; inner objects open on demand. */
export function schemaView(schema, depth = 0) {
  const whole = flat(schema);
  const object = whole.properties ? fields(whole, depth) : null;
  if (object) return object;
  if (whole.oneOf) {
    return el("ul.variants", whole.oneOf.map((variant) => {
      const inner = flat(variant);
      return el("li", summary(variant), inner.description && el("div.about", prose(inner.description)),
        inner.properties && fields(inner, depth + 1));
    }));
  }
  if (whole.items) return schemaView(whole.items, depth);
  return el("p", summary(schema), whole.pattern && [" ", pattern(whole.pattern)]);
}

function fields(schema, depth) {
  const required = new Set(schema.required ?? []);
  return el("dl.fields", Object.entries(schema.properties).map(([name, value]) => {
    const whole = flat(value);
    const form = flat(unlessNull(value));
    return [
      el("dt", el("code.name", name), required.has(name) ? el("span.required", "required") : el("span.optional", "optional"), summary(value)),
      el("dd", prose(whole.description ?? form.description), form.pattern && el("p", pattern(form.pattern)),
        deeper(unlessNull(value), form, depth)),
    ];
  }));
}

function pattern(text) {
  return el("span.pattern", "pattern ", el("code", text));
}

function deeper(value, whole, depth) {
  const inner = whole.items ? flat(whole.items) : whole;
  const branches = inner.oneOf?.some((variant) => flat(variant).properties || flat(variant).description);
  if ((!inner.properties && !branches) || depth > 4) return null;
  const label = inner.oneOf ? "its forms" : `the fields of ${typeWord(whole.items ?? value)}`;
  const details = el("details", el("summary", ...inline(label)));
  // Drawn when it is opened: most never are, and a schema may hold itself.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(schemaView(whole.items ?? value, depth + 1));
  });
  return details;
}
