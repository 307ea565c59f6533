/** Caddy's log of JSON lines and its metrics, read by the built plugin. */

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Server } from "./page.js";
import { Plugin } from "./plugin.js";

const ALL = { window_seconds: 3_600 };

test("requests in Caddy's log are counted, and ignored by path, agent and address", async () => {
  await using caddy = await Server.caddy();
  const access_log = join(caddy.folder, "access.log");
  await using plugin = await Plugin.with({ access_log, ...ALL, ignore_paths: ["/healthz"] });
  await plugin.begin();
  await caddy.get("/healthz?x", 5);
  await caddy.get("/", 5, { "user-agent": "GoogleHC/1.0" });
  await caddy.get("/", 6);
  await plugin.counted(access_log, 6);
  const ignore_addresses = ["127.0.0.1"];
  assert.equal(await plugin.configure({ access_log, ...ALL, ignore_addresses }), undefined);
  await plugin.begin();
  await caddy.get("/", 6);
  await plugin.until("6 ignored requests", ({ details }) => details?.sources[access_log]?.ignored === 6);
});

test("every request is counted once while Caddy rolls and compresses its log", async () => {
  await using caddy = await Server.caddy();
  const access_log = join(caddy.folder, "access.log");
  await using plugin = await Plugin.with({ access_log, ...ALL });
  await plugin.begin();
  let asked = 0;
  const rolled = async (): Promise<number> =>
    (await readdir(caddy.folder)).filter((name) => /^access-.*\.log(\.gz)?$/.test(name)).length;
  // Some two thousand bytes a line: a log is full after some five hundred.
  while ((await rolled()) < 2) {
    assert.ok(asked < 5_000, "Caddy did not roll its log");
    await caddy.get(`/${"x".repeat(1_500)}`, 100);
    asked += 100;
    await plugin.check();
  }
  await plugin.counted(access_log, asked);
});

test("Caddy's own counter is counted, and a histogram's count, without our own looks", async () => {
  await using caddy = await Server.caddy();
  const metrics_url = caddy.url("/metrics");
  for (const metric of [
    'caddy_http_requests_total{handler="subroute"}',
    'caddy_http_request_duration_seconds_count{handler="subroute",code=~"2.."}',
  ]) {
    // The page is one of the site's, and each look at it a request like any other.
    await using plugin = await Plugin.with({ metrics_url, metric, metrics_own_requests: 1, ...ALL });
    await plugin.begin();
    await caddy.get("/", 7);
    await plugin.counted(metrics_url, 7);
  }
});
