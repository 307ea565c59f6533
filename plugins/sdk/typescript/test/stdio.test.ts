/** The built example and an awkward plugin as child processes, asked as the runner asks them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, AWKWARD, Child, EXAMPLE } from "./child.js";

const MEBIBYTE = 1024 * 1024;

const METRICS = {
  cpu_usage: 1.5,
  memory_usage: 25,
  network_traffic: 0.1,
  disk_io: 0.5,
  gpu_usage: null,
  timestamp: 1650000000,
};

test("the example answers what every example answers", async () => {
  await using child = new Child(EXAMPLE);
  const info = await child.ask("Info");
  assert.equal(info.result.name, "example-typescript");
  assert.equal(info.result.version, "1.0.0");
  assert.deepEqual((await child.ask("Configure", { config: {} })).result, { success: true });
  assert.deepEqual((await child.ask("Initialize")).result, { success: true });
  assert.deepEqual((await child.ask("GetSupportedEvents")).result, { events: ["custom"] });
  assert.deepEqual((await child.ask("CheckIdle", { metrics: METRICS })).result, {
    is_idle: true,
    reason: "cpu at 1.5 %, below 10 %",
    details: { cpu_usage: 1.5 },
  });
  assert.deepEqual((await child.ask("CheckIdle", { metrics: { ...METRICS, cpu_usage: 10 } })).result, {
    is_idle: false,
    reason: "cpu at 10 %",
    details: { cpu_usage: 10 },
  });
  for (const metrics of [{ ...METRICS, cpu_usage: null }, {}]) {
    assert.equal((await child.ask("CheckIdle", { metrics })).error, "cpu_usage is unknown");
  }
  const data = { fail: true, size: 3 };
  const event = { id: "e1", type: "custom.backup", severity: 1, source: "s", host: "h", data };
  assert.deepEqual((await child.ask("HandleEvent", { event })).result, {
    handled: true,
    succeeded: false,
    message: "seen e1",
    details: data,
  });
  const other = await child.ask("HandleEvent", { event: { ...event, type: "customer.left" } });
  assert.equal(other.result.handled, false);
  assert.deepEqual((await child.ask("Shutdown")).result, { success: true });
  child.end();
  assert.equal(await child.ended(), 0);
  assert.match(child.log, /^noise$/m);
});

test("a configuration that is refused leaves the old one", async () => {
  await using child = new Child(EXAMPLE);
  assert.deepEqual((await child.ask("Configure", { config: { threshold: 1 } })).result, { success: true });
  for (const threshold of [0, -1, "5", null, true]) {
    assert.match((await child.ask("Configure", { config: { threshold } })).error, /threshold/);
  }
  const answer = await child.ask("CheckIdle", { metrics: METRICS });
  assert.equal(answer.result.is_idle, false);
});

test("what cannot be read is answered with an error without an id, and the next is answered", async () => {
  await using child = new Child(EXAMPLE);
  const lines: [string | Uint8Array, RegExp][] = [
    ["nonsense\n", /no JSON/],
    ["\n", /no JSON/],
    ['{"method":"Info"\n', /no JSON/],
    [Uint8Array.of(0x22, 0xff, 0x22, 0x0a), /no JSON/],
    ["[1]\n", /object/],
    ["null\n", /object/],
  ];
  for (const [line, error] of lines) {
    child.send(line);
    const answer = await child.answer();
    assert.match(answer.error, error);
    assert.equal(answer.id, null);
  }
  assert.equal((await child.ask("Info")).result.name, "example-typescript");
});

test("a line of one mebibyte is read, and a longer one is passed over", async () => {
  await using child = new Child(EXAMPLE);
  const line = (length: number): string => {
    const rest = JSON.stringify({ method: "Info", params: { x: "" }, id: 1 });
    return `${rest.replace('""', `"${"x".repeat(length - rest.length)}"`)}\n`;
  };
  child.send(line(MEBIBYTE));
  assert.equal((await child.answer()).id, 1);
  child.send(line(MEBIBYTE + 1));
  const answer = await child.answer();
  assert.match(answer.error, /longer than 1048576 bytes/);
  assert.equal(answer.id, null);
  child.send(`${"x".repeat(20 * MEBIBYTE)}\n`);
  assert.match((await child.answer()).error, /longer/);
  assert.equal((await child.ask("Info")).result.version, "1.0.0");
});

test("an unknown method is named and nothing else is said", async () => {
  await using child = new Child(EXAMPLE);
  assert.equal((await child.ask("Explode")).error, "Unknown method: Explode");
  assert.equal((await child.ask("constructor")).error, "Unknown method: constructor");
  assert.match((await child.ask("CheckIdle", { metrics: 7 })).error, /metrics is no object/);
  assert.match((await child.ask("HandleEvent", { event: {} })).error, /no type/);
});

test("JSON-RPC 2.0 is answered as JSON-RPC 2.0, and the original's form in its own", async () => {
  await using child = new Child(EXAMPLE);
  const ask = async (request: object): Promise<Answer> => {
    child.send(`${JSON.stringify({ jsonrpc: "2.0", ...request })}\n`);
    return child.answer();
  };
  const answer = await ask({ method: "Initialize", id: "a" });
  assert.deepEqual(answer, { jsonrpc: "2.0", result: { success: true }, id: "a" });
  assert.deepEqual(await ask({ method: "Explode", id: 2 }), {
    jsonrpc: "2.0",
    error: { code: -32601, message: "Unknown method: Explode" },
    id: 2,
  });
  assert.deepEqual((await ask({ method: "CheckIdle", params: { metrics: {} }, id: 3 })).error, {
    code: -32000,
    message: "cpu_usage is unknown",
  });
  assert.equal((await ask({ method: "Info", params: [], id: 4 })).error.code, -32600);
  // A notification is not answered; what follows it is.
  child.send('{"jsonrpc":"2.0","method":"Info"}\nnonsense\n');
  const unread = await child.answer();
  assert.equal(unread.error.code, -32700);
  assert.equal(unread.id, null);
  const original = await child.ask("Initialize");
  assert.equal("jsonrpc" in original, false);
});

test("an id comes back as it was", async () => {
  await using child = new Child(EXAMPLE);
  for (const id of ["0", "18446744073709551615", "-9007199254740993", "1.5", '"x\\"y"', "null"]) {
    child.send(`{"params":{"id":1},"id":${id},"method":"Initialize"}\n`);
    assert.equal(await child.line(), `{"result":{"success":true},"id":${id}}`);
  }
});

test("when its input ends it answers what it was asked, and ends", async () => {
  await using child = new Child(EXAMPLE);
  child.send('{"method":"Info","id":1}\n'.repeat(100));
  child.send('{"method":"Info","id":2}');
  child.end();
  assert.equal(await child.ended(), 0);
  const ids = child.output
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as Answer).id);
  assert.deepEqual(ids, [...Array.from({ length: 100 }, () => 1), 2]);
});

test("SIGTERM ends it in order, even while the plugin hangs", async () => {
  await using child = new Child(AWKWARD, {}, ["hangs"]);
  await child.ask("Initialize");
  child.send('{"method":"CheckIdle","params":{"metrics":{}},"id":7}\n');
  await child.logged("hangs now");
  child.signal("SIGTERM");
  assert.equal(await child.ended(), 0);
  assert.match(child.log, /was shut down/);
});

test("SIGTERM lets it answer what is under way, and what waits behind it is not begun", async () => {
  await using child = new Child(AWKWARD, {}, ["slow"]);
  const request = '{"method":"CheckIdle","params":{"metrics":{}},"id":1}\n';
  child.send(request + request);
  await child.logged("slow began");
  child.signal("SIGTERM");
  assert.equal(await child.ended(), 0);
  assert.equal(child.output.split("\n").length, 2);
  assert.equal(child.log.split("slow began").length, 2);
});
