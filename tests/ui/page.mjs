// What somebody does who keeps the page open, done for real: a service, a browser, TCP clients.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Peer, isLive, line, page, service, visit } from "./support.mjs";

/** The rows of the list, from top to bottom. */
const rows = (tab) => tab.locator("#rows [role=option]");
const row = (tab, text) => rows(tab).filter({ hasText: text });
const messages = (tab) => tab.locator(".flow article");

async function until(look, wanted) {
  for (let tries = 0; ; tries += 1) {
    const seen = await look();
    if (wanted(seen)) return seen;
    assert.ok(tries < 3000, `it is still ${JSON.stringify(seen)}`);
    await new Promise((next) => { setTimeout(next, 20); });
  }
}

test("the empty page opens the first port, and the first byte appears without a reload", async (t) => {
  const one = await service(t);
  const tab = await page(t, one);
  await tab.click("#open-first");
  await tab.waitForSelector(".type code");
  const [listener] = (await one.ask("GET", "/listeners")).items;
  assert.match(await tab.textContent(".type code >> nth=0"), new RegExp(`nc 127\\.0\\.0\\.1 ${listener.port} \\| iconv -f gbk`));
  await visit(listener, "hello, page\n");
  await row(tab, "hello, page\\n").waitFor();
  assert.match(await rows(tab).first().getAttribute("aria-label"), /received 12 bytes.*hello, page/);
  assert.deepEqual([...tab.asked], [one.url]);
  assert.deepEqual(tab.faults, []);
});

test("a port is opened in one line, and its reply is changed under a live client", async (t) => {
  const one = await service(t);
  const tab = await page(t, one);
  await isLive(tab);
  await tab.keyboard.press("o");
  await tab.keyboard.type("0");
  await tab.fill("form.open [aria-label=Name]", "gate");
  await tab.fill("form.open [aria-label=Reply]", "first\\n");
  await tab.selectOption("form.open [aria-label=Encoding]", "utf-8");
  await tab.selectOption("form.open [aria-label='after the reply']", "keep");
  await tab.click("form.open .primary");
  await tab.waitForSelector(".listener.picked form.reply");
  const listener = await one.ask("GET", "/listeners/gate");
  const peer = await Peer.connect(listener);
  peer.send("a");
  await peer.until(({ got }) => got.equals(Buffer.from("first\n")));
  await tab.fill("form.reply [aria-label=Reply]", "second\\n");
  await tab.click("form.reply .primary");
  await until(async () => (await one.ask("GET", "/listeners/gate")).reply.text, (text) => text === "second\n");
  peer.send("b");
  await peer.until(({ got }) => got.equals(Buffer.from("first\nsecond\n")));
  await tab.click("form.reply button:has-text('Spec…')");
  const spec = JSON.parse(await tab.inputValue("dialog textarea"));
  await tab.fill("dialog textarea", JSON.stringify({ ...spec, rules: [{ when: { equals: "PING" }, reply: "PONG" }], colour: 1 }));
  await tab.click("dialog .primary");
  await tab.waitForSelector("dialog .fault:has-text('colour')");
  await tab.fill("dialog textarea", JSON.stringify({ ...spec, rules: [{ when: { equals: "PING" }, reply: "PONG" }] }));
  await tab.click("dialog .primary");
  await tab.waitForSelector("dialog", { state: "detached" });
  peer.send("PING");
  await peer.until(({ got }) => got.equals(Buffer.from("first\nsecond\nPONG")));
  await tab.click("form.reply .danger");
  await tab.click("form.reply .danger[data-asked]");
  await peer.until(({ ended }) => ended);
  await tab.waitForSelector(".listener", { state: "detached" });
  assert.deepEqual(tab.faults, []);
});

test("a conversation is followed, spoken into and hung up on", async (t) => {
  const one = await service(t);
  const listener = await one.open({ name: "radio", reply: null, then: "keep" });
  const tab = await page(t, one);
  await isLive(tab);
  const peer = await Peer.connect(listener);
  await rows(tab).first().click();
  peer.send("are you there?");
  await messages(tab).filter({ hasText: "are you there?" }).waitFor();
  await tab.keyboard.press("s");
  await tab.keyboard.type("yes\\n");
  await tab.keyboard.press("Enter");
  await peer.until(({ got }) => got.equals(Buffer.from("yes\n")));
  await tab.locator(".flow .sent").filter({ hasText: "yes" }).waitFor();
  await tab.selectOption(".send select", "hex");
  await tab.fill("#send", "00 ff");
  await tab.click(".send .primary");
  await peer.until(({ got }) => got.equals(Buffer.from([0x79, 0x65, 0x73, 0x0a, 0, 0xff])));
  await tab.click(".send button:has-text('Close')");
  await peer.until(({ ended }) => ended);
  peer.socket.end();
  await tab.waitForSelector(".flow .end:has-text('requested')");
  assert.ok(await tab.isHidden(".send"));
  assert.deepEqual(tab.faults, []);
});

test("the search takes the words of the API, stays in the address, and goes on live", async (t) => {
  const one = await service(t);
  const gate = await one.open({ name: "gate" });
  const other = await one.open({ name: "other" });
  await visit(gate, "用户登录");
  await visit(gate, "else");
  await visit(other, "登录 there");
  const tab = await page(t, one);
  await row(tab, "else").waitFor();
  await tab.keyboard.press("/");
  await tab.keyboard.type("listener:gate contains:登录");
  await until(() => rows(tab).count(), (n) => n === 1);
  assert.match(decodeURIComponent(tab.url()), /#q=listener:gate\+contains:登录$/);
  await visit(gate, "nothing of it");
  await visit(gate, "再次登录");
  await row(tab, "再次登录").waitFor();
  assert.equal(await rows(tab).count(), 2);
  await row(tab, "再次登录").click();
  await messages(tab).first().waitFor();
  assert.equal(await tab.evaluate(() => [...CSS.highlights.get("found")].map(String).join()), "登录");
  await tab.keyboard.press("Escape");
  const shared = await page(t, one, {}, new URL(tab.url()).hash);
  await until(() => rows(shared).count(), (n) => n === 2);
  assert.equal(await shared.inputValue("#search"), "listener:gate contains:登录");
  await tab.fill("#search", "colour:red");
  await tab.keyboard.press("Enter");
  assert.match(await tab.textContent(".search-fault"), /no filter colour/);
  await tab.fill("#search", "state:open");
  await tab.waitForSelector(".welcome");
  const peer = await Peer.connect(gate);
  await until(() => rows(tab).count(), (n) => n === 1);
  peer.socket.destroy();
  await tab.waitForSelector(".welcome");
  await tab.fill("#search", "peer:nowhere");
  await tab.waitForSelector(".search-fault:has-text('must be an address')");
  await tab.fill("#search", "else");
  await row(tab, "else").waitFor();
  assert.ok(await tab.isHidden(".search-fault"));
  assert.deepEqual([...tab.faults, ...shared.faults], []);
});

test("a line that breaks loses nothing and doubles nothing", async (t) => {
  const between = await line(t);
  const one = await service(t, ["--allow-host", between.host]);
  between.to = new URL(one.url).port;
  const listener = await one.open({});
  await visit(listener, "before");
  const tab = await page(t, { url: `http://${between.host}` });
  await row(tab, "before").waitFor();
  between.break();
  await tab.waitForSelector(".status[data-state=waiting]");
  for (let n = 0; n < 5; n += 1) await visit(listener, `meanwhile ${n}`);
  between.mend();
  await row(tab, "meanwhile 4").waitFor();
  await visit(listener, "after");
  await row(tab, "after").waitFor();
  assert.equal(await rows(tab).count(), 7);
});

test("a tab that nobody sees gives its line up, and catches up when it is seen", async (t) => {
  const one = await service(t);
  const listener = await one.open({});
  await visit(listener, "before");
  const tab = await page(t, one);
  await row(tab, "before").waitFor();
  await tab.clock.install();
  const see = (hidden) => tab.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const ended = tab.waitForEvent("requestfailed", (request) => request.url().includes("/events"));
  await see(true);
  await tab.clock.runFor(31_000);
  await ended;
  await visit(listener, "meanwhile");
  await see(false);
  await tab.clock.resume();
  await row(tab, "meanwhile").waitFor();
  assert.equal(await rows(tab).count(), 2);
  assert.deepEqual(tab.faults, []);
});

test("bytes are read in another encoding and framing, and the view survives a reload", async (t) => {
  const one = await service(t);
  const listener = await one.open({ name: "gate", encoding: "gbk", reply: "收到" });
  await visit(listener, "请帮我处理这个问题");
  const tab = await page(t, one);
  await rows(tab).first().click();
  await tab.waitForSelector(".badge.warn:has-text('malformed')");
  assert.equal(await tab.locator(".hex .bad").first().textContent(), "98");
  await tab.click(".offer button");
  await messages(tab).filter({ hasText: "请帮我处理这个问题" }).waitFor();
  assert.match(tab.url(), /encoding=utf-8/);
  await tab.keyboard.press("Escape");
  await visit(listener, "one\ntwo\nthree");
  await row(tab, "one\\ntwo").click();
  await tab.selectOption(".tools [aria-label=Framing]", "delimiter:0a");
  await tab.locator(".flow .received").filter({ hasText: "two" }).waitFor();
  assert.equal(await tab.locator(".flow .received").count(), 3);
  await tab.locator(".note.near").filter({ hasText: "frame incomplete" }).first().waitFor();
  await tab.keyboard.press("2");
  await tab.waitForSelector(".body.hex .gutter");
  await tab.reload();
  await tab.waitForSelector(".body.hex .gutter");
  assert.equal(await tab.locator(".flow .received").count(), 3);
  assert.deepEqual(tab.faults, []);
});

test("what was said can be copied and saved", async (t) => {
  const one = await service(t);
  const listener = await one.open({ name: "gate" });
  await visit(listener, Buffer.from([0x41, 0x0a, 0xff]));
  const tab = await page(t, one, { permissions: ["clipboard-read", "clipboard-write"] });
  await rows(tab).first().click();
  const copied = async (name) => {
    await tab.locator(".flow .received .menu-button").click();
    await tab.getByRole("menuitem", { name }).click();
    await tab.waitForSelector("#said p");
    return tab.evaluate(() => navigator.clipboard.readText());
  };
  assert.equal(await copied("hex"), "41 0a ff");
  assert.equal(await copied("base64"), "QQr/");
  assert.equal(await copied("Python"), 'b"A\\n\\xff"');
  assert.match(await copied("C array"), /data\[3\] = \{\n {4}0x41, 0x0a, 0xff,/);
  const saved = async (name) => {
    await tab.locator(".tools .menu-button").last().click();
    const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("menuitem", { name }).click()]);
    return readFile(await download.path());
  };
  assert.deepEqual(await saved("received"), Buffer.from([0x41, 0x0a, 0xff]));
  assert.equal((await saved("pcapng")).readUInt32LE(0), 0x0a0d0d0a);
  assert.deepEqual(tab.faults, []);
});

test("all of it can be reached with the keyboard", async (t) => {
  const one = await service(t);
  const listener = await one.open({});
  for (const text of ["first", "second", "third"]) await visit(listener, text);
  const tab = await page(t, one);
  await row(tab, "third").waitFor();
  await tab.keyboard.press("j");
  await tab.keyboard.press("j");
  await tab.keyboard.press("Enter");
  await messages(tab).filter({ hasText: "second" }).waitFor();
  await tab.keyboard.press("j");
  await messages(tab).filter({ hasText: "first" }).waitFor();
  await tab.keyboard.press("k");
  await messages(tab).filter({ hasText: "second" }).waitFor();
  await tab.keyboard.press("Escape");
  await tab.waitForSelector("body:not(.talking)");
  await tab.keyboard.press("?");
  await tab.waitForSelector("dialog[open] dl");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("p");
  await visit(listener, "while paused");
  assert.equal(await tab.getAttribute(".pauser", "aria-pressed"), "true");
  assert.equal(await row(tab, "while paused").count(), 0);
  await tab.keyboard.press("p");
  await row(tab, "while paused").waitFor();
  await rows(tab).first().click();
  await messages(tab).first().waitFor();
  await tab.goBack();
  await tab.waitForSelector("body:not(.talking)");
  await tab.goForward();
  await messages(tab).first().waitFor();
  assert.deepEqual(tab.faults, []);
});

test("Chinese is spoken to who asks for it, and can be chosen", async (t) => {
  const one = await service(t);
  const tab = await page(t, one, { locale: "zh-CN" });
  await tab.waitForSelector("h2:has-text('还没有打开任何端口')");
  assert.equal(await tab.getAttribute("html", "lang"), "zh-Hans");
  await tab.click(".language");
  await tab.waitForSelector("h2:has-text('No port is open yet')");
  assert.deepEqual(tab.faults, []);
});
