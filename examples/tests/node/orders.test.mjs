// A service for the file, a port for each test. Run it with `node --test`; it needs no package.
// The binary is the one in $ANSWERBACK, or `answerback` of the PATH.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

let service, url;

before(async () => {
  const command = process.env.ANSWERBACK ?? "answerback";
  service = spawn(command, ["serve", "--listen", "127.0.0.1:0", "--journal", "memory"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  // The first line comes once the API answers: `answerback: http://127.0.0.1:40123`.
  const [line] = await once(createInterface({ input: service.stdout }), "line");
  url = line.split(" ")[1];
});

after(() => service.kill());

async function call(method, path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const json = answer.status === 204 ? null : await answer.json();
  // Of an expectation that is not met, the detail says what came nearest.
  if (!answer.ok) throw new Error(json.detail);
  return json;
}

const open = (spec) => call("POST", "/listeners", { port: 0, host: "127.0.0.1", encoding: "utf-8", ...spec });
const expect = (listener, what) => call("POST", "/expect", { listener: listener.id, ...what });

/** The code under test. */
async function sendOrder(port, number) {
  const shop = connect(port, "127.0.0.1");
  shop.end(`ORDER ${number}\n`);
  const [answer] = await once(shop, "data");
  return answer.toString();
}

test("an order is sent and its answer read", async () => {
  const server = await open({ reply: "ACCEPTED\n" });
  assert.equal(await sendOrder(server.port, 4711), "ACCEPTED\n");
  const outcome = await expect(server, { match: { starts_with: "ORDER " } });
  assert.equal(outcome.evidence[0].text, "ORDER 4711\n");
  await call("DELETE", `/listeners/${server.id}`);
});

test("what did not come is told by what came nearest", async () => {
  const server = await open({ reply: "ACCEPTED\n" });
  await sendOrder(server.port, 4712);
  const never = expect(server, { match: { equals: "ORDER 4711\n" }, within: "0s" });
  await assert.rejects(never, /differs at byte 9: expected 31, got 32/);
  await call("DELETE", `/listeners/${server.id}`);
});
