// What strangers send never executes, and does not break the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Peer, page, service } from "./support.mjs";

const CORPUS = {
  script: "<script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>",
  attribute: "\" onmouseover=\"alert(4)\" x='javascript:alert(5)' `${alert(6)}` {{7*7}}",
  template: "<template shadowrootmode=open><script>alert(7)</script></template><!--><script>alert(8)//-->",
  style: "</style><style>*{display:none}</style><link rel=stylesheet href=//example.org/x>",
  ansi: "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
  bidi: "\u202egnp.exe\u2066\u2067abc\u2069\u200f\u061c עברית العربية",
  nul: "\0\0\0before\0after\0",
  zalgo: `Z${"\u0310\u0334\u0328".repeat(2000)}algo`,
  invisible: "\u200b\u200c\u200d\u2060\ufeff\u{e0041}\u{e0042}",
  separators: "a\u2028b\u2029c\u0085d\ve\ff",
  wide: `\ufdfd${"\u{1242b}".repeat(200)}${"ﷺ".repeat(500)}`,
  invalid: Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf5, 0x80, 0x80, 0x80, 0xe2, 0x82]),
  everything: Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
  prototype: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
  line: Buffer.alloc(1 << 20, "x"),
  lines: Buffer.alloc(1 << 20, "\n"),
  marks: Buffer.alloc(1 << 20, 0xff),
};

test("no payload executes or breaks the layout", { timeout: 120_000 }, async (t) => {
  const one = await service(t);
  const listener = await one.open({ name: "gate", reply: { echo: true }, then: "keep", framing: { type: "until_close", max: "2MiB" } });
  const page390 = await page(t, one, { viewport: { width: 390, height: 844 } });
  const tab = await page(t, one);
  for (const payload of Object.values(CORPUS)) await send(listener, payload);
  await tab.waitForFunction((n) => document.querySelectorAll("#rows [role=option]").length === n, Object.keys(CORPUS).length);
  const rows = await tab.evaluate(() => [...document.querySelectorAll("#rows [role=option]")].map((row) => row.dataset.id));
  for (const one of [tab, page390]) {
    for (const id of rows) {
      for (const show of ["both", "text", "hex"]) {
        await one.evaluate((hash) => { location.hash = hash; }, `c=${id}&show=${show}`);
        await one.waitForSelector(`.flow article .body.${show}`);
        await one.waitForFunction((wanted) => document.querySelector("#rows [aria-selected=true]")?.dataset.id === wanted || innerWidth < 500, id);
        assert.deepEqual(await one.evaluate(broken), [], `${id} ${show}`);
      }
    }
    assert.deepEqual(one.faults, []);
    assert.deepEqual([...one.asked].filter((origin) => !origin.startsWith("http://127.0.0.1:")), []);
  }
  // A megabyte is shown in steps, and more of it when asked.
  await tab.evaluate(() => { location.hash = ""; });
  await tab.locator("#rows [aria-label*='received 1048576 bytes'][aria-label*='xxx']").click();
  await tab.click(".body .more");
  assert.deepEqual(await tab.evaluate(broken), []);
});

async function send(listener, payload) {
  const peer = await Peer.connect(listener);
  peer.socket.end(payload);
  await peer.until(({ ended }) => ended);
}

/** What of the page is not as it should be. */
function broken() {
  const faults = [];
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push(`the page is ${wide} px wider than the window`);
  if (document.documentElement.scrollHeight > innerHeight) faults.push("the page is higher than the window");
  for (const place of document.querySelectorAll(".flow, .rows, .text, .conversation")) {
    if (place.clientWidth && place.scrollWidth > place.clientWidth + 1) faults.push(`${place.className} is wider than its place: ${place.scrollWidth} of ${place.clientWidth}`);
  }
  for (const node of document.querySelectorAll(".flow *, .rows *")) {
    if (!["ARTICLE", "HEADER", "DIV", "SPAN", "B", "P", "PRE", "TIME", "BUTTON", "CODE"].includes(node.tagName)) faults.push(`there is a ${node.tagName}`);
  }
  const text = document.querySelector(".flow article .text");
  if (text && text.getBoundingClientRect().height > 3_000_000) faults.push("the text is endless");
  if (document.title !== "answerback") faults.push("the title changed");
  if ({}.polluted) faults.push("the prototype of all objects changed");
  return faults;
}
