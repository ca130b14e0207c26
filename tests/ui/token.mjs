// The token: asked for once, kept in the tab, sent nowhere else; and foreign pages are refused.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isLive, page, service } from "./support.mjs";

test("the token is asked for once, kept in this tab and in no other", async (t) => {
  const one = await service(t, [], { ANSWERBACK_TOKEN: "swordfish" });
  const tab = await page(t, one);
  await tab.fill("#token", "carp");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("dialog .fault");
  await tab.fill("#token", "swordfish");
  await tab.keyboard.press("Enter");
  await isLive(tab);
  await tab.click("#open-first");
  await tab.waitForSelector(".type");
  await tab.reload();
  await isLive(tab);
  assert.equal(await tab.locator("dialog").count(), 0);
  assert.deepEqual(await tab.context().cookies(), []);
  assert.ok(!(await tab.evaluate(() => JSON.stringify(localStorage) + location.href)).includes("swordfish"));
  const other = await tab.context().newPage();
  await other.goto(one.url);
  await other.waitForSelector("#token");
  await other.keyboard.press("Escape");
  await other.waitForSelector(".status[data-state=stopped]");
  assert.match(await other.textContent(".search-fault"), /token/);
  assert.equal(await other.locator("dialog").count(), 0);
  assert.deepEqual(tab.faults, []);
});

test("the page has a policy without exceptions, and is shown in no other page", async (t) => {
  const one = await service(t);
  const answer = await fetch(one.url);
  const policy = answer.headers.get("content-security-policy");
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
    assert.ok(policy.includes(part), policy);
  }
  assert.ok(!policy.includes("unsafe"), policy);
  const listener = await one.open({ name: "foreign", host: "127.0.0.1", encoding: "utf-8", then: "close",
    reply: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\nConnection: close\r\n\r\n<title>foreign</title" });
  const tab = await page(t, { url: `http://127.0.0.1:${listener.port}` });
  const reached = await tab.evaluate(async (url) => {
    const tries = [fetch(`${url}/listeners`), fetch(`${url}/reset`, { method: "POST", mode: "no-cors" }), fetch(`${url}/events`)];
    return (await Promise.allSettled(tries)).map(({ status, value }) => (status === "fulfilled" ? value.type : "refused"));
  }, one.url);
  assert.deepEqual(reached, ["refused", "refused", "refused"]);
  assert.equal((await one.ask("GET", "/listeners")).items.length, 1);
});
