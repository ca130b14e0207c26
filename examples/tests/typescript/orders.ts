// A client that was generated from the contract:
//
//   npx openapi-typescript --default-non-nullable=false http://127.0.0.1:7070/openapi.yaml -o api.d.ts
//   npx tsc --strict --target es2022 --module nodenext orders.ts && node orders.js http://127.0.0.1:7070
//
// Paths, bodies and answers are checked by the compiler: a field that is misspelled is an error.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const api = createClient<paths>({ baseUrl: process.argv[2] });

const opened = await api.POST("/listeners", {
  body: { port: 0, host: "127.0.0.1", encoding: "utf-8", reply: { text: "ACCEPTED\n" } },
});
assert(opened.data, opened.error?.detail);
const server = opened.data;

const shop = connect(server.port, "127.0.0.1");
shop.end("ORDER 4711\n");
const [answer] = await once(shop, "data");
assert.equal(String(answer), "ACCEPTED\n");

const met = await api.POST("/expect", { body: { listener: server.id, match: { starts_with: "ORDER " } } });
assert.equal(met.data?.evidence[0]?.text, "ORDER 4711\n");

const listed = await api.GET("/connections", { params: { query: { listener: server.id } } });
assert.equal(listed.data?.items[0]?.received.bytes, 11);
await api.DELETE("/listeners/{key}", { params: { path: { key: server.id } } });
console.log("passed");
