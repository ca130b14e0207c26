// The parts of the page that need no browser.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { part } from "./support.mjs";

// The parts make no element here, but they import what would.
globalThis.navigator ??= { language: "en" };

test("a query is read in the words of the API", async () => {
  const { parse, withFilter } = await part("query.js");
  assert.deepEqual(parse("listener:gate peer:10.0.0.0/8 contains:登录 state:open").filters,
    { listener: "gate", peer: "10.0.0.0/8", contains: "登录", state: "open" });
  assert.deepEqual(parse('hello world').filters, { contains: "hello world" });
  assert.deepEqual(parse('contains:"a \\"b\\": c"').filters, { contains: 'a "b": c' });
  assert.deepEqual(parse("").filters, {});
  assert.deepEqual(parse("colour:red").fault, ["unknown", "colour"]);
  assert.deepEqual(parse("state:").fault, ["empty", "state"]);
  assert.deepEqual(parse("a contains:b").fault, ["twice", "contains"]);
  assert.deepEqual(parse("direction:sent").fault, ["direction", "direction"]);
  assert.equal(withFilter('contains:"a b" listener:x', "listener", "gate"), 'contains:"a b" listener:gate');
  assert.equal(withFilter("listener:x state:open", "listener", null), "state:open");
});

test("events are read however they are cut", async () => {
  const { parser } = await part("stream.js");
  const stream = 'event: opened\nid: 1\ndata: {"a":1}\n\n: still here\nid: 2\n\nevent: ready\r\ndata: {}\r\n\r\n';
  for (let size = 1; size < stream.length; size += 1) {
    const events = [];
    const feed = parser((event) => events.push(event));
    for (let n = 0; n < stream.length; n += size) feed(stream.slice(n, n + size));
    assert.deepEqual(events, [
      { name: "opened", id: "1", data: '{"a":1}' }, { name: "message", id: "2", data: null }, { name: "ready", id: null, data: "{}" },
    ]);
  }
});

test("bytes are written in every form, and what is no text is found", async () => {
  const bytes = await part("bytes.js");
  const some = Uint8Array.from([0x41, 0x0a, 0x22, 0xff, 0x00]);
  assert.equal(bytes.toHex(some), "41 0a 22 ff 00");
  assert.equal(bytes.toBase64(some), "QQoi/wA=");
  assert.deepEqual(bytes.fromBase64("QQoi/wA="), some);
  assert.equal(bytes.toPython(some), 'b"A\\n\\"\\xff\\x00"');
  assert.equal(bytes.toC(some), "static const unsigned char data[5] = {\n    0x41, 0x0a, 0x22, 0xff, 0x00,\n};\n");
  const flags = (list, encoding) => [...bytes.malformed(Uint8Array.from(list), encoding)].join("");
  assert.equal(flags([0x41, 0xff, 0x42], "utf-8"), "010");
  assert.equal(flags([0xe8, 0xaf, 0x41], "utf-8"), "110");
  assert.equal(flags([0xef, 0xbf, 0xbd], "utf-8"), "000");
  assert.equal(flags([0xce, 0xca, 0x98], "gbk"), "001");
  assert.equal(bytes.malformed(some, "klingon"), null);
});

test("what cannot be seen is written out", async () => {
  const { line } = await part("text.js");
  assert.equal(line("a\r\n\t\0\x1b[31m\u202egnp\u200b"), "a\\r\\n\\t\\0\\x1b[31mU+202EgnpU+200B");
  assert.equal(line("x".repeat(1000), 10), `${"x".repeat(10)}…`);
  assert.ok(line(`z${"\u0301".repeat(500)}`).length < 10);
});

test("what is told twice counts once, in whatever order it comes", async () => {
  const { Connections } = await part("connections.js");
  const view = (n, more = {}) => ({
    id: `c${n}`, cursor: String(n).padStart(13, "0"), listener: { id: "l", name: "gate" }, peer: { ip: "::1", port: n }, local: { ip: "::1", port: 80 },
    state: "open", opened_at: "2026-11-22T10:15:02.417093Z", closed_at: null, closed_by: null, close_reason: null,
    received: { bytes: 0, messages: 0 }, sent: { bytes: 0, messages: 0 }, messages: [], more_messages: 0, ...more,
  });
  const said = (n, seq, offset) => ({ connection: `c${n}`, direction: "received", seq, offset, size: 5, text: `m${seq}`, malformed: false });
  const known = new Connections();
  known.put(view(5));
  assert.ok(known.message(said(5, 1, 0)) && known.message(said(5, 2, 5)) && known.message(said(5, 1, 0)));
  assert.ok(!known.message(said(9, 1, 0)));
  known.putOlder([view(5, { received: { bytes: 5, messages: 1 } }), view(3), view(1)]);
  known.putOlder([view(2), view(1)]);
  known.put(view(7, { state: "closed", closed_at: "2026-11-22T10:15:03.000001Z", closed_by: "peer", close_reason: "peer_reset" }));
  known.put(view(7));
  assert.deepEqual(known.rows.map(({ id }) => id), ["c1", "c2", "c3", "c5", "c7"]);
  assert.deepEqual(known.byId.get("c5").received, { bytes: 10, messages: 2 });
  assert.deepEqual([known.byId.get("c5").text, known.byId.get("c5").from], ["m1", "[::1]:5"]);
  assert.equal(known.byId.get("c7").state, "closed");
  assert.equal(known.byId.get("c7").closed - known.byId.get("c7").opened, 582_908);
});

test("every sentence of the page is there in Chinese, and no other", async () => {
  const { zh } = await part("zh.js");
  const folder = new URL("../../src/api/ui/", import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "zh.js")
    .map((name) => readFileSync(new URL(name, folder), "utf8"));
  const said = sources.flatMap((text) => [...text.matchAll(/\bt\(\s*("(?:[^"\\]|\\.)*")/g)].map((match) => JSON.parse(match[1])));
  assert.deepEqual([...new Set(said)].filter((sentence) => !(sentence in zh)), []);
  // States of a listener come from the API.
  const all = [...sources, '"draining" "failed"'].join("\n");
  assert.deepEqual(Object.keys(zh).filter((sentence) => !all.includes(JSON.stringify(sentence)) && !all.includes(`${sentence}:`)), []);
});
