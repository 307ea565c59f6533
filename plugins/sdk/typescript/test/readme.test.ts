/** What the README shows, as it stands there. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { Child, ROOT } from "./child.js";

const README = readFileSync(`${ROOT}README.md`, "utf8");

function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? "");
}

/** A folder in which the package is installed, and nothing else is. */
function installed(): { folder: string } & Disposable {
  const folder = mkdtempSync(`${tmpdir()}/snooze-readme-`);
  const home = `${folder}/node_modules/cloudsnooze-plugin`;
  mkdirSync(home, { recursive: true });
  cpSync(`${ROOT}dist`, `${home}/dist`, { recursive: true });
  cpSync(`${ROOT}package.json`, `${home}/package.json`);
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

test("the first plugin has fifteen lines at most, and runs as it stands there", async () => {
  const [first = ""] = blocks("ts");
  assert.ok(first.trimEnd().split("\n").length <= 15);
  using place = installed();
  const file = `${place.folder}/low-load.mjs`;
  writeFileSync(file, first);
  chmodSync(file, 0o755);

  await using child = new Child(file);
  const [, request = ""] = /echo '(.*)'/.exec(blocks("sh")[0] ?? "") ?? [];
  child.send(`${request}\n`);
  assert.deepEqual((await child.answer()).result, { is_idle: true, reason: "cpu at 1.5 %", details: {} });
  assert.equal((await child.ask("CheckIdle", { metrics: {} })).error, "cpu_usage is unknown");

  // The NATS client is not there: that is no matter until it is asked for, and then it is said.
  await using asked = new Child(file, { SNOOZE_NATS_URL: "nats://127.0.0.1:1" });
  assert.equal(await asked.ended(), 2);
  assert.match(asked.log, /npm install @nats-io\/transport-node @msgpack\/msgpack/);
});

test("every block of code compiles as strict TypeScript", () => {
  const folder = `${ROOT}test/dist/readme`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const written = blocks("ts");
  assert.equal(written.length, 3);
  for (const [at, block] of written.entries()) writeFileSync(`${folder}/block-${at}.mts`, block);
  const configuration = {
    extends: "../../../tsconfig.json",
    compilerOptions: { rootDir: ".", noEmit: true },
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ ...configuration, include: ["*.mts"] }));
  execFileSync(`${ROOT}node_modules/.bin/tsc`, ["--project", folder], { encoding: "utf8" });
});

test("the headings are those of every SDK", () => {
  const headings = [...README.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  assert.deepEqual(headings, [
    "A first plugin",
    "Configuration",
    "Events",
    "Over NATS",
    "Testing",
    "What it never does",
  ]);
});
