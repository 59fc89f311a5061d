// The declarations of a module and of all that it needs from other files, as one file.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

const IMPORT = /^import (?:type )?\{([^}]*)\} from "([^"]+)";$/;
const EXPORT = /^export (?:type )?\{([^}]*)\}(?: from "([^"]+)")?;$/;
const DECLARATION = /^(export )?(?:declare )?(?:abstract )?(?:class|const|enum|function|interface|type) (\w+)/;

/** Return the names in braces; a name that is changed on the way has no place in one file. */
function namesIn(list) {
  const names = list.split(",").map((each) => each.trim().replace(/^type /, ""));
  const changed = names.find((name) => name.includes(" "));
  if (changed !== undefined) throw new Error(`declarations cannot be bundled: ${changed}`);
  return names.filter((name) => name !== "");
}

/** Return the statements of a file that tsc has written: each has its comment, and its text without it. */
function statementsOf(source) {
  const statements = [];
  let [comment, lines, isComment] = ["", [], false];
  for (const line of source.split("\n")) {
    if (lines.length === 0 && (isComment || line.startsWith("/*"))) {
      comment = isComment ? `${comment}\n${line}` : line;
      isComment = !line.endsWith("*/");
      continue;
    }
    if (line === "" && lines.length === 0) continue;
    lines.push(line);
    const isWhole = lines.length === 1 ? /[;}]$/.test(line) : /^\S.*[;}]$|^}$/.test(line);
    if (!isWhole) continue;
    statements.push({ comment, text: lines.join("\n") });
    [comment, lines] = ["", []];
  }
  if (lines.length > 0) throw new Error(`declarations that do not end: ${lines[0]}`);
  return statements;
}

/** Read a module: its head, its declarations by name, and where the names are from that it imports or passes on. */
async function readModule(folder, path) {
  const found = { head: "", declarations: new Map(), from: new Map(), exported: [] };
  for (const { comment, text } of statementsOf(await readFile(join(folder, path), "utf8"))) {
    const imported = IMPORT.exec(text);
    const exported = EXPORT.exec(text);
    const declared = DECLARATION.exec(text);
    if (imported ?? exported) {
      found.head ||= comment;
      const [, list, from] = imported ?? exported;
      const names = namesIn(list);
      if (from !== undefined) for (const name of names) found.from.set(name, from);
      if (exported) found.exported.push(...names);
    } else if (declared) {
      const [, isExported, name] = declared;
      if (isExported) found.exported.push(name);
      const one = { comment, text: text.replace(/^export (?!declare)/, "").replace(/^export /, "") };
      // Several of one name are the forms of a function.
      found.declarations.set(name, [...(found.declarations.get(name) ?? []), one]);
    } else throw new Error(`declarations cannot be bundled: ${text}`);
  }
  return found;
}

/** Return the text of one file with what `entry` exports, of the declarations in `folder`. */
export async function bundleTypes(folder, entry) {
  const modules = new Map();
  const load = async (path) => {
    if (!modules.has(path)) modules.set(path, await readModule(folder, path));
    return modules.get(path);
  };
  const packages = new Map();
  const taken = new Map();
  const out = [];
  const take = async (path, name) => {
    const module = await load(path);
    const from = module.from.get(name);
    if (from?.startsWith("./")) return take(from.replace(/^\.\/|\.js$/g, "").concat(".d.ts"), name);
    if (from !== undefined) return packages.set(from, (packages.get(from) ?? new Set()).add(name));
    const declarations = module.declarations.get(name);
    if (declarations === undefined || taken.get(name) === path) return;
    if (taken.has(name)) throw new Error(`two declarations of ${name}: in ${path} and in ${taken.get(name)}`);
    taken.set(name, path);
    for (const { text } of declarations) {
      if (/import\("\./.test(text)) throw new Error(`declarations cannot be bundled: ${text}`);
      for (const [word] of text.replace(/\/\*.*?\*\//gs, "").matchAll(/\b[A-Za-z]\w*\b/g)) {
        if (word !== name) await take(path, word);
      }
    }
    out.push(...declarations.map(({ comment, text }) => (comment ? `${comment}\n${text}` : text)));
  };
  const { head, exported } = await load(entry);
  for (const name of exported) await take(entry, name);
  const imports = [...packages].sort().map(([from, names]) => {
    return `import type { ${[...names].sort().join(", ")} } from "${from}";`;
  });
  return [head, imports.join("\n"), ...out, `export { ${exported.sort().join(", ")} };`].join("\n\n") + "\n";
}
