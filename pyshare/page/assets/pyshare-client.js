/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */

// client/index.ts
import { Compartment as Compartment3, Transaction as Transaction2 } from "@codemirror/state";
import { EditorView as EditorView4 } from "@codemirror/view";

// client/address.ts
var LINK = /^#([A-Za-z0-9_.=-]+)(?:\/[a-z]*)?$/;
var PATH = /^(?:\/[^/]+)*\/codespace\/[^/]+\/$/;
function socketAddress(url) {
  const given = String(url);
  const address = parsed(given);
  address.protocol = address.protocol.replace(/^http/, "ws");
  const link = LINK.exec(address.hash);
  if (link !== null && !PATH.test(address.pathname)) {
    address.pathname = new URL(`codespace/${link[1]}/`, address).pathname;
    address.hash = "";
  }
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  const mistake = mistakeOf(address);
  if (mistake !== "") throw new TypeError(`${JSON.stringify(given)} is not the address of a codespace: it ${mistake}`);
  return address;
}
function parsed(given) {
  const base = typeof document === "undefined" ? void 0 : document.baseURI;
  try {
    return new URL(given, base);
  } catch {
    const words = 'is not a URL; one looks like "wss://example.org/codespace/TOKEN/"';
    throw new TypeError(`${JSON.stringify(given)} is not the address of a codespace: it ${words}`);
  }
}
function mistakeOf({ protocol, username, password, pathname, search, hash }) {
  if (!/^wss?:$/.test(protocol)) return "should begin with ws:, wss:, http: or https:";
  if (username !== "" || password !== "") return "should have no user and password; the token says who may join";
  if (!PATH.test(pathname)) return "should have the path /codespace/TOKEN/, or be a link to pyshare's page";
  return search !== "" || hash !== "" ? "should end with the path; the client adds the query itself" : "";
}
function joiningAddress(address, session, name, known3) {
  const url = new URL(address);
  url.searchParams.set("session", session);
  url.searchParams.set("name", name);
  url.searchParams.set("progress", "1");
  if (known3 !== null) {
    url.searchParams.set("epoch", known3.epoch);
    url.searchParams.set("version", String(known3.version));
    if (known3.tip !== null) url.searchParams.set("tip", known3.tip);
  }
  return url;
}

// client/parcel.ts
import { ChangeSet as ChangeSet3 } from "@codemirror/state";

// node_modules/@codemirror/merge/dist/index.js
import { EditorView, ViewPlugin, gutter, Decoration, GutterMarker, WidgetType } from "@codemirror/view";
import { Facet, StateEffect, StateField, EditorSelection, Prec, RangeSet, RangeSetBuilder, Compartment, EditorState, ChangeSet, Text } from "@codemirror/state";
var Change = class _Change {
  constructor(fromA, toA, fromB, toB) {
    this.fromA = fromA;
    this.toA = toA;
    this.fromB = fromB;
    this.toB = toB;
  }
  /**
  @internal
  */
  offset(offA, offB = offA) {
    return new _Change(this.fromA + offA, this.toA + offA, this.fromB + offB, this.toB + offB);
  }
};
function findDiff(a, fromA, toA, b, fromB, toB) {
  if (a == b)
    return [];
  let prefix = commonPrefix(a, fromA, toA, b, fromB, toB);
  let suffix = commonSuffix(a, fromA + prefix, toA, b, fromB + prefix, toB);
  fromA += prefix;
  toA -= suffix;
  fromB += prefix;
  toB -= suffix;
  let lenA = toA - fromA, lenB = toB - fromB;
  if (!lenA || !lenB)
    return [new Change(fromA, toA, fromB, toB)];
  if (lenA > lenB) {
    let found = a.slice(fromA, toA).indexOf(b.slice(fromB, toB));
    if (found > -1)
      return [
        new Change(fromA, fromA + found, fromB, fromB),
        new Change(fromA + found + lenB, toA, toB, toB)
      ];
  } else if (lenB > lenA) {
    let found = b.slice(fromB, toB).indexOf(a.slice(fromA, toA));
    if (found > -1)
      return [
        new Change(fromA, fromA, fromB, fromB + found),
        new Change(toA, toA, fromB + found + lenA, toB)
      ];
  }
  if (lenA == 1 || lenB == 1)
    return [new Change(fromA, toA, fromB, toB)];
  let half = halfMatch(a, fromA, toA, b, fromB, toB);
  if (half) {
    let [sharedA, sharedB, sharedLen] = half;
    return findDiff(a, fromA, sharedA, b, fromB, sharedB).concat(findDiff(a, sharedA + sharedLen, toA, b, sharedB + sharedLen, toB));
  }
  return findSnake(a, fromA, toA, b, fromB, toB);
}
var scanLimit = 1e9;
var timeout = 0;
var crude = false;
function findSnake(a, fromA, toA, b, fromB, toB) {
  let lenA = toA - fromA, lenB = toB - fromB;
  if (scanLimit < 1e9 && Math.min(lenA, lenB) > scanLimit * 16 || timeout > 0 && Date.now() > timeout) {
    if (Math.min(lenA, lenB) > scanLimit * 64)
      return [new Change(fromA, toA, fromB, toB)];
    return crudeMatch(a, fromA, toA, b, fromB, toB);
  }
  let off = Math.ceil((lenA + lenB) / 2);
  frontier1.reset(off);
  frontier2.reset(off);
  let match1 = (x, y) => a.charCodeAt(fromA + x) == b.charCodeAt(fromB + y);
  let match2 = (x, y) => a.charCodeAt(toA - x - 1) == b.charCodeAt(toB - y - 1);
  let test1 = (lenA - lenB) % 2 != 0 ? frontier2 : null, test2 = test1 ? null : frontier1;
  for (let depth = 0; depth < off; depth++) {
    if (depth > scanLimit || timeout > 0 && !(depth & 63) && Date.now() > timeout)
      return crudeMatch(a, fromA, toA, b, fromB, toB);
    let done = frontier1.advance(depth, lenA, lenB, off, test1, false, match1) || frontier2.advance(depth, lenA, lenB, off, test2, true, match2);
    if (done)
      return bisect(a, fromA, toA, fromA + done[0], b, fromB, toB, fromB + done[1]);
  }
  return [new Change(fromA, toA, fromB, toB)];
}
var Frontier = class {
  constructor() {
    this.vec = [];
  }
  reset(off) {
    this.len = off << 1;
    for (let i = 0; i < this.len; i++)
      this.vec[i] = -1;
    this.vec[off + 1] = 0;
    this.start = this.end = 0;
  }
  advance(depth, lenX, lenY, vOff, other, fromBack, match) {
    for (let k = -depth + this.start; k <= depth - this.end; k += 2) {
      let off = vOff + k;
      let x = k == -depth || k != depth && this.vec[off - 1] < this.vec[off + 1] ? this.vec[off + 1] : this.vec[off - 1] + 1;
      let y = x - k;
      while (x < lenX && y < lenY && match(x, y)) {
        x++;
        y++;
      }
      this.vec[off] = x;
      if (x > lenX) {
        this.end += 2;
      } else if (y > lenY) {
        this.start += 2;
      } else if (other) {
        let offOther = vOff + (lenX - lenY) - k;
        if (offOther >= 0 && offOther < this.len && other.vec[offOther] != -1) {
          if (!fromBack) {
            let xOther = lenX - other.vec[offOther];
            if (x >= xOther)
              return [x, y];
          } else {
            let xOther = other.vec[offOther];
            if (xOther >= lenX - x)
              return [xOther, vOff + xOther - offOther];
          }
        }
      }
    }
    return null;
  }
};
var frontier1 = /* @__PURE__ */ new Frontier();
var frontier2 = /* @__PURE__ */ new Frontier();
function bisect(a, fromA, toA, splitA, b, fromB, toB, splitB) {
  let stop = false;
  if (!validIndex(a, splitA) && ++splitA == toA)
    stop = true;
  if (!validIndex(b, splitB) && ++splitB == toB)
    stop = true;
  if (stop)
    return [new Change(fromA, toA, fromB, toB)];
  return findDiff(a, fromA, splitA, b, fromB, splitB).concat(findDiff(a, splitA, toA, b, splitB, toB));
}
function chunkSize(lenA, lenB) {
  let size = 1, max = Math.min(lenA, lenB);
  while (size < max)
    size = size << 1;
  return size;
}
function commonPrefix(a, fromA, toA, b, fromB, toB) {
  if (fromA == toA || fromA == toB || a.charCodeAt(fromA) != b.charCodeAt(fromB))
    return 0;
  let chunk = chunkSize(toA - fromA, toB - fromB);
  for (let pA = fromA, pB = fromB; ; ) {
    let endA = pA + chunk, endB = pB + chunk;
    if (endA > toA || endB > toB || a.slice(pA, endA) != b.slice(pB, endB)) {
      if (chunk == 1)
        return pA - fromA - (validIndex(a, pA) ? 0 : 1);
      chunk = chunk >> 1;
    } else if (endA == toA || endB == toB) {
      return endA - fromA;
    } else {
      pA = endA;
      pB = endB;
    }
  }
}
function commonSuffix(a, fromA, toA, b, fromB, toB) {
  if (fromA == toA || fromB == toB || a.charCodeAt(toA - 1) != b.charCodeAt(toB - 1))
    return 0;
  let chunk = chunkSize(toA - fromA, toB - fromB);
  for (let pA = toA, pB = toB; ; ) {
    let sA = pA - chunk, sB = pB - chunk;
    if (sA < fromA || sB < fromB || a.slice(sA, pA) != b.slice(sB, pB)) {
      if (chunk == 1)
        return toA - pA - (validIndex(a, pA) ? 0 : 1);
      chunk = chunk >> 1;
    } else if (sA == fromA || sB == fromB) {
      return toA - sA;
    } else {
      pA = sA;
      pB = sB;
    }
  }
}
function findMatch(a, fromA, toA, b, fromB, toB, size, divideTo) {
  let rangeB = b.slice(fromB, toB);
  let best = null;
  for (; ; ) {
    if (best || size < divideTo)
      return best;
    for (let start = fromA + size; ; ) {
      if (!validIndex(a, start))
        start++;
      let end = start + size;
      if (!validIndex(a, end))
        end += end == start + 1 ? 1 : -1;
      if (end >= toA)
        break;
      let seed = a.slice(start, end);
      let found = -1;
      while ((found = rangeB.indexOf(seed, found + 1)) != -1) {
        let prefixAfter = commonPrefix(a, end, toA, b, fromB + found + seed.length, toB);
        let suffixBefore = commonSuffix(a, fromA, start, b, fromB, fromB + found);
        let length = seed.length + prefixAfter + suffixBefore;
        if (!best || best[2] < length)
          best = [start - suffixBefore, fromB + found - suffixBefore, length];
      }
      start = end;
    }
    if (divideTo < 0)
      return best;
    size = size >> 1;
  }
}
function halfMatch(a, fromA, toA, b, fromB, toB) {
  let lenA = toA - fromA, lenB = toB - fromB;
  if (lenA < lenB) {
    let result = halfMatch(b, fromB, toB, a, fromA, toA);
    return result && [result[1], result[0], result[2]];
  }
  if (lenA < 4 || lenB * 2 < lenA)
    return null;
  return findMatch(a, fromA, toA, b, fromB, toB, Math.floor(lenA / 4), -1);
}
function crudeMatch(a, fromA, toA, b, fromB, toB) {
  crude = true;
  let lenA = toA - fromA, lenB = toB - fromB;
  let result;
  if (lenA < lenB) {
    let inv = findMatch(b, fromB, toB, a, fromA, toA, Math.floor(lenA / 6), 50);
    result = inv && [inv[1], inv[0], inv[2]];
  } else {
    result = findMatch(a, fromA, toA, b, fromB, toB, Math.floor(lenB / 6), 50);
  }
  if (!result)
    return [new Change(fromA, toA, fromB, toB)];
  let [sharedA, sharedB, sharedLen] = result;
  return findDiff(a, fromA, sharedA, b, fromB, sharedB).concat(findDiff(a, sharedA + sharedLen, toA, b, sharedB + sharedLen, toB));
}
function mergeAdjacent(changes, minGap) {
  for (let i = 1; i < changes.length; i++) {
    let prev = changes[i - 1], cur = changes[i];
    if (prev.toA > cur.fromA - minGap && prev.toB > cur.fromB - minGap) {
      changes[i - 1] = new Change(prev.fromA, cur.toA, prev.fromB, cur.toB);
      changes.splice(i--, 1);
    }
  }
}
function normalize(a, b, changes) {
  for (; ; ) {
    mergeAdjacent(changes, 1);
    let moved = false;
    for (let i = 0; i < changes.length; i++) {
      let ch = changes[i], pre, post;
      if (pre = commonPrefix(a, ch.fromA, ch.toA, b, ch.fromB, ch.toB))
        ch = changes[i] = new Change(ch.fromA + pre, ch.toA, ch.fromB + pre, ch.toB);
      if (post = commonSuffix(a, ch.fromA, ch.toA, b, ch.fromB, ch.toB))
        ch = changes[i] = new Change(ch.fromA, ch.toA - post, ch.fromB, ch.toB - post);
      let lenA = ch.toA - ch.fromA, lenB = ch.toB - ch.fromB;
      if (lenA && lenB)
        continue;
      let beforeLen = ch.fromA - (i ? changes[i - 1].toA : 0);
      let afterLen = (i < changes.length - 1 ? changes[i + 1].fromA : a.length) - ch.toA;
      if (!beforeLen || !afterLen)
        continue;
      let text = lenA ? a.slice(ch.fromA, ch.toA) : b.slice(ch.fromB, ch.toB);
      if (beforeLen <= text.length && a.slice(ch.fromA - beforeLen, ch.fromA) == text.slice(text.length - beforeLen)) {
        changes[i] = new Change(ch.fromA - beforeLen, ch.toA - beforeLen, ch.fromB - beforeLen, ch.toB - beforeLen);
        moved = true;
      } else if (afterLen <= text.length && a.slice(ch.toA, ch.toA + afterLen) == text.slice(0, afterLen)) {
        changes[i] = new Change(ch.fromA + afterLen, ch.toA + afterLen, ch.fromB + afterLen, ch.toB + afterLen);
        moved = true;
      }
    }
    if (!moved)
      break;
  }
  return changes;
}
var wordChar;
try {
  wordChar = /* @__PURE__ */ new RegExp("[\\p{Alphabetic}\\p{Number}]", "u");
} catch (_) {
}
var isSurrogate1 = (code) => code >= 55296 && code <= 56319;
var isSurrogate2 = (code) => code >= 56320 && code <= 57343;
function validIndex(s, index) {
  return !index || index == s.length || !isSurrogate1(s.charCodeAt(index - 1)) || !isSurrogate2(s.charCodeAt(index));
}
function diff(a, b, config) {
  var _a;
  let override = config === null || config === void 0 ? void 0 : config.override;
  if (override)
    return override(a, b);
  scanLimit = ((_a = config === null || config === void 0 ? void 0 : config.scanLimit) !== null && _a !== void 0 ? _a : 1e9) >> 1;
  timeout = (config === null || config === void 0 ? void 0 : config.timeout) ? Date.now() + config.timeout : 0;
  crude = false;
  return normalize(a, b, findDiff(a, 0, a.length, b, 0, b.length));
}

// client/changes.ts
import { ChangeSet as ChangeSet2 } from "@codemirror/state";
var DIFFERENCE = { scanLimit: 1e3, timeout: 200 };
function difference(from, to) {
  const [before, after] = [from.toString(), to.toString()];
  const specs = diff(before, after, DIFFERENCE).map(({ fromA, toA, fromB, toB }) => {
    const start = splitsPair(before, fromA) || splitsPair(after, fromB) ? 1 : 0;
    const end = splitsPair(before, toA) || splitsPair(after, toB) ? 1 : 0;
    return { from: fromA - start, to: toA + end, insert: to.slice(fromB - start, toB + end) };
  });
  return ChangeSet2.of(specs, from.length);
}
function splitsPair(text, pos) {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(pos - 1, pos + 1)) && pos > 0;
}
function hasHalves(changes, doc) {
  let found = false;
  const divides = (pos) => pos > 0 && splitsPair(doc.sliceString(pos - 1, pos + 1), 1);
  changes.iterChanges((from, to, _fromB, _toB, inserted) => {
    found ||= new RegExp("\\p{Surrogate}", "u").test(inserted.toString()) || divides(from) || divides(to);
  }, true);
  return found;
}
function composed(sets, length) {
  if (sets.length === 0) return ChangeSet2.empty(length);
  return sets.reduceRight((changes, each) => each.compose(changes));
}
function byPush(updates) {
  const pushes = [];
  for (const update of updates) {
    const last = pushes.at(-1);
    if (last && last[0].sender === update.sender && last[0].seq === update.seq) last.push(update);
    else pushes.push([update]);
  }
  return pushes;
}
function shared(own2, done) {
  const all = [];
  done.iterChanges((from, to, _fromB, _toB, inserted) => all.push({ from, to, text: inserted.toString() }));
  const first = [];
  const rest = [];
  let shift = 0;
  let index = 0;
  own2.iterChanges((from, to, _fromB, _toB, inserted) => {
    while (index + 1 < all.length && all[index + 1].from <= from) index++;
    const other = all[index];
    const text = inserted.toString();
    let taken = null;
    if (other && other.from <= from && other.to >= to) {
      if (other.text.includes(text)) taken = text.length;
      else if (other.from === from && other.to === to && text.startsWith(other.text)) taken = other.text.length;
    }
    if (taken === null) {
      rest.push({ from: from + shift, to: to + shift, insert: inserted });
      return;
    }
    first.push({ from, to, insert: inserted.slice(0, taken) });
    if (taken < text.length) rest.push({ from: from + shift + taken, insert: inserted.slice(taken) });
    shift += taken - (to - from);
  });
  const part = ChangeSet2.of(first, own2.length);
  return [part, rest.length > 0 ? ChangeSet2.of(rest, part.newLength) : null];
}
function insertedBy(changes) {
  const parts2 = [];
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    if (inserted.length > 0) parts2.push(inserted.toString());
  });
  return parts2.join("\n");
}
function sizeOf(changes) {
  let size = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => size += toA - fromA + inserted.length);
  return size;
}

// client/parcel.ts
var SHARE = 2;
var PART_SECTIONS = 8192;
var FRAME_BYTES = 100;
var UNIT_BYTES = 6;
var CHANGE_BYTES = 48;
function partLimits({ message_bytes, push_sections }) {
  const sections = Math.min(Math.floor((push_sections ?? Infinity) / SHARE), PART_SECTIONS);
  return { bytes: Math.floor(message_bytes / SHARE), sections };
}
function pushLimits({ message_bytes, push_sections }) {
  return { bytes: message_bytes - FRAME_BYTES, sections: push_sections ?? Infinity };
}
function cut(changes, limits) {
  if (fits(changes, limits)) return [changes, null];
  const first = [];
  const rest = [];
  let spent = 0;
  let shift = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => {
    let room = limits.bytes - spent - CHANGE_BYTES;
    if (first.length === 0) room = Math.max(room, 2 * UNIT_BYTES);
    const full = first.length > 0 && 2 * first.length + 3 > limits.sections;
    if (rest.length > 0 || room <= 0 || full) {
      rest.push({ from: fromA + shift, to: toA + shift, insert: inserted });
      return;
    }
    const text = inserted.toString();
    const taken = fittingUnits(text, room);
    first.push({ from: fromA, to: toA, insert: inserted.slice(0, taken) });
    if (taken < text.length) rest.push({ from: fromA + shift + taken, insert: inserted.slice(taken) });
    spent += CHANGE_BYTES + textBytes(text.slice(0, taken));
    shift += taken - (toA - fromA);
  });
  return parts(changes, first, rest);
}
function shed(changes, limits) {
  if (fits(changes, limits)) return [changes, null];
  let inserting = 0;
  let bytes = 0;
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    if (inserted.length === 0) return;
    inserting++;
    bytes += textBytes(inserted.toString());
  });
  const most = Math.min((limits.sections - 1) / 2, (limits.bytes - bytes) / CHANGE_BYTES);
  let room = Math.floor(most) - inserting;
  const first = [];
  const rest = [];
  let shift = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => {
    if (inserted.length === 0 && room-- <= 0) {
      rest.push({ from: fromA + shift, to: toA + shift });
      return;
    }
    first.push({ from: fromA, to: toA, insert: inserted });
    shift += inserted.length - (toA - fromA);
  });
  return parts(changes, first, rest);
}
function deletions(changes) {
  const specs = [];
  changes.iterChanges((from, to) => specs.push({ from, to }));
  return ChangeSet3.of(specs, changes.length);
}
function parts(whole, first, rest) {
  const part = ChangeSet3.of(first, whole.length);
  return [part, rest.length > 0 ? ChangeSet3.of(rest, part.newLength) : null];
}
function measure(changes) {
  let sections = 1;
  let bytes = CHANGE_BYTES;
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    sections += 2;
    bytes += 2 * CHANGE_BYTES + UNIT_BYTES * inserted.length;
  }, true);
  return { bytes, sections };
}
function fits(changes, { bytes, sections }) {
  const most = measure(changes);
  if (most.bytes <= bytes && most.sections <= sections) return true;
  const json = changes.toJSON();
  return json.length <= sections && new TextEncoder().encode(JSON.stringify(json)).length <= bytes;
}
function fittingUnits(text, roomBytes) {
  let low = Math.min(text.length, Math.floor(roomBytes / UNIT_BYTES));
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (textBytes(text.slice(0, middle)) <= roomBytes) low = middle;
    else high = middle - 1;
  }
  return splitsPair(text, low) ? low - 1 : low;
}
function textBytes(text) {
  const lines = text.split("\n").length - 1;
  return new TextEncoder().encode(JSON.stringify(text)).length + lines;
}

// client/draft.ts
var LONG_BYTES = 16384;
var Drafted = class {
  #json = /* @__PURE__ */ new WeakMap();
  /** Return a chain as it stands in a draft, short edits together; the first one stays apart if `isFlying`. */
  of(chain, isFlying) {
    const sets = [];
    let wasShort = false;
    chain.forEach((changes, index) => {
      const isShort = measure(changes).bytes <= LONG_BYTES && !(isFlying && index === 0);
      if (isShort && wasShort) sets.push(sets.pop().compose(changes));
      else sets.push(changes);
      wasShort = isShort;
    });
    return sets.map((changes) => this.#jsonOf(changes));
  }
  #jsonOf(changes) {
    const json = this.#json.get(changes) ?? changes.toJSON();
    this.#json.set(changes, json);
    return json;
  }
};
function textIn(json) {
  const start = json.indexOf('"changes"');
  const end = json.indexOf('"inFlight"', start);
  const changes = json.slice(start < 0 ? 0 : start + '"changes"'.length, start < 0 || end < 0 ? void 0 : end);
  const literals = [...changes.matchAll(/"((?:[^"\\]|\\.)*)(?:"(\s*:)?|\\?$)/g)];
  const strings = literals.flatMap(([, string, colon]) => colon === void 0 ? [unescaped(string)] : []);
  return start < 0 ? "" : strings.join("\n").trim();
}
function unescaped(string) {
  try {
    return JSON.parse(`"${string}"`);
  } catch {
    return string;
  }
}

// client/records.ts
var FORGOTTEN_MS = 90 * 24 * 3600 * 1e3;
var STALE_MS = 24 * 3600 * 1e3;
var LONG_JSON = 4096;
var DRAFT = "pyshare:";
var BASE = "pyshare.base:";
var ASIDE = "pyshare.aside:";
var ADDRESS = "pyshare.address:";
var SESSION = /^[\w-]{16,64}$/;
var Records = class {
  #name;
  /** The base that is written, and its number; 0: none. */
  #base = null;
  #number = 0;
  /** Long edits that are written, with their numbers; and the last number that was used. */
  #long = /* @__PURE__ */ new Map();
  #last = 0;
  constructor(place3, session) {
    this.#name = `${place3}:${session}`;
  }
  /** Return the sessions of a place that have something unsaved, the oldest first; forget what is too old. */
  static sessions(place3) {
    const start = `${DRAFT}${place3}:`;
    const found = [];
    for (const key of keysWith(start)) {
      const session = key.slice(start.length);
      const kept = read(key);
      if (!SESSION.test(session)) continue;
      const at = typeof kept?.at === "number" ? kept.at : Date.now();
      if (Date.now() - at < FORGOTTEN_MS) found.push({ session, at });
      else remove(key);
    }
    return found.sort((one, other) => one.at - other.at).map(({ session }) => session);
  }
  /** Remove what has no use any more: texts of pages that have ended, and what is too old. */
  static async sweep(heldLocks2) {
    const bases = keysWith(BASE);
    const held = bases.length > 0 ? await heldLocks2() : null;
    for (const key of bases) {
      const name = key.slice(BASE.length, key.lastIndexOf(":"));
      if (attempt(() => localStorage.getItem(DRAFT + name)) != null) continue;
      const isStale = Date.now() - (read(key)?.at ?? 0) > STALE_MS;
      if (held === null ? isStale : !held.has(DRAFT + name)) remove(key);
    }
    for (const key of [...keysWith(ASIDE), ...keysWith(ADDRESS)]) {
      if (Date.now() - (read(key)?.at ?? 0) > FORGOTTEN_MS) remove(key);
    }
  }
  /** Return the codespace that an address led to last, and with which mode. */
  static codespaceAt(address) {
    return read(ADDRESS + address);
  }
  static rememberCodespace(address, codespace, mode) {
    const known3 = { codespace, mode, at: Date.now() };
    write(ADDRESS + address, known3);
  }
  /** Keep a text for the next page. Return its key; null if there is no room. */
  static setAside(place3, reason, text) {
    let key = `${ASIDE}${place3}:${Date.now()}`;
    while (attempt(() => localStorage.getItem(key)) != null) key += "+";
    return write(key, { reason, text, at: Date.now() }) ? key : null;
  }
  static asides(place3) {
    return keysWith(`${ASIDE}${place3}:`).flatMap((key) => {
      const kept = read(key);
      return kept === null ? [] : [{ ...kept, key, forget: () => remove(key) }];
    });
  }
  /** Return what is kept; null if nothing is, or nothing whole. */
  get() {
    const kept = read(DRAFT + this.#name);
    if (!Array.isArray(kept?.draft?.changes)) return null;
    const base = kept.draft.base ?? this.#read(kept.base)?.text;
    const changes = kept.draft.changes.map((each) => isNamed(each) ? this.#read(each.record)?.changes : each);
    if (typeof base !== "string" || changes.includes(void 0)) return null;
    this.#base = kept.draft.base === void 0 ? base : null;
    this.#number = kept.base ?? 0;
    kept.draft.changes.forEach((each, index) => isNamed(each) && this.#long.set(changes[index], each.record));
    return { draft: { ...kept.draft, base, changes }, at: kept.at };
  }
  /** Return the text that can be found in a draft that is not whole; null if there is none, or a whole one. */
  scraps() {
    const draft = attempt(() => localStorage.getItem(DRAFT + this.#name)) ?? null;
    if (draft === null || this.get() !== null) return null;
    const records = [...draft.matchAll(/\{"record":(\d+)\}/g)].map(([, number]) => this.#key(Number(number)));
    const long = records.map((key) => attempt(() => localStorage.getItem(key)) ?? "");
    return [draft, ...long].map(textIn).filter((text) => text !== "").join("\n");
  }
  /** Keep a draft; return whether there is room. */
  put(draft) {
    const at = Date.now();
    const added = [];
    const add = (what) => {
      added.push(++this.#last);
      return write(this.#key(this.#last), { ...what, at }) ? this.#last : 0;
    };
    this.#last = Math.max(this.#last, this.#number, ...this.#long.values());
    const number = draft.base === this.#base ? this.#number : add({ text: draft.base });
    const long = /* @__PURE__ */ new Map();
    const changes = draft.changes.map((each) => {
      const isLong = this.#long.has(each) || JSON.stringify(each).length > LONG_JSON;
      if (!isLong) return each;
      const named = { record: this.#long.get(each) ?? add({ changes: each }) };
      long.set(each, named.record);
      return named;
    });
    const { base, ...small } = draft;
    const kept = { draft: { ...small, changes }, base: number, at };
    if (number === 0 || [...long.values()].includes(0) || !write(DRAFT + this.#name, kept)) {
      for (const each of added) remove(this.#key(each));
      return false;
    }
    const before = [this.#number, ...this.#long.values()];
    [this.#base, this.#number, this.#long] = [base, number, long];
    const needed = /* @__PURE__ */ new Set([number, ...long.values()]);
    for (const each of before) if (!needed.has(each)) remove(this.#key(each));
    return true;
  }
  /** Keep no draft, but the text below the next one. */
  empty() {
    remove(DRAFT + this.#name);
    for (const number of this.#long.values()) remove(this.#key(number));
    this.#long.clear();
  }
  clear() {
    this.empty();
    for (const key of keysWith(this.#key(""))) remove(key);
    this.#base = null;
  }
  #key(number) {
    return `${BASE}${this.#name}:${number}`;
  }
  #read(number = 0) {
    return read(this.#key(number));
  }
};
function isNamed(changes) {
  return typeof changes?.record === "number";
}
function attempt(act) {
  try {
    return act();
  } catch {
    return void 0;
  }
}
function keysWith(start) {
  return (attempt(() => Object.keys(localStorage)) ?? []).filter((key) => key.startsWith(start));
}
function read(key) {
  return attempt(() => JSON.parse(localStorage.getItem(key) ?? "null")) ?? null;
}
function write(key, value) {
  return attempt(() => (localStorage.setItem(key, JSON.stringify(value)), true)) ?? false;
}
function remove(key) {
  attempt(() => localStorage.removeItem(key));
}

// client/refusals.ts
var STALE = /* @__PURE__ */ new Set(["too_old", "too_new", "seq", "in_flight"]);
var ANOTHER_LIFE = "this codespace has expired, and another one has begun at its address; its text is still on this screen";
var VIEW_ONLY = "this link is for viewing only";
var HALVES = "it has half of a character that must stay whole, such as an emoji; insert or select all of it";
var STRAY = "it was made upon one that cannot be saved; make it again";
function unreadable(text) {
  const found = text === "" ? "no text was found in it" : "this text was found in it";
  return `it was kept in a form that this page cannot read, and ${found}`;
}
function tooLong(limits) {
  const most = limits === null ? "" : ` of ${limits.text_units} characters`;
  return `it makes the text longer than the limit${most}; insert less, or delete something first`;
}
function refusalOf(edit, isStray, limits) {
  const { changes, startState, newDoc } = edit;
  const refusal = (code, reason) => ({ code, reason, inserted: insertedBy(changes) });
  if (isStray) return refusal("stray", STRAY);
  const most = Math.max(limits?.text_units ?? Infinity, startState.doc.length);
  if (newDoc.length > most) return refusal("too_large", tooLong(limits));
  return hasHalves(changes, startState.doc) ? refusal("invalid", HALVES) : null;
}
function reasonOf(frame, limits) {
  switch (frame.code) {
    case "too_long":
      return tooLong(limits);
    case "too_much":
      return "it changes too many places at once while others type; change one part of the text after the other";
    case "view_only":
      return VIEW_ONLY;
    case "invalid":
      return `the server cannot place it in the text (${frame.reason}); copy it, and insert it again`;
    default:
      return frame.reason;
  }
}

// client/local_drafts.ts
var ALIVE_MS = 2e4;
var GONE_MS = 12e4;
var LETTING_GO_MS = 1e3;
var IDLE_MS = 5e3;
var LocalDrafts = class _LocalDrafts {
  /** The name by the address, and by the codespace once that is known. */
  #address;
  #codespace = null;
  #newSession;
  #spot;
  #records = null;
  /** Ends of the locks that this page holds. */
  #locks = [];
  #alive;
  #idle;
  #kept = null;
  #isReleased = false;
  /** Names of the drafts, and keys of the texts, that were returned already. */
  #returned = /* @__PURE__ */ new Set();
  #told = /* @__PURE__ */ new Set();
  constructor(address, newSession2) {
    this.#address = address;
    this.#newSession = newSession2;
    this.#spot = { place: address, session: "" };
  }
  async take() {
    await Records.sweep(heldLocks);
    const known3 = Records.codespaceAt(this.#address);
    this.#codespace = known3?.codespace ?? null;
    const home = known3 === null || known3.mode === "view_only" ? this.#address : placeOf(known3.codespace);
    const own2 = attempt(() => sessionStorage.getItem(ownKey(this.#address))) ?? null;
    const places = /* @__PURE__ */ new Set([home, this.#address]);
    const spots = [...places].flatMap((place3) => Records.sessions(place3).map((session) => ({ place: place3, session })));
    const mine = spots.filter(({ session }) => session === own2);
    if (own2 !== null && mine.length === 0) mine.push({ place: home, session: own2 });
    for (const spot2 of [...mine, ...spots.filter(({ session }) => session !== own2)]) {
      if (await this.#claim(spot2, spot2.session === own2)) return this.#settle(spot2);
    }
    const spot = { place: home, session: this.#newSession() };
    await this.#claim(spot, true);
    return this.#settle(spot);
  }
  keep(draft) {
    this.#kept = draft;
    clearTimeout(this.#idle);
    if (draft !== null) return this.#records?.put(draft) ?? false;
    this.#records?.empty();
    this.#idle = setTimeout(() => this.tidy(), IDLE_MS);
    return true;
  }
  tidy() {
    clearTimeout(this.#idle);
    if (this.#kept === null) this.#records?.clear();
  }
  release() {
    this.tidy();
    clearInterval(this.#alive);
    this.#isReleased = true;
    for (const letGo of this.#locks.splice(0)) letGo();
  }
  async named(codespace, mode) {
    Records.rememberCodespace(this.#address, codespace, mode);
    this.#codespace = codespace;
    const spot = { place: placeOf(codespace), session: this.#spot.session };
    if (mode === "view_only" || spot.place === this.#spot.place) return;
    if (!await this.#hold(spot, false) || this.#isReleased) return;
    const before = this.#records;
    this.#spot = spot;
    this.#records = new Records(spot.place, spot.session);
    if (this.#kept === null || this.#records.put(this.#kept)) before?.clear();
  }
  async next() {
    const places = /* @__PURE__ */ new Set([this.#spot.place, this.#address]);
    if (this.#codespace !== null) places.add(placeOf(this.#codespace));
    for (const place3 of places) {
      for (const session of Records.sessions(place3)) {
        const key = `${place3}:${session}`;
        if (session === this.#spot.session || this.#returned.has(key)) continue;
        const other = new _LocalDrafts(this.#address, this.#newSession);
        if (!await other.#claim({ place: place3, session }, false)) continue;
        this.#returned.add(key);
        return other.#asLeft({ place: place3, session });
      }
    }
    return null;
  }
  setAside(reason, text, isOnScreen) {
    this.#kept = null;
    const kept = Records.setAside(this.#home, reason, text);
    this.#records?.clear();
    const key = kept ?? Records.setAside(this.#home, reason, text);
    if (key !== null && isOnScreen) this.#told.add(key);
    return key !== null;
  }
  asides() {
    const places = /* @__PURE__ */ new Set([this.#address, this.#home]);
    const all = [...places].flatMap((place3) => Records.asides(place3));
    const news = all.filter(({ key }) => !this.#told.has(key));
    for (const { key } of news) this.#told.add(key);
    return news;
  }
  /** The place of this codespace. */
  get #home() {
    return this.#codespace === null ? this.#address : placeOf(this.#codespace);
  }
  /** Return this as the store of a connection that sends what was left in `spot`, and nothing else. */
  #asLeft(spot) {
    return {
      take: async () => this.#settle(spot, false),
      keep: (draft) => this.keep(draft),
      release: () => this.release(),
      setAside: (reason, text, isOnScreen) => this.setAside(reason, text, isOnScreen)
    };
  }
  #settle(spot, own2 = true) {
    this.#spot = spot;
    this.#records = new Records(spot.place, spot.session);
    if (own2) attempt(() => sessionStorage.setItem(ownKey(this.#address), spot.session));
    const scraps = this.#records.scraps();
    if (scraps !== null) this.setAside(unreadable(scraps), scraps, false);
    this.#kept = this.#records.get()?.draft ?? null;
    this.#alive = setInterval(() => this.#kept && this.keep(this.#kept), ALIVE_MS);
    return { session: spot.session, draft: this.#kept };
  }
  /** Hold a session if no other page does; `own`: it was this window's. */
  async #claim(spot, own2) {
    const records = new Records(spot.place, spot.session);
    const kept = records.get();
    if (hasLocks()) return this.#hold(spot, own2 && kept !== null);
    if (records.scraps() !== null) return true;
    const [navigation] = performance.getEntriesByType("navigation");
    return own2 && navigation?.type === "reload" || kept !== null && Date.now() - kept.at > GONE_MS;
  }
  /** Hold the lock of a spot, where there are locks; `patient`: wait a moment for it. */
  async #hold({ place: place3, session }, patient) {
    if (!hasLocks()) return true;
    const options = patient ? { signal: AbortSignal.timeout(LETTING_GO_MS) } : { ifAvailable: true };
    return new Promise((resolve) => {
      const request = navigator.locks.request(lockOf(place3, session), options, async (lock) => {
        resolve(lock !== null);
        if (lock !== null && !this.#isReleased) await new Promise((letGo) => this.#locks.push(letGo));
      });
      request.catch(() => resolve(false));
    });
  }
};
function placeOf(codespace) {
  return `codespace-${codespace}`;
}
function ownKey(address) {
  return `pyshare:${address}`;
}
function lockOf(place3, session) {
  return `pyshare:${place3}:${session}`;
}
function hasLocks() {
  return navigator.locks !== void 0;
}
async function heldLocks() {
  if (!hasLocks()) return null;
  const { held } = await navigator.locks.query();
  return new Set(held?.flatMap(({ name }) => name === void 0 ? [] : [name]));
}

// client/drafts.ts
function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
function noDrafts() {
  return {
    take: () => Promise.resolve({ session: newSession(), draft: null }),
    keep: () => false,
    release: () => {
    }
  };
}
function localDrafts(address) {
  return new LocalDrafts(address, newSession);
}

// client/hints.ts
function hearHints(onHint, onHide) {
  if (typeof document === "undefined") return () => {
  };
  addEventListener("online", onHint);
  addEventListener("offline", onHint);
  addEventListener("pagehide", onHide);
  document.addEventListener("visibilitychange", onHint);
  return () => {
    removeEventListener("online", onHint);
    removeEventListener("offline", onHint);
    removeEventListener("pagehide", onHide);
    document.removeEventListener("visibilitychange", onHint);
  };
}

// client/language.ts
var SharedLanguage = class {
  #onLanguage;
  #name = "";
  /** What was chosen here and is not known to hold; null: nothing. It is sent again over the next connection. */
  #wanted = null;
  /** Whether that is still to be sent over this connection. */
  #isDue = false;
  /** Whether the server takes a choice of this client; null before the first welcome. */
  #isTaken = null;
  /** `onLanguage` is called with each language that is told, and the public id of who chose it; empty: long ago. */
  constructor(onLanguage) {
    this.#onLanguage = onLanguage;
  }
  /** The language that holds, or will when it is sent; empty: none was chosen. */
  get name() {
    return this.#wanted ?? this.#name;
  }
  choose(name) {
    if (name === this.name) return;
    if (this.#isTaken === false) {
      this.#name = name;
    } else {
      this.#wanted = name;
      this.#isDue = true;
    }
  }
  /** Take what a welcome tells; older servers tell, and take, no language. */
  welcome(name, mode) {
    this.#isTaken = this.#isDue = name !== void 0 && mode === "edit";
    if (!this.#isTaken) this.#wanted = null;
    else if (name === "" && this.#name !== "") this.#wanted ??= this.#name;
    else if (name === this.#wanted) this.#wanted = null;
    if (name && this.#wanted === null) this.receive(name, "");
  }
  receive(name, id) {
    if (!this.#isDue) this.#wanted = null;
    this.#name = name;
    this.#onLanguage(name, id);
  }
  /** Return the choice to be sent now, if any. */
  next() {
    if (this.#wanted === null || !this.#isTaken || !this.#isDue) return null;
    this.#isDue = false;
    return { type: "language", name: this.#wanted };
  }
};

// client/leftovers.ts
import { EditorState as EditorState2 } from "@codemirror/state";
var Leftovers = class {
  #open;
  /** The connection that sends now. */
  #sender = null;
  #isBusy = false;
  #isClosed = false;
  constructor(open) {
    this.#open = open;
  }
  /** Send all that is left; `drafts` knows where. What cannot be sent stays where it is. */
  async send(drafts) {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    for (let next = await drafts.next?.(); next; next = await drafts.next?.()) {
      if (this.#isClosed) next.release();
      else await this.#sendOne(next);
    }
    this.#isBusy = false;
  }
  close() {
    this.#isClosed = true;
    this.#sender?.close();
  }
  #sendOne(drafts) {
    return new Promise((resolve) => {
      const sender = this.#open(unseenEditor(), drafts, (status) => {
        if (status.state === "closed") resolve();
        else if (status.state === "connected" && status.unsaved === 0) queueMicrotask(() => sender.close());
      });
      this.#sender = sender;
    });
  }
};
function unseenEditor() {
  let state = EditorState2.create();
  return {
    get state() {
      return state;
    },
    dispatch(transactions) {
      for (const transaction of transactions) state = transaction.state;
    }
  };
}

// client/liveness.ts
var WELCOME_MS = 15e3;
var UNANSWERED_MS = 1e4;
var LATE_MS = 5e3;
var ROUTINE_ANSWER_MS = 1e4;
var ANSWER_MS = 5e3;
var SLEPT_MS = 5e3;
var LEAVING_MS = 1e3;
var LOOK_MS = 5e3;
var LONG_PUSH_BYTES = 32768;
var Liveness = class {
  #welcomed = false;
  /** Milliseconds after which a silent server gives a sign of life; null: it gives none. */
  #aliveMs = null;
  /** When anything last moved. */
  #progressAt;
  /** Bytes that had not left at the last look. */
  #leaving = 0;
  /** When the server was asked for a word, and the milliseconds without progress that its answer may take. */
  #askedAt = null;
  #answerMs = ROUTINE_ANSWER_MS;
  #waiting = false;
  #longPush = false;
  /** When the last look was, and when the next one is due. */
  #lookedAt;
  #lookAt = Infinity;
  constructor(now) {
    this.#progressAt = now;
    this.#lookedAt = now;
  }
  /** When the server was asked for a word, while it owes one. */
  get askedAt() {
    return this.#askedAt;
  }
  /** Return the time at which a server that was heard then should have said something again; null: it need not. */
  silentAt(heardAt) {
    return this.#aliveMs === null ? null : heardAt + this.#aliveMs + LATE_MS;
  }
  /** Take note of a message, a piece of one, or the opening of the socket. */
  heard(now) {
    this.#progressAt = now;
    this.#askedAt = null;
  }
  /** Take the welcome's word of the signs of life; 0: there are none. */
  welcomed(aliveMs) {
    this.#welcomed = true;
    this.#aliveMs = aliveMs === 0 ? null : aliveMs ?? null;
  }
  /** Take note of a push of so many bytes that was sent. */
  pushed(now, bytes) {
    this.#progressAt = now;
    this.#longPush = bytes > LONG_PUSH_BYTES;
  }
  /** Take note of whether the server owes the answer to a push. */
  waits(now, isWaiting) {
    if (isWaiting && !this.#waiting) this.#progressAt = now;
    this.#waiting = isWaiting;
    if (!isWaiting) this.#longPush = false;
  }
  /** Want a word soon: the machine slept, or the network has changed. Return whether to send a question. */
  wonder(now) {
    if (this.#welcomed && this.#aliveMs === null) return false;
    const asked = this.#askedAt !== null;
    this.#answerMs = this.#longPush ? UNANSWERED_MS : ANSWER_MS;
    this.#progressAt = now;
    this.#askedAt ??= now;
    return this.#welcomed && !asked;
  }
  /** Look whether the connection lives; `leaving`: bytes that have not left this machine. */
  look(now, leaving) {
    const slept = now - this.#lookAt > SLEPT_MS || now < this.#lookedAt;
    if (leaving < this.#leaving || now < this.#progressAt) this.#progressAt = now;
    this.#leaving = leaving;
    this.#lookedAt = now;
    let ask = false;
    if (slept && this.#askedAt === null) ask = this.wonder(now);
    if (now >= this.#deadline()) {
      const canAsk = this.#welcomed && !this.#waiting && this.#askedAt === null;
      if (!canAsk) return "lost";
      this.#askedAt = this.#progressAt = now;
      this.#answerMs = ROUTINE_ANSWER_MS;
      ask = true;
    }
    this.#lookAt = Math.min(this.#deadline(), now + (leaving > 0 ? LEAVING_MS : LOOK_MS));
    return { ask, lookAt: this.#lookAt };
  }
  #deadline() {
    if (this.#askedAt !== null) return this.#progressAt + this.#answerMs;
    if (!this.#welcomed) return this.#progressAt + WELCOME_MS;
    if (this.#waiting) return this.#progressAt + UNANSWERED_MS;
    return this.#aliveMs === null ? Infinity : this.#progressAt + this.#aliveMs + LATE_MS;
  }
};

// client/pauses.ts
var FIRST_MS = 250;
var LONGEST_MS = 1e4;
var SETTLED_MS = 1e3;
var Pauses = class {
  #ms = FIRST_MS;
  /** Time of the present connection's welcome; null: it has had none. */
  #welcomedAt = null;
  /** Take note of a welcome. */
  welcomed(now) {
    this.#welcomedAt = now;
  }
  /** Have the next pause be a first one. */
  restart() {
    this.#ms = FIRST_MS;
  }
  /** Return the milliseconds of the pause after a connection that has ended. */
  next(now) {
    if (this.#welcomedAt !== null && now - this.#welcomedAt >= SETTLED_MS) this.restart();
    this.#welcomedAt = null;
    const milliseconds = this.#ms * (1 - Math.random() / 2);
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
    return milliseconds;
  }
};

// client/pieces.ts
var Pieces = class {
  /** Pieces of a frame whose last one has not come. */
  #parts = [];
  /**
   * Return the frame that a message completes; null if more pieces follow.
   *
   * @throws SyntaxError if the message is not text, or stands between the pieces of a frame.
   */
  add(message) {
    if (typeof message !== "string") throw new SyntaxError("a binary message");
    const mark = message[0];
    if (mark !== "+" && mark !== "=") {
      if (this.#parts.length > 0) throw new SyntaxError("a message stands between the pieces of a frame");
      return message;
    }
    this.#parts.push(message.slice(1));
    if (mark === "+") return null;
    const frame = this.#parts.join("");
    this.#parts = [];
    return frame;
  }
};

// client/colors.ts
var COLORS = [
  { light: "#b4232a", dark: "#ff8f8a" },
  { light: "#1c6ab5", dark: "#7cbcff" },
  { light: "#18774a", dark: "#62d69a" },
  { light: "#8a3ffc", dark: "#c9a6ff" },
  { light: "#a3480a", dark: "#ffb072" },
  { light: "#00717c", dark: "#4fd6e2" },
  { light: "#a62a72", dark: "#ff94cf" },
  { light: "#5f6b00", dark: "#ccd84a" },
  { light: "#2a3390", dark: "#8f9bff" },
  { light: "#6b4a34", dark: "#d2b48c" },
  { light: "#4d5a66", dark: "#b9c4cf" },
  { light: "#7a1090", dark: "#f08cff" }
];
var Palette = class {
  #given = /* @__PURE__ */ new Map();
  /** Take it that these are here, and nobody else. */
  assign(ids) {
    const present = new Set(ids);
    this.#given = new Map([...this.#given].filter(([id]) => present.has(id)));
    const people = COLORS.map(() => 0);
    for (const color of this.#given.values()) people[color]++;
    for (const id of [...present].sort()) {
      if (this.#given.has(id)) continue;
      const fewest = Math.min(...people);
      let color = preferred(id);
      while (people[color] > fewest) color = (color + 1) % COLORS.length;
      this.#given.set(id, color);
      people[color]++;
    }
  }
  /** Return the colour of somebody who is here. */
  of(id) {
    return this.#given.get(id) ?? preferred(id);
  }
};
function preferred(id) {
  let sum = 0;
  for (const character of id) sum = sum * 31 + character.codePointAt(0) >>> 0;
  return sum % COLORS.length;
}

// client/names.ts
var BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
var TURNS = /[\u202a-\u202e\u2066-\u2069]/gu;
var PILES = new RegExp("(\\p{M}{3})\\p{M}+", "gu");
var VISIBLE = /[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;
function plainName(name) {
  const plain = name.replace(BREAKS, " ").replace(TURNS, "").replace(PILES, "$1").trim();
  return VISIBLE.test(plain) ? plain : "";
}

// client/presence.ts
var TOGETHER_MS = 20;
var Presence = class {
  #onPeers;
  #palette = new Palette();
  /** This client's own id, and everybody else by theirs. */
  #id = "";
  #peers = /* @__PURE__ */ new Map();
  /** Ids of those who were in the list of the welcome. */
  #found = /* @__PURE__ */ new Set();
  #timer;
  constructor(onPeers) {
    this.#onPeers = onPeers;
  }
  get all() {
    const present = (peer) => {
      return { ...peer, color: this.#palette.of(peer.id), wasHere: this.#found.has(peer.id) };
    };
    return [...this.#peers.values()].map(present);
  }
  /** The number of this client's own colour. */
  get ownColor() {
    return this.#palette.of(this.#id);
  }
  has(id) {
    return this.#peers.has(id);
  }
  /** Take the list of a welcome to the client `id`, and tell at once; an empty list: the connection is gone. */
  set(id, peers) {
    this.#id = id;
    this.#peers = new Map(peers.map((peer) => [peer.id, known(peer)]));
    this.#peers.delete(id);
    this.#found = new Set(this.#peers.keys());
    this.#tell();
  }
  add(peer) {
    this.#peers.delete(peer.id);
    if (peer.id !== this.#id) this.#peers.set(peer.id, known(peer));
    this.#tellSoon();
  }
  remove(id) {
    this.#peers.delete(id);
    this.#tellSoon();
  }
  #tellSoon() {
    this.#timer ??= setTimeout(() => this.#tell(), TOGETHER_MS);
  }
  #tell() {
    clearTimeout(this.#timer);
    this.#timer = void 0;
    this.#palette.assign([this.#id, ...this.#peers.keys()]);
    this.#onPeers(this.all);
  }
};
function known({ id, name, mode }) {
  return { id, name: plainName(name), mode };
}

// client/protocol.ts
var SUBPROTOCOL = "pyshare.v1";
var SELECTION_RANGES = 64;
var NAME_LENGTH = 64;
var FOR_GOOD = /* @__PURE__ */ new Set([
  1e3,
  // done
  1003,
  // binary frame
  1007,
  // not text
  1009
  // message too big
]);
var OWN_CODES = 4e3;
var TOO_SLOW = 4408;
var TOO_MANY = 4429;
var NOT_UNDERSTOOD = /* @__PURE__ */ new Set([1003, 1007, 1009, 4400]);
function mayComeBack(code) {
  return code < OWN_CODES ? !FOR_GOOD.has(code) : code === TOO_SLOW || code === TOO_MANY;
}
var TYPES = /* @__PURE__ */ new Set([
  "welcome",
  "updates",
  "refused",
  "select",
  "peer",
  "gone",
  "status",
  "alive",
  "language"
]);
function parseFrame(text) {
  const frame = JSON.parse(text);
  if (typeof frame !== "object" || frame === null || !("type" in frame))
    throw new SyntaxError("a message without type");
  return TYPES.has(frame.type) ? known2(frame) : null;
}
function known2(frame) {
  const looking = (one) => one.mode === "edit" ? one : { ...one, mode: "view_only" };
  if (frame.type === "welcome") return looking({ ...frame, peers: frame.peers.map(looking) });
  if (frame.type === "peer") return looking(frame);
  return frame.type === "status" && frame.storage !== "ok" ? { ...frame, storage: "down" } : frame;
}

// client/replica.ts
import { ChangeSet as ChangeSet6 } from "@codemirror/state";

// client/committed.ts
import { ChangeSet as ChangeSet4, Text as Text2 } from "@codemirror/state";
var MOST_SINCE = 8192;
var CHANGE_UNITS = 48;
var SHARE_OF_TEXT = 16;
var Committed = class {
  #text = Text2.empty;
  /** The base; null: the text as it will be when somebody asks. */
  #base = null;
  #since = null;
  #weight = 0;
  get text() {
    return this.#text;
  }
  /** Take a text that came whole. */
  set(text) {
    this.#text = text;
    this.#base = null;
    this.#since = null;
    this.#weight = 0;
  }
  change(changes) {
    this.#text = changes.apply(this.#text);
    if (this.#base === null) return;
    changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => this.#weight += CHANGE_UNITS + inserted.length);
    if (this.#weight > MOST_SINCE + this.#text.length / SHARE_OF_TEXT) this.set(this.#text);
    else this.#since = this.#since === null ? changes : this.#since.compose(changes);
  }
  /** Return the text in two parts; the base is the same string as before, as long as it can be. */
  based() {
    this.#base ??= this.#text.toString();
    return { base: this.#base, since: this.#since?.toJSON() ?? null };
  }
  /**
   * Take up a text in two parts.
   *
   * @throws RangeError if they do not fit one another; nothing is changed then.
   */
  restore({ base, since }) {
    const begin = Text2.of(base.split("\n"));
    const changes = since == null ? null : ChangeSet4.fromJSON(since);
    const text = changes === null ? begin : changes.apply(begin);
    this.set(text);
    this.#base = base;
    this.#since = changes;
  }
};

// client/screen.ts
import {
  Annotation,
  Compartment as Compartment2,
  EditorState as EditorState3,
  Facet as Facet2,
  StateEffect as StateEffect2,
  StateField as StateField2,
  Transaction
} from "@codemirror/state";
var NOTHING = [];
var setTyped = StateEffect2.define();
var byReplica = Annotation.define();
var barred = Facet2.define({ combine: (values) => values.some(Boolean) });
var rules = Facet2.define();
var APART = 64;
var typed = StateField2.define({
  create: () => NOTHING,
  update(before, transaction) {
    for (const effect of transaction.effects) if (effect.is(setTyped)) return effect.value;
    if (!isUsers(transaction) || !isTaken(transaction)) return before;
    const units = [...before, { changes: transaction.changes, edits: 1 }];
    return units.length > APART ? joined(units) : units;
  }
});
var stray = StateField2.define({
  create: () => null,
  update(before, transaction) {
    if (transaction.annotation(byReplica)) return null;
    if (!transaction.docChanged || isTaken(transaction)) return before;
    const back = transaction.changes.invert(transaction.startState.doc);
    return before === null ? back : back.compose(before);
  }
});
function isUsers(transaction) {
  return transaction.docChanged && !transaction.annotation(byReplica);
}
var verdicts = /* @__PURE__ */ new WeakMap();
function isTaken(transaction) {
  const known3 = verdicts.get(transaction);
  if (known3 !== void 0) return known3;
  const { startState } = transaction;
  const isStray = startState.field(stray, false) != null;
  const verdict = !startState.facet(barred) && startState.facet(rules).every((rule) => rule(transaction, isStray));
  verdicts.set(transaction, verdict);
  return verdict;
}
function joined(units) {
  if (units.length < 2) return units;
  const changes = composed(
    units.map((unit) => unit.changes),
    0
  );
  return [{ changes, edits: units.reduce((sum, { edits }) => sum + edits, 0) }];
}
function placing(place3, state, extension) {
  if (place3.get(state) === void 0) return [[StateEffect2.appendConfig.of(place3.of(extension))]];
  return [[place3.reconfigure([])], [place3.reconfigure(extension)]];
}
var place = new Compartment2();
var Screen = class {
  #editor;
  #access = new Compartment2();
  /** Nothing can be typed until that is allowed. An earlier screen of the editor gives way. */
  constructor(editor, rule) {
    this.#editor = editor;
    const passes = (transaction) => !isUsers(transaction) || isTaken(transaction);
    const extension = [
      typed,
      stray,
      this.#access.of(access(false)),
      rules.of(rule),
      EditorState3.transactionFilter.of((transaction) => passes(transaction) ? transaction : [])
    ];
    this.dispatch(...placing(place, editor.state, extension).map((effects) => ({ effects })));
  }
  get state() {
    return this.#editor.state;
  }
  get typed() {
    return this.#editor.state.field(typed);
  }
  /** Return the effect that lets the user edit, or bars the user from it. */
  access(mayEdit) {
    return this.#access.reconfigure(access(mayEdit));
  }
  /** Take back what is not taken. */
  clear() {
    const back = this.#editor.state.field(stray, false);
    if (back) this.#editor.dispatch([this.#editor.state.update(own({ changes: back }))]);
  }
  /** Make several changes one after the other, in one step for listeners of the editor. */
  dispatch(...specs) {
    this.clear();
    const transactions = [];
    for (const spec of specs) {
      const state = transactions.at(-1)?.state ?? this.#editor.state;
      transactions.push(state.update(own(spec)));
    }
    this.#editor.dispatch(transactions);
  }
};
function access(mayEdit) {
  return [EditorState3.readOnly.of(!mayEdit), barred.of(!mayEdit)];
}
function own(spec) {
  return {
    ...spec,
    annotations: [byReplica.of(true), Transaction.remote.of(true), Transaction.addToHistory.of(false)],
    filter: false
  };
}

// client/unconfirmed.ts
var MOVES = 64;
var ONE_CHANGE = 3;
var Unconfirmed = class {
  #screen;
  #inFlight = null;
  /** What waits behind the push in flight and is not typed any more, each after the one before. */
  #waiting = [];
  /** Pushes of others that single edits were moved behind. */
  #moves = 0;
  /** Units that are launched one at a time; and sections of a push, where fewer are taken than the limits say. */
  #alone = 0;
  #sections = Infinity;
  constructor(screen) {
    this.#screen = screen;
  }
  get inFlight() {
    return this.#inFlight;
  }
  /** The number of edits. */
  get edits() {
    return (this.#inFlight?.edits ?? 0) + count(this.#waiting) + count(this.#screen.typed);
  }
  /** All change sets, each after the one before; that in flight is the first one. */
  get chain() {
    const flying = this.#inFlight === null ? [] : [this.#inFlight.changes];
    return [...flying, ...setsOf(this.#waiting), ...setsOf(this.#screen.typed)];
  }
  /** Take up the edits of an earlier page, the first of them in flight under `seq` if there is such a push. */
  restore(inFlight, seq, isPart, waiting) {
    this.#inFlight = inFlight && { seq, changes: inFlight, edits: isPart ? 0 : 1, isPart, units: [], sent: false };
    this.#waiting = waiting.map((changes) => ({ changes, edits: 1 }));
  }
  /** Let edits go into flight under `seq`, as far as the limits allow. Return false if they come to nothing. */
  launch(seq, limits, length) {
    if (this.#sections >= limits.sections) this.#sections = Infinity;
    const { bytes, sections } = { ...limits, sections: Math.min(limits.sections, this.#sections) };
    for (; ; ) {
      if (this.#waiting.length === 0) {
        this.#waiting = this.#screen.typed;
        if (this.#waiting.length === 0) return false;
        this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
      }
      const units = this.#takeUnits({ bytes, sections });
      const whole = composed(setsOf(units), length);
      if (whole.empty) continue;
      const [changes, rest] = cut(whole, { bytes, sections });
      const isPart = rest !== null;
      if (isPart) this.#waiting = [{ changes: rest, edits: count(units) }, ...this.#waiting];
      else this.#alone = Math.max(0, this.#alone - 1);
      const apart = units.length > 1 && !isPart ? units : [];
      this.#inFlight = { seq, changes, edits: isPart ? 0 : count(units), isPart, units: apart, sent: false };
      return true;
    }
  }
  /** Take the units of the next push from what waits: as many as surely fit, or one. */
  #takeUnits(limits) {
    let taken = 0;
    let [bytes, sections] = [0, 0];
    for (const { changes } of this.#waiting) {
      const more = measure(changes);
      bytes += more.bytes;
      sections += more.sections;
      if (taken > 0 && (this.#alone > 0 || bytes > limits.bytes || sections > limits.sections)) break;
      taken++;
    }
    const units = this.#waiting.slice(0, taken);
    this.#waiting = this.#waiting.slice(taken);
    return units;
  }
  /**
   * Have the push in flight, which others may have made larger, fit the limits.
   *
   * It may have arrived as it was. So it keeps its number and all that it inserts, and leaves deletions to the next
   * push. Where that does not do, it is put back.
   */
  fit(limits) {
    const flying = this.#inFlight;
    if (flying === null) return;
    const [changes, rest] = shed(flying.changes, limits);
    if (rest !== null) {
      const [first, ...others] = this.#waiting;
      const left = flying.isPart && first ? { ...first, changes: rest.compose(first.changes) } : null;
      this.#waiting = left ? [left, ...others] : [{ changes: rest, edits: flying.edits }, ...this.#waiting];
      this.#inFlight = { ...flying, changes, edits: 0, isPart: true, units: [] };
    }
    if (!fits(changes, limits)) this.recall();
  }
  /** Note whether the push in flight was sent on this connection, and its number. */
  mark(sent, seq = this.#inFlight?.seq ?? 0) {
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, sent, seq };
  }
  /**
   * Whether the push in flight is what `done` does, which is committed under its number, rebased in some way.
   *
   * It inserts the same then. One that only deletes is done where nothing is left for it to delete.
   */
  isFlyingIn(done) {
    const flying = this.#inFlight?.changes;
    if (flying === void 0) return false;
    const inserted = insertedBy(flying);
    return inserted === "" ? flying.map(done).empty : inserted === insertedBy(done);
  }
  /** The push in flight is committed: return what it does, and forget it. */
  land() {
    const changes = this.#inFlight?.changes ?? null;
    this.#inFlight = null;
    this.#sections *= 2;
    return changes;
  }
  /** What waits while no push is in flight. */
  get waiting() {
    return this.#inFlight === null && this.#waiting.length > 0 ? composed(setsOf(this.#waiting), 0) : null;
  }
  /** Return the part of what waits that `done` does as well, and forget that part; null if there is none. */
  settle(done) {
    const { waiting } = this;
    if (waiting === null) return null;
    const [settled, rest] = shared(waiting, done);
    if (settled.empty) return null;
    this.#waiting = rest === null ? [] : [{ changes: rest, edits: count(this.#waiting) }];
    return settled;
  }
  /** Put the push in flight back to what waits, to be launched again. */
  recall() {
    const flying = this.#inFlight;
    if (flying === null) return;
    this.#inFlight = null;
    const [first, ...others] = this.#waiting;
    if (flying.isPart && first)
      this.#waiting = [{ ...first, changes: flying.changes.compose(first.changes) }, ...others];
    else this.#waiting = [...unitsOf(flying), ...this.#waiting];
  }
  /** Put the push in flight, which was refused, back to be launched edit by edit. Return false if it is one edit. */
  divide() {
    const units = this.#inFlight === null ? [] : unitsOf(this.#inFlight);
    if (units.length < 2) return false;
    this.#alone = units.length;
    this.recall();
    return true;
  }
  /** Put the push in flight, which was refused, back to be launched in parts. Return false if it is one change. */
  shrink() {
    const sections = this.#inFlight === null ? 0 : this.#inFlight.changes.toJSON().length;
    if (sections <= ONE_CHANGE) return false;
    this.#sections = Math.floor(sections / 2);
    this.recall();
    return true;
  }
  /** Forget the push in flight and what it left to the next one. Return what they do. */
  takeFlying(length) {
    const flying = this.#inFlight;
    const first = flying?.isPart ? this.#waiting[0] : void 0;
    if (first) this.#waiting = this.#waiting.slice(1);
    this.#inFlight = null;
    return composed(
      [flying?.changes, first?.changes].filter((each) => each !== void 0),
      length
    );
  }
  /** Forget everything. Return what it does. */
  takeAll(length) {
    const all = composed(this.chain, length);
    this.#inFlight = null;
    this.#waiting = [];
    if (this.#screen.typed.length > 0) this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
    return all;
  }
  /** Compose what waits and what was typed, so that little has to be moved behind changes of others. */
  shorten() {
    this.#moves = 0;
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, units: [] };
    const [first, ...others] = this.#waiting;
    this.#waiting = this.#inFlight?.isPart && first ? [first, ...joined(others)] : joined(this.#waiting);
    const { typed: typed2 } = this.#screen;
    if (typed2.length > 1) this.#screen.dispatch({ effects: setTyped.of(joined(typed2)) });
  }
  /**
   * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
   * At a tie others stay left, since they are in the log and these are not.
   */
  passOver(changes) {
    this.#screen.clear();
    let others = changes;
    const move = (own2) => {
      const moved = own2.map(others);
      others = others.map(own2, true);
      return moved;
    };
    const moveAll = (units) => units.map((unit) => ({ ...unit, changes: move(unit.changes) }));
    if (this.#inFlight) {
      const units = moveAll(this.#inFlight.units);
      others = changes;
      this.#inFlight = { ...this.#inFlight, units, changes: move(this.#inFlight.changes) };
    }
    this.#waiting = moveAll(this.#waiting);
    const { typed: typed2 } = this.#screen;
    const effects = typed2.length > 0 ? [setTyped.of(moveAll(typed2))] : [];
    this.#screen.dispatch({ changes: others, effects });
    const isApart = [this.#inFlight?.units ?? [], this.#waiting, typed2].some((units) => units.length > 1);
    if (isApart && ++this.#moves >= MOVES) this.shorten();
  }
};
function count(units) {
  return units.reduce((sum, { edits }) => sum + edits, 0);
}
function setsOf(units) {
  return units.map(({ changes }) => changes);
}
function unitsOf({ changes, edits, units }) {
  const whole = units.length > 0 ? composed(setsOf(units), 0) : null;
  const isSame = whole !== null && JSON.stringify(whole) === JSON.stringify(changes);
  return isSame ? units : [{ changes, edits }];
}

// client/replica.ts
var OutOfStep = class extends Error {
};
var AnotherLife = class extends Error {
};
var Replica = class {
  #screen;
  #hooks;
  /** Text and version of what is committed; no version before the first welcome. */
  #committed = new Committed();
  #version = null;
  /** The mark of the update that made the version; null: it was not heard. */
  #tip = null;
  #epoch = "";
  #unconfirmed;
  /** Number of the last push. */
  #seq = 0;
  /** Whether only a whole text helps. */
  #mustFetch = false;
  /**
   * Whether something of the server's is being taken. Listeners of the editor may change it in the middle of that, when
   * the text on the screen and what is known of the log do not fit one another yet: nothing is sent then.
   */
  #taking = false;
  /** What the last welcome said. */
  #id = "";
  #mode = "view_only";
  #limits = null;
  /** Whether the selection is to be sent, and whether it was sent when unconfirmed edits hid where it really is. */
  #selectDue = true;
  #selectRough = false;
  #drafted = new Drafted();
  /** The editor cannot be typed into until there is a text to type into. */
  constructor(editor, hooks) {
    this.#hooks = hooks;
    this.#screen = new Screen(editor, (transaction, isStray) => this.#allows(transaction, isStray));
    this.#unconfirmed = new Unconfirmed(this.#screen);
  }
  /** This client's public id; empty before the first welcome. */
  get id() {
    return this.#id;
  }
  get mode() {
    return this.#mode;
  }
  get limits() {
    return this.#limits;
  }
  /** The version up to which the log is known. */
  get version() {
    return this.#version ?? 0;
  }
  /** Whether there is a text, so that the editor may be typed into. */
  get begun() {
    return this.#version !== null;
  }
  /** Edits that are not known to be committed. */
  get unconfirmed() {
    return this.#unconfirmed.edits;
  }
  /** Whether a push was sent and its fate is not known. */
  get awaits() {
    return this.#unconfirmed.inFlight?.sent === true;
  }
  /** Whether something of the server's is being taken, so that there is no draft that fits. */
  get isTaking() {
    return this.#taking;
  }
  /** What was typed and has not gone into a push: another object after each edit. */
  get typed() {
    return this.#screen.typed;
  }
  /** The text on the screen, and what of it the unconfirmed edits have inserted. */
  get text() {
    return this.#screen.state.doc.toString();
  }
  get inserted() {
    const { chain } = this.#unconfirmed;
    return chain.length > 0 ? insertedBy(composed(chain, this.#committed.text.length)) : "";
  }
  /** From where the server is to go on; null: it has to send the text. */
  get resumePoint() {
    if (this.#version === null || this.#mustFetch) return null;
    return { epoch: this.#epoch, version: this.#version, tip: this.#tip };
  }
  /** Whether to connect again, since nothing helps but a welcome with a text. */
  get mustFetch() {
    return this.#mustFetch;
  }
  /** Take note that the user has changed the text or the selection. */
  changed() {
    this.#screen.clear();
    this.#selectDue = true;
  }
  /**
   * Return the push to be sent now, if any; it counts as sent.
   *
   * One is in flight at a time: a push that the last connection took with it is sent again, under its number, before
   * any other.
   */
  nextPush() {
    if (this.#version === null || this.#limits === null || this.#mode !== "edit") return null;
    if (this.#mustFetch || this.#taking) return null;
    const limits = this.#limits;
    if (this.#unconfirmed.inFlight?.sent === false) this.#unconfirmed.fit(pushLimits(limits));
    if (this.#unconfirmed.inFlight === null) {
      const { length } = this.#committed.text;
      this.#take(() => this.#unconfirmed.launch(this.#seq + 1, partLimits(limits), length) && this.#seq++);
    }
    const flying = this.#unconfirmed.inFlight;
    if (flying === null || flying.sent) return null;
    this.#unconfirmed.mark(true);
    return { type: "push", seq: flying.seq, version: this.#version, updates: [flying.changes.toJSON()] };
  }
  /** Return the selection to be sent now, if any, in the text that is committed; it counts as sent. */
  nextSelect() {
    if (this.#taking) return null;
    const { chain } = this.#unconfirmed;
    const hidden = chain.length > 0;
    if (this.#version === null || !(this.#selectDue || this.#selectRough && !hidden)) return null;
    this.#selectDue = false;
    this.#selectRough = hidden;
    const undo = hidden ? composed(chain, this.#committed.text.length).invertedDesc : null;
    const place3 = (pos) => undo ? undo.mapPos(pos) : pos;
    const ranges = this.#screen.state.selection.ranges.slice(0, SELECTION_RANGES);
    return {
      type: "select",
      version: this.#version,
      ranges: ranges.map((range) => [place3(range.anchor), place3(range.head)])
    };
  }
  /** Return what is unsaved, in a form that can be stored; null if nothing is. */
  draft() {
    const { inFlight, chain } = this.#unconfirmed;
    if (this.#version === null || chain.length === 0) return null;
    return {
      epoch: this.#epoch,
      version: this.#version,
      ...this.#committed.based(),
      changes: this.#drafted.of(chain, inFlight !== null),
      inFlight: inFlight && { seq: inFlight.seq, count: 1, isPart: inFlight.isPart },
      seq: this.#seq
    };
  }
  /**
   * Take up unsaved edits where an earlier page has left them, before the first welcome; the editor can be typed into.
   *
   * @throws RangeError if they do not fit one another; nothing is changed then.
   */
  restore(draft) {
    if (typeof draft.epoch !== "string" || !(draft.version >= 0 && draft.seq >= 0)) throw new RangeError("not a draft");
    const committed = new Committed();
    committed.restore({ base: draft.base, since: draft.since });
    const { length } = committed.text;
    const changes = draft.changes.map((each) => ChangeSet6.fromJSON(each));
    composed(changes, length).apply(committed.text);
    const count2 = draft.inFlight?.count ?? 0;
    const flying = count2 > 0 ? composed(changes.slice(0, count2), length) : null;
    const isPart = draft.inFlight?.isPart === true && changes.length > count2;
    this.#committed.restore({ base: draft.base, since: draft.since });
    this.#epoch = draft.epoch;
    this.#version = draft.version;
    this.#seq = draft.seq;
    this.#mode = "edit";
    this.#unconfirmed.restore(flying, draft.inFlight?.seq ?? 0, isPart, changes.slice(count2));
    const unsaved = changes.map((each) => ({ changes: each }));
    this.#take(() => this.#show({ effects: this.#screen.access(true) }, ...unsaved));
  }
  /**
   * Take the first frame of a connection: go on from the log, or merge the text.
   *
   * @throws OutOfStep if it does not follow what the replica has.
   * @throws AnotherLife if it is not the codespace that the replica knows; nothing is changed.
   */
  resume(welcome) {
    if (this.#isAnotherLife(welcome)) throw new AnotherLife();
    this.#take(() => this.#resume(welcome));
  }
  /** Whether a welcome is to another life of the codespace, so that its text must not replace the one here. */
  #isAnotherLife({ epoch, version, text, before }) {
    if (this.#version === null || epoch === this.#epoch) return false;
    if (this.#committed.text.length === 0) return false;
    return before === void 0 ? version === 0 && text === "" : !before.includes(this.#epoch);
  }
  #resume(welcome) {
    this.#id = welcome.id;
    this.#limits = welcome.limits;
    this.#selectDue = true;
    this.#unconfirmed.mark(false);
    if (welcome.text !== void 0) this.#merge(welcome, this.#screen.state.toText(welcome.text));
    else this.#follow(welcome);
    this.#seq = Math.max(this.#seq, welcome.acked);
    const flying = this.#unconfirmed.inFlight;
    if (flying && flying.seq <= welcome.acked) this.#unconfirmed.mark(false, ++this.#seq);
    if (welcome.mode !== "edit" && this.#unconfirmed.chain.length > 0) {
      this.#takeBack(this.#unconfirmed.takeAll(this.#committed.text.length), "view_only", VIEW_ONLY);
    }
    if (welcome.mode !== this.#mode) this.#screen.dispatch({ effects: this.#screen.access(welcome.mode === "edit") });
    this.#mode = welcome.mode;
  }
  /**
   * Take committed updates.
   *
   * @throws OutOfStep if they do not follow what the replica has.
   */
  receive(frame) {
    this.#take(() => this.#advance(frame.version, frame.updates));
  }
  /** Take the news that a push did not happen. Its edits are taken back, unless they may be pushed again. */
  refuse(frame) {
    const flying = this.#unconfirmed.inFlight;
    if (flying === null || !flying.sent || flying.seq !== frame.seq) return;
    this.#mustFetch = true;
    if (STALE.has(frame.code)) return this.#unconfirmed.recall();
    if (this.#unconfirmed.divide() || frame.code === "too_much" && this.#unconfirmed.shrink()) return;
    const refused = this.#unconfirmed.takeFlying(this.#committed.text.length);
    this.#take(() => this.#takeBack(refused, frame.code, reasonOf(frame, this.#limits)));
  }
  /** Take a peer's selection; one of another version than the log is known to cannot be placed. */
  select(id, version, ranges) {
    const { length } = this.#committed.text;
    if (version !== this.#version || ranges.some(([anchor, head]) => Math.max(anchor, head) > length)) return;
    const { chain } = this.#unconfirmed;
    const changes = chain.length > 0 ? composed(chain, length).desc : null;
    const place3 = (pos) => changes ? changes.mapPos(pos) : pos;
    this.#hooks.onSelection(
      id,
      ranges.map(([anchor, head]) => [place3(anchor), place3(head)])
    );
  }
  /** Leave the text on the screen as it is, for good: it cannot be typed into any more. */
  close() {
    this.#mode = "view_only";
    this.#screen.dispatch({ effects: this.#screen.access(false) });
  }
  #take(act) {
    this.#taking = true;
    try {
      act();
    } finally {
      this.#taking = false;
    }
  }
  #follow(welcome) {
    if (this.resumePoint === null || welcome.epoch !== this.#epoch) {
      this.#mustFetch = true;
      throw new OutOfStep("the welcome has no text, and nothing that this client could go on from");
    }
    this.#unconfirmed.shorten();
    this.#advance(welcome.version, welcome.updates ?? []);
    if (this.#version !== welcome.version) {
      this.#mustFetch = true;
      throw new OutOfStep(`welcome to version ${welcome.version}, which is older than version ${this.version}`);
    }
  }
  /** Take a whole text: what differs from the committed one was done by others, in one step. */
  #merge(welcome, text) {
    const begins = this.#version === null;
    const flying = this.#unconfirmed.inFlight;
    if (begins) {
      this.#committed.set(text);
      this.#show();
    } else if (flying && flying.seq <= welcome.acked) this.#confirm();
    const isUnknown = welcome.acked > this.#seq;
    this.#epoch = welcome.epoch;
    this.#version = welcome.version;
    this.#tip = null;
    this.#mustFetch = false;
    if (begins) return;
    if (isUnknown) this.#settleIn(text);
    this.#replaceCommitted(text);
  }
  #advance(version, updates) {
    const first = version - updates.length;
    if (this.#version === null || first > this.#version) {
      throw new OutOfStep(`version ${this.version} is followed by ${first + 1}`);
    }
    for (const push of byPush(updates.slice(this.#version - first))) {
      try {
        this.#advanceBy(push);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#mustFetch = true;
        throw new OutOfStep(`an update after version ${this.version} is for another text: ${error.message}`);
      }
    }
  }
  #advanceBy(push) {
    const { sender, seq } = push[0];
    const changes = composed(
      push.map((update) => ChangeSet6.fromJSON(update.changes)),
      this.#committed.text.length
    );
    const after = changes.apply(this.#committed.text);
    const isOwn = sender === this.#id;
    const isFlying = isOwn && seq === this.#unconfirmed.inFlight?.seq;
    const isDone = isFlying && this.#unconfirmed.isFlyingIn(changes);
    if (isFlying && !isDone) this.#unconfirmed.recall();
    if (isDone) {
      this.#confirm(changes);
      this.#replaceCommitted(after);
    } else if (isOwn && (isFlying || seq > this.#seq) && this.#settle(changes)) {
      this.#replaceCommitted(after);
    } else {
      this.#committed.change(changes);
      this.#unconfirmed.passOver(changes);
    }
    if (isOwn) this.#seq = Math.max(this.#seq, seq);
    this.#version = this.version + push.length;
    this.#tip = `${sender}:${seq}`;
  }
  /** The push in flight is committed, as `done` if that is known. */
  #confirm(done) {
    const own2 = this.#unconfirmed.land();
    if (own2 === null) return;
    this.#committed.change(own2);
    const left = done && deletions(done).map(own2);
    if (!left || left.empty) return;
    this.#committed.change(left);
    this.#unconfirmed.passOver(left);
  }
  /**
   * Confirm what waits here as far as `done` does it, which this session has pushed under a number that is not known
   * here: an earlier page has pushed what it had kept, and has ended before it kept that it did. Return whether any was.
   */
  #settle(done) {
    const settled = this.#unconfirmed.settle(done);
    if (settled !== null) this.#committed.change(settled);
    return settled !== null;
  }
  /** As `#settle`, of pushes of which only the text is known that they have led to. */
  #settleIn(text) {
    const { waiting } = this.#unconfirmed;
    if (waiting === null) return;
    const before = this.#committed.text;
    const done = difference(before, text);
    const isDone = sizeOf(difference(waiting.apply(before), text)) < sizeOf(done);
    this.#settle(isDone ? waiting : done);
  }
  #replaceCommitted(text) {
    if (text.eq(this.#committed.text)) return;
    const changes = difference(this.#committed.text, text);
    this.#committed.change(changes);
    this.#unconfirmed.passOver(changes);
  }
  /** Take edits that were refused out of the text on the screen; what was typed since stays. */
  #takeBack(refused, code, reason) {
    this.#unconfirmed.passOver(refused.invert(this.#committed.text));
    this.#hooks.onRefused({ code, reason, inserted: insertedBy(refused) });
  }
  /** Have the committed text on the screen, whatever was there, and what follows it in the same step. */
  #show(...following) {
    const { text } = this.#committed;
    this.#screen.clear();
    const { doc } = this.#screen.state;
    const specs = text.eq(doc) ? [] : [{ changes: { from: 0, to: doc.length, insert: text } }];
    this.#screen.dispatch(...specs, { effects: setTyped.of(NOTHING) }, ...following);
  }
  /** Whether an edit of the user can be sent; `isStray`: it is made upon one that cannot. */
  #allows(transaction, isStray) {
    const refusal = refusalOf(transaction, isStray, this.#limits);
    if (refusal !== null) queueMicrotask(() => this.#hooks.onRefused(refusal));
    return refusal === null;
  }
};

// client/status.ts
function isOffline() {
  return typeof navigator !== "undefined" && navigator.onLine === false;
}

// client/connection.ts
var KEEP_MS = 300;
var LOST = 1006;
var GONE = 4410;
var Connection = class _Connection {
  #replica;
  #address;
  #hooks;
  #drafts;
  #WebSocket;
  #name;
  /** Whether the others are shown no selection yet. */
  #isHidden;
  #session = "";
  #socket = null;
  #state = "connecting";
  #storage = "ok";
  #storageReason = null;
  #ended = null;
  #retryAt = null;
  #kept = true;
  /** What was typed when the draft was written last. */
  #keptTyped = null;
  /** Connections that came as far as the welcome. */
  #welcomes = 0;
  #pauses = new Pauses();
  /** What is known of the present connection: when it counts as lost, and the pieces of a frame that arrives. */
  #life = new Liveness(0);
  #pieces = new Pieces();
  #heardAt = null;
  #offline = isOffline();
  #waitingSince = null;
  /** Ends the pause, or looks whether the connection lives. */
  #timer;
  #keepTimer;
  #selectTimer;
  #endHints;
  #leftovers;
  #presence = new Presence((peers) => this.#hooks.onPeers?.(peers));
  #language = new SharedLanguage((name, id) => this.#hooks.onLanguage?.(name, id));
  constructor(editor, url, options = {}) {
    this.#address = socketAddress(url);
    this.#hooks = options;
    this.#drafts = options.drafts ?? noDrafts();
    this.#WebSocket = options.WebSocket ?? WebSocket;
    this.#name = (options.name ?? "").slice(0, NAME_LENGTH);
    this.#isHidden = options.isHidden ?? false;
    const tell = (refusal) => this.#hooks.onRefused?.(refusal);
    this.#replica = new Replica(editor, {
      onRefused: tell,
      onSelection: (id, ranges) => this.#presence.has(id) && this.#hooks.onSelection?.(id, ranges)
    });
    this.#leftovers = new Leftovers((unseen, drafts, onStatus) => {
      const more = { onStatus, onRefused: tell, name: this.#name, WebSocket: this.#WebSocket };
      return new _Connection(unseen, this.#address, { drafts, ...more });
    });
    this.#endHints = hearHints(this.#onHint, this.#onHide);
    void this.#begin();
  }
  get status() {
    return {
      state: this.#state,
      mode: this.#replica.mode,
      storage: this.#storage,
      storageReason: this.#storageReason,
      unsaved: this.#replica.unconfirmed,
      kept: this.#kept,
      heardAt: this.#heardAt,
      silentAt: this.#heardAt === null ? null : this.#life.silentAt(this.#heardAt),
      offline: this.#offline,
      askedAt: this.#socket === null ? null : this.#life.askedAt,
      waitingSince: this.#waitingSince,
      retryAt: this.#retryAt,
      ended: this.#ended
    };
  }
  /** The others who are here. */
  get peers() {
    return this.#presence.all;
  }
  /** One's own colour, as the number of one of `COLORS`. */
  get color() {
    return this.#presence.ownColor;
  }
  /** This client's public id; empty before it was connected. */
  get id() {
    return this.#replica.id;
  }
  /** What the others are told of who this is; they are told at once, by connecting anew. */
  get name() {
    return this.#name;
  }
  set name(name) {
    const short = name.slice(0, NAME_LENGTH);
    if (short === this.#name) return;
    this.#name = short;
    this.#cut(LOST, "the name has changed");
  }
  /** The language for all, as a name of `a-z`, `0-9`, `+`, `#` and `-`; setting it tells all. Empty: none was chosen. */
  get language() {
    return this.#language.name;
  }
  set language(name) {
    this.#language.choose(name);
    this.#send();
  }
  /** Let a pause end now. */
  retry() {
    if (this.#retryAt !== null) this.#dial();
  }
  /** Tell that the editor's text or selection has changed by its user. */
  changed() {
    this.#replica.changed();
    this.#send();
    if (this.#replica.isTaking) return this.#keepSoon();
    if (this.#replica.typed !== this.#keptTyped) this.#keep();
    this.#told();
  }
  /** Show the others where one's cursor is, from now on. */
  appear() {
    if (!this.#isHidden) return;
    this.#isHidden = false;
    this.#send();
  }
  /** Leave the codespace. What is unsaved stays kept; the editor cannot be typed into any more. */
  close() {
    this.#end({ code: 1e3, reason: "left" });
  }
  async #begin() {
    const { session, draft } = await this.#drafts.take();
    if (this.#state === "closed") return this.#drafts.release();
    this.#session = session;
    if (draft !== null) {
      try {
        this.#replica.restore(draft);
        this.#state = "reconnecting";
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
        this.#setAside(draft);
      }
    }
    this.#offer();
    this.#dial();
  }
  /** Have the text of a draft offered, which was not written by this program, or not whole. */
  #setAside(draft) {
    const text = textIn(JSON.stringify(draft));
    const reason = unreadable(text);
    if (this.#drafts.setAside?.(reason, text, false)) return;
    this.#drafts.keep(null);
    this.#hooks.onRefused?.({ code: "set_aside", reason, inserted: text });
  }
  /** Offer what earlier pages could not send. */
  #offer() {
    for (const { reason, text, forget } of this.#drafts.asides?.() ?? []) {
      this.#hooks.onRefused?.({ code: "set_aside", reason, inserted: text, forget });
    }
  }
  /** Keep under the codespace's own name from now on, and have what closed windows have left sent. */
  async #comeHome(codespace, mode) {
    if (codespace !== void 0) await this.#drafts.named?.(codespace, mode);
    if (this.#state === "closed") return;
    this.#offer();
    if (mode === "edit") await this.#leftovers.send(this.#drafts);
    this.#offer();
  }
  /** The network has come or gone, or the page is seen or hidden. */
  #onHint = () => {
    this.#offline = isOffline();
    if (document.visibilityState === "hidden") this.#onHide();
    else if (!this.#offline) this.retry();
    const socket = this.#socket;
    if (socket !== null && this.#life.wonder(Date.now())) this.#sendFrame(socket, { type: "alive" });
    if (socket !== null) this.#look();
    this.#told();
  };
  #onHide = () => {
    this.#keep();
    this.#drafts.tidy?.();
  };
  #dial() {
    clearTimeout(this.#timer);
    this.#retryAt = null;
    const url = joiningAddress(this.#address, this.#session, this.#name, this.#replica.resumePoint);
    const socket = this.#socket = new this.#WebSocket(url, SUBPROTOCOL);
    this.#life = new Liveness(Date.now());
    this.#pieces = new Pieces();
    socket.onopen = () => this.#life.heard(Date.now());
    socket.onmessage = ({ data }) => socket === this.#socket && this.#onMessage(data);
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#onClose(code, reason);
    this.#look();
    this.#told();
  }
  #onMessage(data) {
    this.#heardAt = Date.now();
    this.#life.heard(this.#heardAt);
    let text;
    let frame = null;
    try {
      text = this.#pieces.add(data);
      if (text !== null) frame = parseFrame(text);
    } catch {
      return this.#end({ code: 4400, reason: "the server speaks another protocol" });
    }
    if (text === null) return this.#told();
    try {
      if (frame !== null) this.#onFrame(frame);
    } catch (error) {
      if (error instanceof AnotherLife) return this.#end({ code: GONE, reason: ANOTHER_LIFE }, this.#replica.text);
      if (!(error instanceof OutOfStep)) throw error;
      return this.#cut(LOST, error.message);
    }
    if (this.#replica.mustFetch) return this.#cut(LOST, "an edit was refused");
    this.#waits();
    this.#send();
    this.#look();
    this.#keepSoon();
    this.#told();
  }
  #onFrame(frame) {
    switch (frame.type) {
      case "welcome":
        this.#replica.resume(frame);
        this.#welcomes++;
        this.#pauses.welcomed(Date.now());
        this.#state = "connected";
        this.#ended = null;
        this.#storage = "ok";
        this.#storageReason = null;
        this.#life.welcomed(frame.limits.alive_ms);
        this.#presence.set(frame.id, frame.peers);
        this.#language.welcome(frame.language, frame.mode);
        void this.#comeHome(frame.codespace, frame.mode);
        break;
      case "updates":
        this.#replica.receive(frame);
        break;
      case "refused": {
        const before = this.#replica.unconfirmed;
        this.#replica.refuse(frame);
        if (this.#replica.unconfirmed < before) this.#pauses.restart();
        this.#keep();
        break;
      }
      case "select":
        this.#replica.select(frame.id, frame.version, frame.ranges);
        break;
      case "peer":
        this.#presence.add(frame);
        break;
      case "gone":
        this.#presence.remove(frame.id);
        break;
      case "status":
        this.#storage = frame.storage;
        this.#storageReason = frame.reason ?? null;
        break;
      case "language":
        this.#language.receive(frame.name, frame.id);
        break;
      case "alive":
    }
  }
  #onClose(code, reason) {
    if (mayComeBack(code)) this.#pause(code, reason);
    else this.#end({ code, reason }, NOT_UNDERSTOOD.has(code) && this.#replica.awaits ? this.#replica.inserted : "");
  }
  /** Lose the connection, without waiting for the server to agree, and come back. */
  #cut(code, reason) {
    if (this.#socket === null) return;
    this.#pause(code, reason);
  }
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1e3);
    clearTimeout(this.#timer);
    clearTimeout(this.#selectTimer);
    this.#selectTimer = void 0;
    this.#waitingSince = null;
    this.#presence.set(this.id, []);
  }
  #pause(code, reason) {
    this.#state = this.#welcomes > 0 || this.#replica.begun ? "reconnecting" : "connecting";
    this.#drop();
    const milliseconds = this.#pauses.next(Date.now());
    this.#ended = { code, reason };
    this.#retryAt = Date.now() + milliseconds;
    this.#timer = setTimeout(() => this.#dial(), milliseconds);
    this.#told();
  }
  /** End for good. `lost` cannot be sent the next time either: it is set aside, for the next page to offer. */
  #end(ended, lost = "") {
    if (this.#state === "closed") return;
    this.#keep();
    if (lost !== "") this.#drafts.setAside?.(ended.reason, lost, true);
    this.#leftovers.close();
    this.#state = "closed";
    this.#drop();
    clearTimeout(this.#keepTimer);
    this.#retryAt = null;
    this.#ended = ended;
    this.#replica.close();
    this.#drafts.release();
    this.#endHints();
    this.#told();
  }
  #send() {
    const socket = this.#socket;
    if (socket === null || this.#state !== "connected") return;
    const push = this.#replica.nextPush();
    if (push !== null) {
      this.#keep();
      this.#waitingSince = Date.now();
      this.#life.pushed(this.#waitingSince, this.#sendFrame(socket, push));
      this.#waits();
      this.#look();
    }
    const language = this.#language.next();
    if (language !== null) this.#sendFrame(socket, language);
    if (this.#selectTimer === void 0 && !this.#isHidden) {
      const select = this.#replica.nextSelect();
      if (select !== null) {
        this.#sendFrame(socket, select);
        this.#selectTimer = setTimeout(() => {
          this.#selectTimer = void 0;
          this.#send();
        }, this.#replica.limits?.presence_ms ?? 0);
      }
    }
  }
  /** Send a frame, if the socket can; return its length. */
  #sendFrame(socket, frame) {
    const text = JSON.stringify(frame);
    if (socket.readyState === this.#WebSocket.OPEN) socket.send(text);
    return text.length;
  }
  /** Note whether a push waits for its answer; while the server cannot store edits, it owes none. */
  #waits() {
    if (!this.#replica.awaits) this.#waitingSince = null;
    this.#life.waits(Date.now(), this.#waitingSince !== null && this.#storage !== "down");
  }
  /** Look whether the connection lives, ask if that is due, and look again in time. */
  #look() {
    const socket = this.#socket;
    if (socket === null) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    const verdict = this.#life.look(now, socket.bufferedAmount);
    if (verdict === "lost") return this.#cut(LOST, "the server does not answer");
    this.#timer = setTimeout(() => this.#look(), verdict.lookAt - now);
    if (verdict.ask) {
      this.#sendFrame(socket, { type: "alive" });
      this.#told();
    }
  }
  #keepSoon() {
    this.#keepTimer ??= setTimeout(() => this.#keep(), KEEP_MS);
    this.#told();
  }
  #keep() {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = void 0;
    if (this.#session === "" || this.#state === "closed") return;
    this.#keptTyped = this.#replica.typed;
    const kept = this.#drafts.keep(this.#replica.draft());
    if (kept !== this.#kept) {
      this.#kept = kept;
      this.#told();
    }
  }
  #told() {
    this.#hooks.onStatus?.(this.status);
  }
};

// client/cursors.ts
import { EditorSelection as EditorSelection2 } from "@codemirror/state";
import {
  Decoration as Decoration2,
  EditorView as EditorView3,
  layer,
  RectangleMarker,
  WidgetType as WidgetType2
} from "@codemirror/view";

// client/flags.ts
import { EditorView as EditorView2, ViewPlugin as ViewPlugin2 } from "@codemirror/view";

// client/peers.ts
import { StateEffect as StateEffect3, StateField as StateField3 } from "@codemirror/state";
var peerSelected = StateEffect3.define();
var peersPresent = StateEffect3.define();
var shownPeers = StateField3.define({
  create: () => /* @__PURE__ */ new Map(),
  update(shown, transaction) {
    let next = shown;
    if (transaction.docChanged && shown.size > 0) {
      const place3 = (pos) => transaction.changes.mapPos(pos);
      const moved = ([anchor, head]) => [place3(anchor), place3(head)];
      next = new Map(Array.from(next, ([id, each]) => [id, { ...each, ranges: each.ranges.map(moved) }]));
    }
    for (const effect of transaction.effects) {
      if (effect.is(peerSelected)) {
        const { id, ranges } = effect.value;
        const before = next.get(id);
        if (next === shown) next = new Map(shown);
        next.set(id, {
          name: before?.name ?? "",
          color: before?.color ?? 0,
          ranges,
          moves: (before?.moves ?? 0) + 1
        });
      } else if (effect.is(peersPresent)) {
        const known3 = next;
        next = new Map(
          effect.value.map((peer) => {
            const before = known3.get(peer.id);
            const { color, wasHere } = peer;
            const first = wasHere ? -1 : 0;
            const name = peer.name || "guest";
            return [peer.id, { name, color, ranges: before?.ranges ?? [], moves: before?.moves ?? first }];
          })
        );
      }
    }
    return next;
  }
});

// client/placing.ts
var GAP = 8;
var BETWEEN = 4;
function placeName(width, caret, rows, room, taken) {
  for (const [index, row] of rows.entries()) {
    const beside = index === 0 ? 0 : Math.min(caret, room.right - width);
    let left = Math.max(row.end + GAP, beside);
    for (const box of inRow(row, taken))
      if (left < box.left + box.width + BETWEEN && box.left < left + width + BETWEEN)
        left = box.left + box.width + BETWEEN;
    if (left + width <= room.right) return { row, left, width };
  }
  for (const row of rows) {
    const isFree = inRow(row, taken).every((box) => box.left >= room.left + room.gutter);
    if (isFree && room.gutter > 0) return { row, left: room.left, width: Math.min(width, room.gutter) };
  }
  return null;
}
function inRow(row, taken) {
  return taken.filter((box) => box.row.top < row.bottom && row.top < box.row.bottom).sort((one, other) => one.left - other.left);
}

// client/flags.ts
var SHOWN_MS = 1500;
var TOUCHED_MS = 2500;
var NEAR = 12;
var NEAR_FINGER = 24;
var MOST_WIDTH = 220;
var Flags = class {
  #view;
  #layer;
  #flags = /* @__PURE__ */ new Map();
  /** Ids of those whose carets the mouse is at. */
  #pointed = /* @__PURE__ */ new Set();
  /** Whether names that do not show may stand where there is no text any more. */
  #isStale = false;
  #timer;
  #measure = { key: this, read: () => this.#places(), write: (places) => this.#show(places) };
  constructor(view) {
    this.#view = view;
    this.#layer = view.scrollDOM.appendChild(view.dom.ownerDocument.createElement("div"));
    this.#layer.className = "cm-peer-flags";
    this.#layer.ariaHidden = "true";
    view.scrollDOM.addEventListener("pointermove", this.#onMove);
    view.scrollDOM.addEventListener("pointerleave", this.#onLeave);
    view.scrollDOM.addEventListener("pointerdown", this.#onTouch);
    view.scrollDOM.addEventListener("scroll", this.#onScroll, { passive: true });
    this.#take();
  }
  update(update) {
    const isNews = update.startState.field(shownPeers, false) !== update.state.field(shownPeers);
    if (isNews) this.#take();
    this.#isStale ||= update.docChanged || update.geometryChanged;
    if (isNews || update.docChanged || update.viewportChanged || update.geometryChanged) this.#measureSoon();
  }
  destroy() {
    clearTimeout(this.#timer);
    this.#view.scrollDOM.removeEventListener("pointermove", this.#onMove);
    this.#view.scrollDOM.removeEventListener("pointerleave", this.#onLeave);
    this.#view.scrollDOM.removeEventListener("pointerdown", this.#onTouch);
    this.#view.scrollDOM.removeEventListener("scroll", this.#onScroll);
    this.#layer.remove();
  }
  /** Take over who is here, and who has done something. */
  #take() {
    const peers = this.#view.state.field(shownPeers);
    for (const [id, { element }] of this.#flags) {
      if (peers.has(id)) continue;
      element.remove();
      this.#flags.delete(id);
    }
    for (const [id, { name, color, moves }] of peers) {
      let flag = this.#flags.get(id);
      if (flag === void 0) {
        const element = this.#layer.appendChild(this.#view.dom.ownerDocument.createElement("bdi"));
        this.#flags.set(id, flag = { element, moves: Math.max(moves, 0), until: 0 });
      }
      flag.element.className = `cm-peer-name cm-peer-${color}`;
      if (flag.element.textContent !== name) flag.element.textContent = name;
      if (moves > flag.moves) this.#showFor(flag, SHOWN_MS);
      flag.moves = Math.max(moves, flag.moves);
    }
  }
  #showFor(flag, milliseconds) {
    flag.until = Math.max(flag.until, Date.now() + milliseconds);
    this.#measureSoon();
  }
  #measureSoon() {
    if (this.#flags.size > 0) this.#view.requestMeasure(this.#measure);
  }
  /** Return where the names are that show now; a name whose caret is not on the screen does not show. */
  #places() {
    const view = this.#view;
    const now = Date.now();
    const bounds = view.scrollDOM.getBoundingClientRect();
    const gutter2 = view.contentDOM.getBoundingClientRect().left + view.scrollDOM.scrollLeft - bounds.left;
    const room = { left: bounds.left, gutter: gutter2, right: bounds.left + view.scrollDOM.clientWidth };
    const taken = [];
    const places = /* @__PURE__ */ new Map();
    for (const [id, { ranges }] of view.state.field(shownPeers)) {
      const flag = this.#flags.get(id);
      if (flag === void 0) continue;
      const head = ranges[0]?.[1];
      const shows = flag.until > now || this.#pointed.has(id);
      const caret = shows && head !== void 0 && head <= view.state.doc.length ? view.coordsAtPos(head, 1) : null;
      const rows = caret && [0, -1, 1].map((step) => this.#row(caret, step, room.right)).filter((row) => row !== null);
      const width = Math.min(flag.element.scrollWidth, MOST_WIDTH);
      const box = caret && rows && placeName(width, caret.left, rows, room, taken);
      if (box) taken.push(box);
      places.set(
        id,
        box && {
          left: box.left - bounds.left + view.scrollDOM.scrollLeft,
          top: (box.row.top + box.row.bottom) / 2 - bounds.top + view.scrollDOM.scrollTop,
          width: box.width < width ? box.width : null
        }
      );
    }
    return places;
  }
  /** Return the row `step` rows below that of a caret, if there is one. */
  #row(caret, step, right) {
    const height = caret.bottom - caret.top;
    const y = (caret.top + caret.bottom) / 2 + step * this.#view.defaultLineHeight;
    const pos = this.#view.posAtCoords({ x: right - 1, y }, false);
    const end = this.#view.coordsAtPos(pos, -1);
    if (end === null || y < end.top - height / 4 || y > end.bottom + height / 4) return null;
    return { top: end.top, bottom: end.bottom, end: end.right };
  }
  #show(places) {
    const now = Date.now();
    let next = Infinity;
    for (const [id, flag] of this.#flags) {
      const place3 = places.get(id) ?? null;
      const { element } = flag;
      if (place3 !== null) {
        element.style.left = `${place3.left}px`;
        element.style.top = `${place3.top}px`;
        element.style.maxWidth = place3.width === null ? "" : `${place3.width}px`;
        element.dataset["placed"] = element.dataset["shown"] = "";
      } else {
        delete element.dataset["shown"];
        if (this.#isStale) {
          delete element.dataset["placed"];
          element.style.left = element.style.top = "";
        }
      }
      if (flag.until > now) next = Math.min(next, flag.until);
    }
    this.#isStale = false;
    clearTimeout(this.#timer);
    if (next < Infinity) this.#timer = setTimeout(() => this.#measureSoon(), next - now);
  }
  #onMove = ({ clientX, clientY, pointerType }) => {
    if (pointerType === "touch" || this.#flags.size === 0) return;
    this.#point(this.#at(clientX, clientY, NEAR));
  };
  #onLeave = () => this.#point(/* @__PURE__ */ new Set());
  #onTouch = ({ clientX, clientY, pointerType }) => {
    if (pointerType === "mouse" || this.#flags.size === 0) return;
    for (const id of this.#at(clientX, clientY, NEAR_FINGER)) this.#showFor(this.#flags.get(id), TOUCHED_MS);
  };
  #onScroll = () => {
    if (this.#pointed.size > 0 || Array.from(this.#flags.values()).some(({ until }) => until > Date.now()))
      this.#measureSoon();
  };
  #point(ids) {
    const isSame = ids.size === this.#pointed.size && [...ids].every((id) => this.#pointed.has(id));
    if (isSame) return;
    this.#pointed = ids;
    this.#measureSoon();
  }
  /** Return the ids of those with a caret near a point, or with one in the row of a point in the gutter. */
  #at(x, y, near) {
    const inGutter = x < this.#view.contentDOM.getBoundingClientRect().left;
    const ids = /* @__PURE__ */ new Set();
    for (const caret of this.#view.contentDOM.querySelectorAll(".cm-peer")) {
      const { left, top, bottom } = caret.getBoundingClientRect();
      const beyond = Math.max(top - y, y - bottom, 0);
      const id = caret.dataset["peer"] ?? "";
      if (this.#flags.has(id) && beyond <= near / 2 && (inGutter || Math.abs(x - left) <= near)) ids.add(id);
    }
    return ids;
  }
};
var theme = EditorView2.baseTheme({
  ".cm-peer-flags": { position: "absolute", left: "0", top: "0", width: "0", height: "0", zIndex: "250" },
  ".cm-peer-name": {
    position: "absolute",
    left: "0",
    top: "0",
    visibility: "hidden",
    width: "max-content",
    maxWidth: `${MOST_WIDTH}px`,
    overflow: "hidden",
    padding: "0 0.4em",
    borderRadius: "0.3em",
    background: "var(--peer)",
    color: "var(--peer-text)",
    font: "600 0.7rem/1.5 system-ui, sans-serif",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    pointerEvents: "none",
    opacity: "0",
    transform: "translateY(-50%)",
    transition: "opacity 0.2s ease-out",
    forcedColorAdjust: "none"
  },
  ".cm-peer-name[data-placed]": { visibility: "visible" },
  ".cm-peer-name[data-shown]": { opacity: "1", transition: "none" },
  "@media (prefers-reduced-motion: reduce)": { ".cm-peer-name": { transition: "none" } }
});
function peerFlags() {
  return [ViewPlugin2.fromClass(Flags), theme];
}

// client/cursors.ts
var Caret = class extends WidgetType2 {
  constructor(id, color) {
    super();
    this.id = id;
    this.color = color;
  }
  id;
  color;
  eq(other) {
    return other.id === this.id && other.color === this.color;
  }
  toDOM(view) {
    const caret = view.dom.ownerDocument.createElement("span");
    caret.className = `cm-peer cm-peer-${this.color}`;
    caret.dataset["peer"] = this.id;
    caret.ariaHidden = "true";
    return caret;
  }
  ignoreEvent() {
    return true;
  }
};
function carets(state) {
  const all = [];
  for (const [id, { color, ranges }] of state.field(shownPeers)) {
    for (const [anchor, head] of ranges) {
      if (Math.max(anchor, head) > state.doc.length) continue;
      all.push(Decoration2.widget({ widget: new Caret(id, color), side: 1 }).range(head));
    }
  }
  return Decoration2.set(all, true);
}
function selections(view) {
  const { doc } = view.state;
  return Array.from(view.state.field(shownPeers).values()).flatMap(
    ({ color, ranges }) => ranges.filter(([anchor, head]) => anchor !== head && Math.max(anchor, head) <= doc.length).flatMap(
      ([anchor, head]) => RectangleMarker.forRange(view, `cm-peer-selection cm-peer-${color}`, EditorSelection2.range(anchor, head))
    )
  );
}
var selectionLayer = layer({
  above: false,
  class: "cm-peerSelectionLayer",
  markers: selections,
  update: (update) => update.docChanged || update.viewportChanged || update.startState.field(shownPeers, false) !== update.state.field(shownPeers)
});
var colors = {};
for (const [index, { light, dark }] of COLORS.entries()) {
  colors[`.cm-peer-${index}`] = { "--peer": light, "--peer-text": "#fff" };
  colors[`&dark .cm-peer-${index}`] = { "--peer": dark, "--peer-text": "#000" };
}
var theme2 = EditorView3.baseTheme({
  ...colors,
  ".cm-peer-selection": { backgroundColor: "color-mix(in srgb, var(--peer) 25%, transparent)" },
  ".cm-peer": {
    position: "relative",
    borderLeft: "2px solid var(--peer)",
    marginLeft: "-1px",
    marginRight: "-1px",
    forcedColorAdjust: "none"
  },
  // Where the browser's user chooses all colours, backgrounds are none.
  "@media (forced-colors: active)": { ".cm-peer-selection": { outline: "1px solid Highlight" } }
});
function peerCursors() {
  return [shownPeers, EditorView3.decorations.compute([shownPeers], carets), selectionLayer, peerFlags(), theme2];
}

// client/index.ts
var MODIFIERS = /* @__PURE__ */ new Set(["Alt", "AltGraph", "CapsLock", "Control", "Meta", "Shift"]);
var connections = /* @__PURE__ */ new WeakMap();
var place2 = new Compartment3();
function connect(view, url, options = {}) {
  const address = socketAddress(url);
  if ((connections.get(view)?.status.state ?? "closed") !== "closed") {
    throw new Error("this editor is connected already; close() that connection before you connect it again");
  }
  const selections2 = /* @__PURE__ */ new Map();
  let frame;
  const showSelections = () => {
    frame = void 0;
    const effects = Array.from(selections2, ([id, ranges]) => peerSelected.of({ id, ranges }));
    selections2.clear();
    view.dispatch({ effects });
  };
  const connection = new Connection(view, address, {
    drafts: localDrafts(address.pathname),
    isHidden: true,
    ...options,
    onPeers(peers) {
      view.dispatch({ effects: peersPresent.of(peers) });
      options.onPeers?.(peers);
    },
    onSelection(id, ranges) {
      selections2.set(id, ranges);
      frame ??= requestAnimationFrame(showSelections);
      options.onSelection?.(id, ranges);
    }
  });
  connections.set(view, connection);
  const listener = EditorView4.updateListener.of((update) => {
    if (update.docChanged) {
      const moved = ([anchor, head]) => [
        update.changes.mapPos(anchor),
        update.changes.mapPos(head)
      ];
      for (const [id, ranges] of selections2) selections2.set(id, ranges.map(moved));
    }
    const local = update.transactions.some((each) => each.docChanged && !each.annotation(Transaction2.remote));
    if (local) connection.appear();
    if (local || update.selectionSet || update.focusChanged) connection.changed();
  });
  const appear = () => void setTimeout(() => connection.appear());
  const first = EditorView4.domEventObservers({
    keydown: ({ key }) => MODIFIERS.has(key) || appear(),
    pointerdown: appear
  });
  for (const effects of placing(place2, view.state, [peerCursors(), listener, first])) view.dispatch({ effects });
  return connection;
}
export {
  COLORS,
  Connection,
  connect,
  localDrafts,
  newSession,
  noDrafts,
  plainName
};
