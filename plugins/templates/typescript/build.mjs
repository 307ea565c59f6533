/**
 * Makes `dist`: the plugin with the SDK and the NATS client in it, which needs nothing outside of its folder but Node.js.
 * It fetches nothing.
 */

import { chmod, rm } from "node:fs/promises";
import { build } from "esbuild";

const folder = import.meta.dirname;

await rm(`${folder}/dist`, { recursive: true, force: true });
await build({
  entryPoints: { plugin: `${folder}/src/plugin.ts`, monitor: `${folder}/src/monitor.ts` },
  outdir: `${folder}/dist`,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // What is imported later stays in files of its own, and is not read until then.
  splitting: true,
  // The NATS client is CommonJS, which a module of this format does not have by itself.
  banner: { js: 'import { createRequire as $r } from "node:module"; const require = $r(import.meta.url);' },
  logLevel: "warning",
});
await chmod(`${folder}/dist/plugin.mjs`, 0o755);
