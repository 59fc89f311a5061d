// Addresses of codespaces: those that can be dialled, and those that are refused with a sentence.
//
//   node tests/address.mjs      in the page's folder of sources

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./world.mjs";

const { socketAddress } = await load(`export {socketAddress} from "../client/address.ts"`);

test("an address of a WebSocket or of HTTP, with a slash or without, and a link to the page lead to the codespace", () => {
  for (const [given, wanted] of [
    ["wss://example.org/codespace/a.b-c/", "wss://example.org/codespace/a.b-c/"],
    ["ws://example.org:8888/codespace/abc", "ws://example.org:8888/codespace/abc/"],
    ["https://example.org/below/codespace/abc/", "wss://example.org/below/codespace/abc/"],
    [new URL("http://[::1]:8889/codespace/abc/"), "ws://[::1]:8889/codespace/abc/"],
    ["https://example.org/#abc", "wss://example.org/codespace/abc/"],
    ["https://example.org/below/#abc/python", "wss://example.org/below/codespace/abc/"],
    ["https://example.org/below/index.html#abc/", "wss://example.org/below/codespace/abc/"],
  ]) {
    assert.equal(socketAddress(given).href, wanted);
  }
});

test("what is not the address of a codespace is refused, and the error names it and what is wrong", () => {
  for (const [given, words] of [
    ["", "is not a URL"],
    ["nonsense", "is not a URL"],
    ["ws://", "is not a URL"],
    ["ftp://example.org/codespace/abc/", "begin with ws:"],
    ["ws://example.org/", "/codespace/TOKEN/"],
    ["ws://example.org/codespace/", "/codespace/TOKEN/"],
    ["ws://example.org/codespace//", "/codespace/TOKEN/"],
    ["ws://example.org/codespace/abc/more/", "/codespace/TOKEN/"],
    ["https://example.org/#a%20b", "/codespace/TOKEN/"],
    ["ws://ada:secret@example.org/codespace/abc/", "no user and password"],
    ["ws://example.org/codespace/abc/?name=Ada", "the client adds the query itself"],
    ["ws://example.org/codespace/abc/#def", "the client adds the query itself"],
  ]) {
    assert.throws(
      () => socketAddress(given),
      (error) => {
        assert.ok(error instanceof TypeError);
        assert.ok(error.message.startsWith(`${JSON.stringify(given)} is not the address of a codespace: it `));
        assert.ok(error.message.includes(words), error.message);
        return true;
      },
    );
  }
});
