/** The manifest, the README and the code say the same. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { HttpMonitor } from "../src/monitor.js";
import { settings } from "../src/settings.js";

const FOLDER = new URL("../../../", import.meta.url);

const readme = readFile(new URL("README.md", FOLDER), "utf8");
const manifest = readFile(new URL("plugin.json", FOLDER), "utf8").then((text) => JSON.parse(text));

test("each key of the manifest is one of the plugin's and stands in the README, and there are no others", async () => {
  const keys = Object.keys((await manifest).config_schema.properties);
  for (const key of keys) assert.doesNotThrow(() => settings({ [key]: undefined }), key);
  assert.throws(() => settings({ other: undefined }), /other is no key/);
  const [, table = ""] = (await readme).split(/^## Configuration$/m);
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const shown = rows.flatMap((row) =>
    [...(row.split(" | ")[0] ?? "").matchAll(/`(\w+)`/g)].map(([, key]) => key),
  );
  assert.deepEqual(new Set(shown.filter((key) => keys.includes(key ?? ""))), new Set(keys));
});

test("the manifest's defaults are the code's", async () => {
  const { properties } = (await manifest).config_schema;
  const { threshold, windowSeconds } = settings({});
  assert.equal(properties.requests_per_second_threshold.default, threshold);
  assert.equal(properties.window_seconds.default, windowSeconds);
  assert.equal(settings({ metrics_url: "http://h/" }).page?.selector.name, properties.metric.default);
});

test("who the plugin says that it is stands in the manifest", async () => {
  const { name, version, display_name, author, description } = await manifest;
  assert.deepEqual({ ...new HttpMonitor().info }, { name, version, display_name, author, description });
});

test("the README's configurations are taken", async () => {
  const blocks = [...(await readme).matchAll(/^```json\n(.*?)^```$/gms)].map(([, text]) =>
    JSON.parse(text ?? ""),
  );
  assert.equal(blocks.length, 2);
  for (const { plugins } of blocks) {
    const { permissions, ...config } = plugins.plugin_configs["http-monitor"];
    assert.ok(permissions);
    assert.doesNotThrow(() => settings(config));
  }
});
