// The API, asked as any client asks it. The token lives in memory and in this tab's session storage: unlike a cookie,
// that is not shared with the other ports of the host, which are where strangers connect.

const KEY = "answerback.token";
let token = stored();
let asking = null;
let refused = false;
let ask = async () => null;

function stored() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Who is to be asked for a token: `ask(wasWrong)` gives one, or null. */
export function askWith(person) {
  ask = person;
}

/** An answer that is an error, as the API describes it. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    /** What is wrong with each field: `{pointer, detail}`. */
    this.fields = body?.errors ?? [];
  }

  /** All that it says, in lines. */
  get lines() {
    return this.fields.length ? this.fields.map(({ pointer, detail }) => `${pointer || "/"}: ${detail}`) : [this.message];
  }
}

/** Asks, with the token if there is one; where the API wants one, the person is asked, once for all who wait. */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  for (;;) {
    const used = token;
    const answer = await fetch(path, {
      method,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        ...headers,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(used ? { Authorization: `Bearer ${used}` } : {}),
      },
      cache: "no-store",
      credentials: "omit",
    });
    if (answer.ok) return answer;
    if (answer.status !== 401) throw await problem(answer);
    // Who has no token is not asked again and again; loading the page anew asks anew.
    if (refused) throw await problem(answer);
    if (used === token) {
      asking ??= ask(Boolean(used)).finally(() => { asking = null; });
      const given = await asking;
      if (!given) {
        refused = true;
        throw await problem(answer);
      }
      token = given;
      keep(given);
    }
  }
}

async function problem(answer) {
  return new Problem(answer.status, await answer.json().catch(() => null));
}

function keep(given) {
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // Then it lives as long as the page.
  }
}

/** What a GET, or another method, answers with. */
export async function json(path, options) {
  const answer = await request(path, options);
  return answer.status === 204 ? null : answer.json();
}

/** A path with a query; what is null or empty is left out. */
export function path(base, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined && value !== "") query.set(name, value);
  const text = query.toString();
  return text ? `${base}?${text}` : base;
}

/** Saves what is at a path as a file. A plain link cannot carry the token. */
export async function save(from, name) {
  const blob = await (await request(from)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
