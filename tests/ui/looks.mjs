// How it looks and reads: no serious finding of axe, and pictures for somebody to look at.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Peer, page, picture, service, tool, visit } from "./support.mjs";

/** Each size, light and dark, and both languages, without all of their combinations. */
const LOOKS = [
  [1440, 900, "light", "en-US"], [1440, 900, "dark", "zh-CN"], [1024, 768, "light", "en-US"],
  [390, 844, "light", "zh-CN"], [390, 844, "dark", "en-US"], [360, 640, "light", "zh-CN"],
];

/** What a day leaves behind. */
async function furnish(one) {
  const gate = await one.open({ name: "gate", encoding: "gbk", reply: "问题正在处理中..." });
  const lines = await one.open({
    name: "lines", framing: { type: "delimiter", delimiters: ["\n"], frame_replies: true }, reply: "what?", then: "keep",
    rules: [{ name: "login", when: { regex: "^LOGIN \\w+$" }, reply: "welcome", set_state: "in" }, { name: "work", when: { equals: "WORK" }, state: "in", reply: ["started", "still busy"] }],
  });
  const flaky = await one.open({ name: "flaky", reply: "0123456789\n", faults: [{ type: "reset", after_bytes: 4 }] });
  for (let n = 0; n < 12; n += 1) await visit(gate, n % 3 ? "请帮我处理这个问题" : "GET /status HTTP/1.1\r\nHost: gate\r\n\r\n");
  await visit(flaky, "hi");
  const peer = await Peer.connect(lines);
  peer.send(Buffer.concat([Buffer.from("WORK\nLOGIN bob\nWORK\nBYE \x1b[31mred\u202e gnp\n"), Buffer.from([0xff, 0xfe, 0x41, 0x0a])]));
  await peer.until(({ got }) => got.toString().split("\n").length > 5);
  return peer;
}

async function judge(tab, name) {
  await tab.screenshot({ path: picture(name) });
  const axe = tool("axe-core");
  await tab.evaluate(axe.source);
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious.map(({ id, nodes }) => `${name}: ${id}: ${nodes.map((node) => `${node.html.slice(0, 150)} ${node.any[0]?.message ?? ""}`).slice(0, 3).join(" | ")}`), []);
}

test("axe finds nothing serious, at any size, light and dark, in both languages", { timeout: 120_000 }, async (t) => {
  const bare = await service(t);
  const one = await service(t);
  const peer = await furnish(one);
  const talk = (await one.ask("GET", "/connections?listener=lines")).items[0].id;
  const tongue = (await one.ask("GET", "/connections?listener=gate")).items[0].id;
  for (const [width, height, colorScheme, locale] of LOOKS) {
    const options = { viewport: { width, height }, colorScheme, locale };
    const name = (what) => [what, width, colorScheme, locale.slice(0, 2)].join("-");
    const empty = await page(t, bare, options);
    await empty.waitForSelector("#open-first");
    await judge(empty, name("empty"));
    await empty.context().close();
    const tab = await page(t, one, options);
    await tab.waitForSelector("#rows [role=option]");
    await judge(tab, name("list"));
    await tab.evaluate((hash) => { location.hash = hash; }, `c=${talk}`);
    await tab.waitForSelector(".flow article >> nth=4");
    await judge(tab, name("talk"));
    await tab.evaluate((hash) => { location.hash = hash; }, `q=listener:gate&c=${tongue}&show=hex`);
    await tab.waitForSelector(".flow article .gutter");
    await judge(tab, name("hex"));
    if (width < 760) {
      await tab.click("#tabs [data-pane=listeners]");
      await tab.waitForSelector("form.reply");
      await judge(tab, name("listeners"));
    }
    assert.deepEqual(tab.faults, []);
    assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, name("wide"));
    await tab.context().close();
  }
  peer.socket.destroy();
});

test("the dialogs and menus are sound too", async (t) => {
  const one = await service(t);
  const listener = await one.open({ name: "gate" });
  await visit(listener, "hello");
  const tab = await page(t, one);
  await tab.waitForSelector("#rows [role=option]");
  await tab.keyboard.press("?");
  await judge(tab, "keys");
  await tab.keyboard.press("Escape");
  await tab.click(".pick");
  await tab.click("form.reply button:has-text('Spec…')");
  await judge(tab, "spec");
  await tab.keyboard.press("Escape");
  await tab.locator("#rows [role=option]").first().click();
  await tab.locator(".tools .menu-button").first().click();
  await judge(tab, "menu");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("/");
  await tab.keyboard.press("End");
  await tab.keyboard.type(" ");
  await judge(tab, "search");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("Escape");
  await tab.click("[aria-label='Open a port']");
  await judge(tab, "open");
  assert.equal(readFileSync(picture("open")).subarray(1, 4).toString(), "PNG");
});
