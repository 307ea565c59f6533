/**
 * Builds the plugin into the folder that it is given: one file with the SDK and the NATS client in it, which
 * needs nothing but Node.js, its manifest, and the licences of what it holds.
 *
 * It fetches nothing, and writes nothing that differs from one machine or day to the next.
 */

import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const folder = import.meta.dirname;
const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node build.mjs OUT");
const name = JSON.parse(await readFile(`${folder}/plugin.json`, "utf8")).name;

const { metafile } = await build({
  // The names of sources in the file are as seen from here.
  absWorkingDir: folder,
  entryPoints: ["src/plugin.ts"],
  outfile: join(resolve(out), `${name}.mjs`),
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // The NATS client is CommonJS, which a module of this format does not have by itself.
  banner: { js: 'import { createRequire as $r } from "node:module"; const require = $r(import.meta.url);' },
  metafile: true,
  logLevel: "warning",
});

await mkdir(out, { recursive: true });
await chmod(join(out, `${name}.mjs`), 0o755);
await copyFile(`${folder}/plugin.json`, join(out, "plugin.json"));
await copyFile(`${folder}/README.md`, join(out, "README.md"));
await writeFile(join(out, "LICENSES.txt"), await licences(Object.keys(metafile.inputs)));

/** What the packages in the file ask to be said wherever they are. */
async function licences(inputs) {
  const packages = new Set(
    inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []),
  );
  const texts = [];
  for (const each of [...packages].sort()) {
    const about = JSON.parse(await readFile(join(folder, each, "package.json"), "utf8"));
    const files = (await readdir(join(folder, each))).filter((file) => /^licen[cs]e/i.test(file)).sort();
    const text = await Promise.all(files.map((file) => readFile(join(folder, each, file), "utf8")));
    texts.push(`${about.name} ${about.version}: ${about.license}\n\n${text.join("\n")}`);
  }
  return texts.join(`\n${"-".repeat(70)}\n\n`);
}
