// The palette of the client for browsers, counted: a class that arrives looks at each person a bounded number of times.
//
//   node tests/presence.mjs      in the page's folder of sources, with its packages; exits 1 and says why if it is wrong

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = await mkdtemp(join(process.cwd(), "built-"));
await build({
  entryPoints: ["client/colors.ts"],
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: join(folder, "colors.mjs"),
});
const { Palette } = await import(pathToFileURL(join(folder, "colors.mjs")).href);
await rm(folder, { recursive: true });

/** Return how many lookups in sets and maps, and searches in arrays, it takes to assign colours to `count` people. */
function lookups(count) {
  const ids = Array.from({ length: count }, (_, index) => String(index).padStart(16, "0"));
  const palette = new Palette();
  let steps = 0;
  const counted = [
    [Set, "has"],
    [Map, "has"],
    [Map, "set"],
    [Set, "add"],
  ];
  const restore = counted.map(([kind, name]) => {
    const own = kind.prototype[name];
    kind.prototype[name] = function (...values) {
      steps++;
      return own.apply(this, values);
    };
    return () => {
      kind.prototype[name] = own;
    };
  });
  const { includes, indexOf } = Array.prototype;
  for (const name of ["includes", "indexOf"]) {
    Array.prototype[name] = function () {
      throw new Error(`a search through ${this.length} elements`);
    };
  }
  palette.assign(ids);
  palette.assign(ids.slice(1));
  for (const undo of restore) undo();
  Object.assign(Array.prototype, { includes, indexOf });
  return steps;
}

const [few, many] = [lookups(100), lookups(1000)];
if (many > 12 * few + 1000 * 16) {
  console.log(`${few} lookups for 100 people, ${many} for 1000`);
  process.exit(1);
}
