/** Access logs of a real nginx, read by the built plugin. */

import assert from "node:assert/strict";
import { appendFile, stat } from "node:fs/promises";
import { test } from "node:test";
import { Nginx } from "./nginx.js";
import { Plugin } from "./plugin.js";

/** So long that all of a test is within it: counts are exact. */
const ALL = { window_seconds: 3_600 };

/** As short as may be: a vote follows what happens. */
const NOW = { window_seconds: 1 };

test("the first look is unknown and counts nothing of what was logged before", async () => {
  await using nginx = await Nginx.start();
  await nginx.get("/", 30);
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  assert.match((await plugin.check()).error ?? "", /the first look/);
  const { isIdle, reason, details } = await plugin.begin();
  assert.equal(isIdle, true);
  assert.match(reason ?? "", /^0 requests\/s over \d+ s, below 0.1$/);
  assert.equal(details?.requests_per_second_threshold, 0.1);
  await plugin.counted(nginx.accessLog, 0);
});

test("requests at the threshold are busy, and idle follows when they have passed", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 2,
  });
  await plugin.begin();
  await nginx.get("/", 20);
  const { reason, details } = await plugin.busy();
  assert.match(reason ?? "", /requests\/s over \d+ s, idle below 2$/);
  assert.ok((details?.requests_per_second ?? 0) >= 2);
  await plugin.idle();
});

test("ignored paths, agents and addresses do not count, and all else does", async () => {
  await using nginx = await Nginx.start();
  for (const access_log of [nginx.accessLog, nginx.jsonLog]) {
    await using plugin = await Plugin.with({
      access_log,
      ...ALL,
      ignore_paths: ["/healthz", "/static/*", '/a"ü'],
    });
    await plugin.begin();
    await nginx.get("/healthz", 2);
    await nginx.get("/healthz?full=1", 2);
    await nginx.get("/static/logo.png", 2);
    await nginx.get("/", 2, { "user-agent": "ELB-HealthChecker/2.0" });
    await nginx.get("/", 2, { "user-agent": "kube-probe/1.31" });
    await nginx.get("/healthz/other", 3);
    await nginx.get("/?next=/healthz", 4);
    await nginx.get("/", 5, { "user-agent": 'Mozilla/5.0 (not "ELB")' });
    await plugin.counted(access_log, 12);
    const { details } = await plugin.check();
    assert.equal(details?.sources[access_log]?.ignored, 10);
  }
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...ALL,
    ignore_addresses: ["127.0.0.0/8"],
    ignore_agents: ["never"],
  });
  await plugin.begin();
  await nginx.get("/", 5, { "user-agent": "ELB-HealthChecker/2.0" });
  const ignored = await plugin.until("5 ignored requests", (answer) => {
    return answer.details?.sources[nginx.accessLog]?.ignored === 5;
  });
  assert.equal(ignored.details?.sources[nginx.accessLog]?.requests, 0);
});

test("several logs are counted together", async () => {
  await using first = await Nginx.start();
  await using second = await Nginx.start();
  const access_log = [first.accessLog, second.accessLog];
  await using plugin = await Plugin.with({ access_log, ...ALL });
  await plugin.begin();
  await first.get("/", 7);
  await second.get("/", 9);
  await plugin.counted(first.accessLog, 7);
  await plugin.counted(second.accessLog, 9);
  const { details } = await plugin.check();
  const seconds = details?.sources[first.accessLog]?.seconds ?? 0;
  assert.ok(Math.abs((details?.requests_per_second ?? 0) * seconds - 16) < 1);
});

test("one of several logs that cannot be read makes idle unknown, and busy stays busy", async () => {
  await using nginx = await Nginx.start();
  const access_log = [nginx.accessLog, `${nginx.folder}/missing.log`];
  await using plugin = await Plugin.with({ access_log, ...NOW });
  const missing = /missing\.log is not there/;
  assert.match((await plugin.begin()).error ?? "", missing);
  await nginx.get("/", 20);
  await plugin.busy();
  await plugin.unknown(missing);
});

test("a line that is none of a request is unknown, and counts as one", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 20,
  });
  await plugin.begin();
  await appendFile(nginx.accessLog, "2026/11/26 13:00:00 [error] 1#1: *1 open() failed\n");
  const error = await plugin.unknown(/neither common or combined format nor JSON.*\[error\]/);
  assert.match(error, /at least [01](\.\d+)? requests\/s/);
  await plugin.idle();
  await appendFile(nginx.accessLog, "nonsense\n".repeat(200));
  await plugin.busy();
});

test("a line is counted once, when all of it is there", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await plugin.begin();
  const line = '127.0.0.1 - - [26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "test"\n';
  await appendFile(nginx.accessLog, line.slice(0, 40));
  await plugin.counted(nginx.accessLog, 0);
  await appendFile(nginx.accessLog, line.slice(40) + line.slice(0, 10));
  await plugin.counted(nginx.accessLog, 1);
  await appendFile(nginx.accessLog, line.slice(10));
  await plugin.counted(nginx.accessLog, 2);
});

test("one check reads no more than it can, says so, and reads on at the next", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...ALL,
    requests_per_second_threshold: 1e9,
  });
  await plugin.begin();
  const line = `127.0.0.1 - - [26/Nov/2026:13:00:00 +0000] "GET /${"x".repeat(1_000)} HTTP/1.1" 200 5 "-" "test"\n`;
  const times = 80_000;
  for (let each = 0; each < 8; each += 1) await appendFile(nginx.accessLog, line.repeat(times / 8));
  assert.ok((await stat(nginx.accessLog)).size > 64 * 1024 * 1024);
  assert.match((await plugin.check()).error ?? "", /could not be read to its end in one check/);
  assert.equal(await plugin.configure({ access_log: nginx.accessLog, ...ALL }), undefined);
  await plugin.counted(nginx.accessLog, times);
});

test("a new threshold holds at once and keeps the count, and a mistake is refused whole", async () => {
  await using nginx = await Nginx.start();
  const config = { access_log: nginx.accessLog, ...ALL };
  await using plugin = await Plugin.with({ ...config, requests_per_second_threshold: 1e6 });
  await plugin.begin();
  await nginx.get("/", 30);
  await plugin.counted(nginx.accessLog, 30);
  const error = await plugin.configure({ ...config, requests_per_second_threshold: 0, acces_log: "x" });
  assert.match(error ?? "", /acces_log is no key.*requests_per_second_threshold is a number above 0/);
  assert.equal((await plugin.check()).isIdle, true);
  assert.equal(await plugin.configure({ ...config, requests_per_second_threshold: 0.01 }), undefined);
  const { isIdle, details } = await plugin.check();
  assert.equal(isIdle, false);
  assert.equal(details?.sources[nginx.accessLog]?.requests, 30);
  assert.equal(await plugin.configure({ ...config, ignore_paths: ["/x"] }), undefined);
  assert.match((await plugin.check()).error ?? "", /the first look/);
});

test("it ends in order with its input", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog });
  await plugin.begin();
  assert.deepEqual((await plugin.ask("Shutdown", {})).result, { success: true });
  assert.equal(await plugin.end(), 0);
});
