// What the tests of the page stand on: the service as a process, a browser, and TCP clients. Everything is on loopback, on
// ports of the kernel's choice, and ends with the test at the latest.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** Longer than anything takes on a busy machine: what hangs fails instead. */
const PATIENCE = 60_000;

let given;
let browser;

/** Takes what the tests need to know. */
export function begin(what) {
  given = { ...what, require: createRequire(join(what.tools, "of.js")) };
  mkdirSync(given.pictures, { recursive: true });
  after(() => browser?.then((one) => one.close()));
}

/** Where a picture belongs. */
export const picture = (name) => join(given.pictures, `${name}.png`);

/** A package of the tools. */
export const tool = (name) => given.require(name);

/** A file of the page, imported as it is. */
export const part = (name) => import(new URL(`../../src/api/ui/${name}`, import.meta.url));

/** Starts a service of its own for the test `t`. */
export async function service(t, args = [], environment = {}) {
  const home = mkdtempSync(join(tmpdir(), "answerback-page-"));
  const child = spawn(given.answerback, ["serve", "--listen", "127.0.0.1:0", "--journal", "memory", ...args], {
    cwd: home, env: { PATH: process.env.PATH, ...environment }, stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  });
  const url = await new Promise((found, failed) => {
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      const line = /answerback: (http:\S+)\n/.exec(said);
      if (line) found(line[1]);
    });
    child.on("exit", (code) => failed(new Error(`it ended with ${code}: ${said}`)));
  });
  const ask = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method, headers: { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  const open = (spec) => ask("POST", "/listeners", { port: 0, host: "127.0.0.1", encoding: "utf-8", reply: "ok\n", ...spec });
  return { url, ask, open, child };
}

/** A page of the browser. What it says on its console, or throws, fails the test. */
export async function page(t, { url }, options = {}, at = "") {
  browser ??= tool("playwright-core").chromium.launch({
    executablePath: given.chromium,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  const context = await (await browser).newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US", ...options });
  context.setDefaultTimeout(PATIENCE);
  t.after(() => context.close());
  const tab = await context.newPage();
  tab.faults = [];
  tab.asked = new Set();
  tab.on("pageerror", (fault) => tab.faults.push(fault.stack));
  tab.on("dialog", (dialog) => { tab.faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  // That the service said no is told on the console too; that is no fault of the page.
  tab.on("console", (line) => { if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) tab.faults.push(line.text()); });
  tab.on("request", (request) => tab.asked.add(new URL(request.url()).origin));
  await tab.goto(`${url}/${at}`);
  return tab;
}

/** The page follows the events. */
export const isLive = (tab) => tab.waitForSelector("body[data-ready]");

/** A TCP client. */
export class Peer {
  static async connect({ port }) {
    const peer = new Peer();
    peer.socket = net.connect(port, "127.0.0.1");
    peer.got = Buffer.alloc(0);
    peer.ended = false;
    peer.socket.on("data", (data) => { peer.got = Buffer.concat([peer.got, data]); peer.wake?.(); });
    peer.socket.on("end", () => { peer.ended = true; peer.wake?.(); });
    peer.socket.on("error", () => { peer.ended = true; peer.wake?.(); });
    await new Promise((done) => peer.socket.once("connect", done));
    return peer;
  }

  send(bytes) {
    this.socket.write(bytes);
  }

  /** Waits until what it got is as wanted. */
  async until(wanted) {
    while (!wanted(this)) await new Promise((wake) => { this.wake = wake; });
    return this.got;
  }
}

/** A client that sends this and reads its answer to the end. */
export async function visit(listener, bytes) {
  const peer = await Peer.connect(listener);
  peer.send(bytes);
  const got = await peer.until((one) => one.ended);
  peer.socket.end();
  return got;
}

/** A line between the browser and a service, which can be cut. */
export async function line(t) {
  const sockets = new Set();
  const self = { to: null, cut: false };
  const server = net.createServer((near) => {
    if (self.cut) {
      near.destroy();
      return;
    }
    const far = net.connect(self.to, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => { sockets.delete(one); other.destroy(); });
    }
  });
  await new Promise((ready) => { server.listen(0, "127.0.0.1", ready); });
  t.after(() => { self.break(); server.close(); });
  self.host = `127.0.0.1:${server.address().port}`;
  self.break = () => {
    self.cut = true;
    for (const socket of sockets) socket.destroy();
  };
  self.mend = () => { self.cut = false; };
  return self;
}
