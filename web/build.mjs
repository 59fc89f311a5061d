// Builds the page and the client module into ../pyshare/page, which goes into the package: its users need no Node.
//
//   node build.mjs           writes them
//   node build.mjs --check   compares what is there with what the sources make; exits 1 and says what differs

import { build } from "esbuild";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { bundleTypes } from "./types.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = join(here, "../pyshare/page");
const banner = "/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */";

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: ["es2022", "safari16.4", "firefox121", "chrome111"],
  legalComments: "none",
  banner: { js: banner, css: banner },
  metafile: true,
  write: false,
  outdir: "assets",
  logLevel: "warning",
};

/** Return the page's files by their names, and the packages that are in them. */
async function buildPage() {
  const result = await build({
    ...common,
    entryPoints: { page: "page/main.ts", style: "page/all.css" },
    minify: true,
    splitting: true,
    entryNames: "[name]-[hash]",
    chunkNames: "part-[hash]",
  });
  const files = new Map(result.outputFiles.map((file) => [`assets/${basename(file.path)}`, file.text]));
  const named = (pattern) => [...files.keys()].find((name) => pattern.test(name)).replace("assets/", "");
  for (const name of ["index.html", "nothing.html"]) {
    const html = await readFile(join(here, "page", name), "utf8");
    files.set(name, html.replace("{{script}}", named(/page-\w+\.js$/)).replace("{{style}}", named(/style-\w+\.css$/)));
  }
  for (const name of await readdir(join(here, "page/static"))) {
    files.set(`assets/${name}`, await readFile(join(here, "page/static", name)));
  }
  return [files, result.metafile];
}

/** Packages that whoever imports the client has; of others it takes what it uses. */
const PEERS = ["@codemirror/state", "@codemirror/view"];

/** Have packages that are not named as peers left out as far as nothing of them is used. */
const onlyUsed = {
  name: "only-used",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[^.]/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === onlyUsed || options.kind === "entry-point" || PEERS.includes(path)) return undefined;
      return { ...(await resolve(path, { ...options, pluginData: onlyUsed })), sideEffects: false };
    });
  },
};

/** Return the files of the client for other pages, and the packages that are in them. */
async function buildClient() {
  const module = await build({
    ...common,
    entryPoints: { "pyshare-client": "client/index.ts" },
    external: PEERS,
    plugins: [onlyUsed],
    entryNames: "[name]",
  });
  const bundle = await build({
    ...common,
    entryPoints: { "pyshare-client.bundle": "client/bundle.ts" },
    format: "iife",
    globalName: "pyshare",
    minify: true,
    entryNames: "[name]",
  });
  const outputs = [...module.outputFiles, ...bundle.outputFiles];
  const files = new Map(outputs.map((file) => [`assets/${basename(file.path)}`, file.text]));
  files.set("assets/pyshare-client.d.ts", await typesOfClient());
  // The server makes assets/pyshare-client.tgz of these and the two files above, and gives it its version.
  files.set("assets/pyshare-client/package.json", await packageOfClient());
  files.set("assets/pyshare-client/README.md", await readFile(join(here, "client/README.md"), "utf8"));
  const own = (await readFile(join(here, "../LICENSE"), "utf8")).trim();
  const others = await licences(usedBy(module.metafile));
  files.set(
    "assets/pyshare-client/LICENSE",
    [own, "The module contains parts of these packages.", others].join("\n\n"),
  );
  return [files, bundle.metafile];
}

/** Return the types of the client as one file. */
async function typesOfClient() {
  const folder = await mkdtemp(join(tmpdir(), "pyshare-types-"));
  try {
    const options = ["--project", "tsconfig.types.json", "--outDir", folder];
    await promisify(execFile)(join(here, "node_modules/.bin/tsc"), options, { cwd: here });
    return await bundleTypes(folder, "index.d.ts");
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Return the package.json of the client, without a version. */
async function packageOfClient() {
  const { license, devDependencies } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));
  const peers = PEERS.map((name) => [name, devDependencies[name].replace(/^~/, "^")]);
  const content = {
    name: "pyshare-client",
    description: "Makes an editor built on CodeMirror 6 a shared one, on a pyshare server.",
    license,
    type: "module",
    sideEffects: false,
    exports: { ".": { types: "./pyshare-client.d.ts", default: "./pyshare-client.js" } },
    types: "./pyshare-client.d.ts",
    peerDependencies: Object.fromEntries(peers),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Return the files that something of is in what was built. */
function usedBy({ outputs }) {
  const inputs = Object.values(outputs).flatMap((each) => Object.entries(each.inputs));
  return inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
}

/** Return the licences of the packages that files are from. */
async function licences(paths) {
  const packages = new Set();
  for (const path of paths) {
    const found = /^(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) packages.add(found[1]);
  }
  const parts = [];
  for (const folder of [...packages].sort()) {
    const { name, license } = JSON.parse(await readFile(join(here, folder, "package.json"), "utf8"));
    const file = (await readdir(join(here, folder))).find((each) => /^licen[cs]e/i.test(each));
    parts.push(`${name} (${license})\n\n${(await readFile(join(here, folder, file), "utf8")).trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(72)}\n\n`);
}

async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((each) => each.isFile())
    .map((each) => relative(folder, join(each.parentPath ?? each.path, each.name)));
}

const [files, metafile] = await buildPage();
const [clientFiles, bundled] = await buildClient();
for (const [name, text] of clientFiles) files.set(name, text);
const parts = await licences([...Object.keys(metafile.inputs), ...Object.keys(bundled.inputs)]);
files.set("licenses.txt", `The page and its client are made of these packages.\n\n${"-".repeat(72)}\n\n${parts}`);

if (process.argv[2] === "--check") {
  const digest = (content) => createHash("sha256").update(content).digest("hex");
  const differing = [];
  for (const [name, content] of files) {
    const there = await readFile(join(target, name)).catch(() => null);
    if (there === null) differing.push(`${name} is missing`);
    else if (digest(there) !== digest(content)) differing.push(`${name} differs`);
  }
  for (const name of await filesIn(target)) if (!files.has(name)) differing.push(`${name} is left over`);
  if (differing.length > 0) {
    console.error(`pyshare/page is not what web/ makes; run npm run build in web/:\n  ${differing.join("\n  ")}`);
    process.exit(1);
  }
  console.log(`pyshare/page is what web/ makes: ${files.size} files`);
} else {
  await rm(target, { recursive: true, force: true });
  for (const [name, content] of files) {
    await mkdir(dirname(join(target, name)), { recursive: true });
    await writeFile(join(target, name), content);
  }
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  console.log(`${files.size} files, ${Math.round(bytes / 1024)} KiB, in pyshare/page`);
}
