/** Its own tests, of what `./build` has made: node --test test.mjs */

import assert from "node:assert/strict";
import test from "node:test";
import { Monitor } from "./dist/monitor.mjs";

const readings = { cpu_usage: null, memory_usage: null, network_traffic: null, disk_io: null, gpu_usage: null, timestamp: null };

test("below the threshold is idle and at it is busy", () => {
  const monitor = new Monitor();
  monitor.configure({ threshold: 20 });
  assert.equal(monitor.checkIdle({ ...readings, cpu_usage: 19.9 }).isIdle, true);
  assert.equal(monitor.checkIdle({ ...readings, cpu_usage: 20 }).isIdle, false);
});

test("what is unknown is not idle", () => {
  assert.throws(() => new Monitor().checkIdle(readings));
});
