// The page's decisions, without a screen: states, reasons, links, ends, and what is remembered.
//
//   node page.mjs
//
// Exits 0 if each sentence holds.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

process.env.TZ = "UTC";
const here = fileURLToPath(new URL(".", import.meta.url));
const folder = await mkdtemp(`${here}/built-`);
const modules = ["address", "again", "api", "ends", "failure", "memory", "state", "taken", "times"];
await build({
  stdin: { contents: modules.map((name) => `export * from "../page/${name}.ts";`).join("\n"), resolveDir: here },
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: `${folder}/page.mjs`,
});
const page = await import(pathToFileURL(`${folder}/page.mjs`).href);
await rm(folder, { recursive: true });

const NOW = Date.UTC(2026, 4, 20, 14, 30);
const KNOWN = {
  state: "connected",
  mode: "edit",
  storage: "ok",
  storageReason: null,
  unsaved: 0,
  kept: true,
  retryAt: null,
  ended: null,
  heardAt: NOW,
  silentAt: NOW + 25_000,
  offline: false,
  askedAt: null,
  waitingSince: null,
  awaySince: null,
  offlineSince: null,
  unsavedSince: null,
};
const shown = (known, now = NOW) => page.shownOf({ ...KNOWN, ...known }, now);

test("a viewer and an editor who only reads are told that all is well only while the server is heard", () => {
  for (const [mode, word] of [
    ["view_only", "Up to date"],
    ["edit", "Saved"],
  ]) {
    const fresh = shown({ mode });
    assert.deepEqual([fresh.look, fresh.text], ["saved", word]);
    assert.equal(fresh.again, KNOWN.silentAt);
    const old = shown({ mode }, fresh.again);
    assert.deepEqual([old.look, old.text], ["slow", "Last heard 25 s ago"]);
    assert.equal(shown({ mode, heardAt: fresh.again, silentAt: fresh.again + 25_000 }, fresh.again).look, "saved");
    // A server that need not say more, or not as often.
    for (const silentAt of [null, NOW + 65_000]) {
      const quiet = shown({ mode, silentAt }, NOW + 60_000);
      assert.deepEqual([quiet.look, quiet.text, quiet.again], ["saved", word, silentAt]);
    }
  }
});

test("a device without a network is told at once, whatever the connection says, and what becomes of edits", () => {
  for (const state of ["connected", "connecting", "reconnecting"]) {
    const gone = { state, offline: true, offlineSince: NOW };
    assert.equal(shown({ ...gone, awaySince: NOW }).text, "No network");
    assert.equal(shown({ ...gone, unsaved: 13 }).text, "No network, 13 edits kept here");
  }
  // A server on this machine has been heard since.
  assert.equal(shown({ offline: true, offlineSince: NOW - 1 }).text, "Saved");
  const lost = shown({ offline: true, offlineSince: NOW, unsaved: 1, kept: false });
  assert.equal(lost.text, "No network, 1 edit not saved: keep this page open");
  assert.match(shown({ offline: true, offlineSince: NOW, mode: "view_only" }).detail, /may be old/);
});

test("an edit on its way is worth a word after a moment, and slow after three seconds", () => {
  const waiting = { unsaved: 3, waitingSince: NOW, unsavedSince: NOW };
  const steps = [];
  for (let at = NOW; steps.length < 3;) {
    const { look, text, again } = shown({ ...waiting, heardAt: at, silentAt: at + 25_000 }, at);
    steps.push([at - NOW, look, text]);
    at = again;
  }
  assert.deepEqual(steps, [
    [0, "saved", "Saved"],
    [page.SAVING_MS, "saving", "Saving…"],
    [page.SLOW_MS, "slow", "Slow, 3 edits waiting"],
  ]);
});

test("words become a sentence with one end", () => {
  const words = ["the store is full", "Saving…", "Ask the owner."];
  assert.deepEqual(words.map(page.sentence), ["The store is full.", "Saving…", "Ask the owner."]);
});

test("edits that were unsaved for a moment are not called saved because their push has just been sent", () => {
  const back = { unsaved: 3, waitingSince: NOW, unsavedSince: NOW - page.SAVING_MS };
  const first = shown(back);
  assert.deepEqual([first.text, first.again], ["Saving…", NOW + page.SLOW_MS]);
  assert.equal(shown({ ...back, waitingSince: null }).text, "Saving…");
});

test("a question that the server does not answer is told as soon as an edit that it does not answer", () => {
  const asked = { heardAt: NOW - 6000, askedAt: NOW };
  const first = shown(asked);
  assert.deepEqual([first.text, first.again], ["Saved", NOW + page.SLOW_MS]);
  const then = shown(asked, first.again);
  assert.deepEqual([then.look, then.text], ["slow", "Last heard 9 s ago"]);
});

test("a connection that was lost a moment ago is not yet away", () => {
  const lost = { state: "reconnecting", awaySince: NOW, retryAt: NOW + 6000, unsaved: 2 };
  const first = shown(lost);
  assert.deepEqual([first.look, first.text], ["saving", "Reconnecting…"]);
  const then = shown(lost, first.again);
  assert.deepEqual([then.look, then.text, then.canRetry], ["away", "No connection, 2 edits kept here", true]);
  assert.match(then.detail, /Next attempt in 5 s\.$/);
  assert.equal(shown({ state: "connecting", ended: { code: 1006, reason: "" }, awaySince: 0 }).look, "away");
  assert.equal(shown({ state: "connecting" }).text, "Connecting…");
});

test("a server that cannot store is told from one that is slow", () => {
  assert.equal(shown({ storage: "down" }).text, "The server cannot save now");
  const waiting = shown({ storage: "down", unsaved: 4, waitingSince: NOW - 9000 });
  assert.deepEqual([waiting.look, waiting.text], ["slow", "The server cannot save now, 4 edits waiting"]);
  assert.match(waiting.detail, /^The server tries again by itself\./);
  const full = shown({ storage: "down", storageReason: "the store is full" });
  assert.match(full.detail, /^The store is full\. The server tries again by itself\./);
});

test("an end is told with its time, and that the text is read-only", () => {
  const ended = { state: "closed", awaySince: NOW, ended: { code: 4410, reason: "" } };
  assert.match(shown(ended, NOW + 3_600_000).text, /^Ended (14:30|02:30 PM), read-only$/);
  assert.match(shown({ ...ended, unsaved: 2 }).text, /read-only, 2 edits not saved$/);
  const other = shown({ ...ended, ended: { code: 1000, reason: "" } });
  assert.equal(other.text, "Open in another window, read-only");
});

test("each state has a shape of its own, which the docs explain", async () => {
  const shapes = Object.values(page.SHAPES);
  assert.equal(new Set(shapes).size, 5);
  const docs = await readFile(`${here}/../../docs/how-it-works.md`, "utf8");
  for (const shape of shapes) assert.ok(docs.includes(`| ${shape} `), shape);
  assert.ok(docs.includes("heard in the last 25 seconds"));
});

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.a-b_c";

test("a link with something harmless behind it opens its codespace", () => {
  const plain = { token: TOKEN, language: "" };
  for (const behind of ["", ")", ",", ".", "...", ">", "?utm_source=chat", "&fbclid=1", " ", "%20", ")."])
    assert.deepEqual(page.parseHash(`#${TOKEN}${behind}`), plain, behind);
  for (const behind of ["/python", "%2Fpython", "/python)", "/python?utm_source=chat&x=%20y", "/python."])
    assert.deepEqual(page.parseHash(`#${TOKEN}${behind}`), { token: TOKEN, language: "python" }, behind);
});

test("a link that is not whole is told from no link", () => {
  for (const none of ["", "#", "#%20"]) assert.equal(page.parseHash(none), "start");
  for (const broken of ["#bad token!!", "#/python", "#tök", `#${TOKEN} ${TOKEN}`, "#%ff", `#${"x".repeat(600)}`])
    assert.equal(page.parseHash(broken), "broken", broken);
});

test("links to a codespace lead to the folder of the page", () => {
  const at = (base) => page.formatAddress("T", "go", base);
  assert.equal(at("https://example.org/"), "https://example.org/#T/go");
  assert.equal(at("https://example.org/pad/?utm_source=x#old"), "https://example.org/pad/#T/go");
  assert.equal(at("https://example.org/pad/index.html"), "https://example.org/pad/#T/go");
});

const signed = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.y`;

test("a link says when it ends, if it does", () => {
  assert.equal(page.linkEnd(signed({ exp: NOW / 1000, "???": "ÿþ" })), NOW);
  for (const other of [signed({}), signed({ exp: "soon" }), "opaque", "a.%.b", "tmp-1", ""])
    assert.equal(page.linkEnd(other), null, other);
});

test("nobody is offered a link for longer than one's own", () => {
  const names = (end) => page.choicesWithin(end, NOW).map(({ name }) => name);
  assert.deepEqual(names(null), ["in an hour", "in a day", "in a week", "never"]);
  assert.deepEqual(names(NOW + 2 * 86_400_000).slice(0, 2), ["in an hour", "in a day"]);
  const short = names(NOW + 90_000);
  assert.equal(short.length, 1);
  assert.match(short[0], /^at .*31.*, as your own link$/);
});

test("one is warned five minutes and one minute before a link ends, and each time once", () => {
  const end = NOW + 3_600_000;
  const told = [];
  for (let at = NOW; at !== null; at = page.nextChange(end, at))
    told.push([(end - at) / 60_000, page.warningAt(end, at)]);
  assert.deepEqual(told, [
    [60, null],
    [5, 5],
    [1, 1],
    [0, null],
  ]);
});

test("each end is told in words for the person with the link", () => {
  const told = (code, more = {}) => page.failureOf({ code, linkEnd: null, known: false, now: NOW, ...more });
  assert.equal(told(4401).title, "This link does not work.");
  assert.match(told(4401, { known: true }).sentence, /started again without the texts/);
  for (const code of [4404, 4410]) assert.equal(told(code).title, "This codespace is gone.");
  assert.match(told(4410, { linkEnd: NOW - 1000 }).title, /^This link ended at .*\.$/);
  assert.match(told(4410, { linkEnd: NOW - 86_400_000 }).title, /^This link ended on .*\.$/);
  assert.equal(told(4410, { linkEnd: NOW + 3_600_000 }).title, "This codespace is gone.");
  const all = [1000, 1003, 1007, 1009, 4400, 4401, 4403, 4404, 4410, 4999].map((code) => told(code));
  for (const { title, sentence } of [...all, page.BROKEN])
    assert.doesNotMatch(title + sentence, /token|tmp-|uuid|\d{4}|websocket|json/i);
});

const storage = new Map();
globalThis.localStorage = {
  getItem: (key) => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, value),
};
const visit = (token, at, more = {}) =>
  page.rememberRecent({ token, language: "go", title: token, at, mode: "edit", ...more });
const tokens = () => page.loadRecent().map(({ token }) => token);

test("codespaces are remembered by the dozen, the last one first, each once", () => {
  storage.clear();
  for (let each = 1; each <= 40; each++) visit(`t${each}`, each);
  visit("t7", 41);
  assert.equal(tokens().length, 40);
  assert.deepEqual(tokens().slice(0, 3), ["t7", "t40", "t39"]);
});

test("a name of one's own stays, and goes when it is emptied", () => {
  storage.clear();
  visit("a", 1);
  page.renameRecent("a", "  Two sum ");
  visit("a", 2, { title: "other words" });
  assert.equal(page.findRecent("a").name, "Two sum");
  page.renameRecent("a", " ");
  assert.equal(page.findRecent("a").name, undefined);
});

test("one codespace or all are forgotten, and come back in their places", () => {
  storage.clear();
  for (const [index, token] of ["a", "b", "c"].entries()) visit(token, index);
  const one = page.forgetRecent("b");
  assert.deepEqual(tokens(), ["c", "a"]);
  one();
  assert.deepEqual(tokens(), ["c", "b", "a"]);
  const all = page.forgetRecent();
  assert.deepEqual(tokens(), []);
  visit("b", 9);
  all();
  assert.deepEqual(tokens(), ["b", "c", "a"]);
});

test("what another program has kept in the browser's memory is no codespace", () => {
  for (const kept of ["nonsense", "{}", '[1, null, {"token": 5}]']) {
    storage.set("pyshare.recent", kept);
    assert.deepEqual(tokens(), []);
  }
});

test("a long text has time to leave over a slow line, and a short one is soon known not to", async (t) => {
  const asked = [];
  t.mock.method(AbortSignal, "timeout", (ms) => (asked.push(ms), new AbortController().signal));
  t.mock.method(globalThis, "fetch", async (path, { body }) => new Response(JSON.stringify({ bytes: body.length })));
  assert.ok((await page.createCodespace("")).bytes < 10);
  assert.ok((await page.createCodespace("字".repeat(500_000))).bytes > 1_500_000);
  const [short, long] = asked;
  assert.ok(short < 16_000);
  assert.ok(long > (1_500_000 / 30_000) * 1000, "at 30 KB a second");
});

test("a page that is refused for now asks again by itself, and says so", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let asked = 0;
  let refusals = 3;
  t.mock.method(globalThis, "fetch", async () => {
    asked++;
    if (refusals-- > 0) {
      const reason = "more than 300 new codespaces in a minute from your address; try again later";
      return new Response(JSON.stringify({ reason }), { status: 429, headers: { "Retry-After": "2" } });
    }
    return new Response(JSON.stringify({ edit: { token: "t" } }));
  });
  const told = [];
  const made = page.untilTaken(
    () => page.createCodespace(""),
    (sentence) => told.push(sentence),
  );
  const turn = async () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  t.mock.timers.tick(1900);
  await turn();
  assert.equal(asked, 1, "not sooner than the server wants");
  for (let each = 0; each < 3; each++) {
    t.mock.timers.tick(8000);
    await turn();
  }
  assert.equal((await made).edit.token, "t");
  assert.equal(asked, 4);
  assert.equal(told.length, 3);
  assert.match(told[0], /^No codespace yet: more than 300 .* from your address\. This page tries again by itself\.$/);
});

test("a page gives up after two minutes, and at once where another try is of no use", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let status = 503;
  t.mock.method(
    globalThis,
    "fetch",
    async () => new Response(JSON.stringify({ reason: "the store is full" }), { status }),
  );
  const turn = async () => new Promise((resolve) => setImmediate(resolve));
  const tell = () => {};
  const refused = assert.rejects(
    page.untilTaken(() => page.createCodespace(""), tell),
    /the store is full/,
  );
  for (let each = 0; each < 20; each++) {
    await turn();
    t.mock.timers.tick(16_000);
  }
  await refused;
  status = 403;
  await assert.rejects(
    page.untilTaken(() => page.createCodespace(""), tell),
    /the store is full/,
  );
});

test("a page that is told to stop asks no more, and says no more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const stop = new AbortController();
  let asked = 0;
  const told = [];
  const ask = async () => {
    asked++;
    throw new page.ApiError(429, "too many", 1000);
  };
  const made = assert.rejects(
    page.untilTaken(ask, (sentence) => told.push(sentence), stop.signal),
    { name: "AbortError" },
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([asked, told.length], [1, 1]);
  stop.abort();
  t.mock.timers.tick(200_000);
  await made;
  assert.deepEqual([asked, told.length], [1, 1]);
});

test("a codespace that is made after the page was told to stop is not gone to", async () => {
  const stop = new AbortController();
  const ask = async () => {
    stop.abort();
    return "a codespace";
  };
  await assert.rejects(
    page.untilTaken(ask, () => {}, stop.signal),
    { name: "AbortError" },
  );
});

test("texts that were taken back are kept up to 8 MiB, the newest ones, and the page says how many are not", () => {
  const taken = new page.TakenBack();
  assert.deepEqual([taken.text, taken.sentence], ["", ""]);
  const million = 2 ** 20;
  let forgotten = 0;
  const add = (inserted, code = "too_large") =>
    taken.add({ code, reason: "it is long", inserted, forget: () => forgotten++ });
  add("a".repeat(million));
  assert.equal(taken.sentence, "An edit was taken back: it is long.");
  for (const letter of "bcd") add(letter.repeat(million));
  assert.equal(
    taken.sentence,
    "An edit was taken back: it is long (this is the last of 4). " +
      "The text of one edit is not kept: together they have more than 8 MiB.",
  );
  assert.equal(taken.text, [..."bcd"].map((letter) => letter.repeat(million)).join("\n"));
  for (let each = 0; each < 10_000; each++) add("");
  assert.ok(taken.text.length < 4 * million, "edits that insert nothing count too");
  add("x".repeat(5 * million));
  assert.equal(taken.text, "", "one that is too long by itself is not kept");
  assert.match(taken.sentence, /The text of 10005 edits is not kept/);
  taken.close();
  assert.deepEqual([taken.sentence, forgotten], ["", 0], "what is not kept here is offered by the next visit");
  add("of before", "set_aside");
  assert.equal(taken.sentence, "Text of an earlier visit could not be saved: it is long.");
  taken.close();
  assert.equal(forgotten, 1);
});
