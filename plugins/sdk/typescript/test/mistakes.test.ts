/** What a plugin's own mistakes become: an error in the answer, and never idle. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AWKWARD, Child } from "./child.js";

/** What the awkward plugin answers to CheckIdle in one of its modes. */
async function inMode(child: Child, mode: string, metrics: object = {}) {
  await child.ask("Configure", { config: { mode } });
  return child.ask("CheckIdle", { metrics });
}

test("what checkIdle returns is an error unless idle or busy made it", async () => {
  await using child = new Child(AWKWARD);
  for (const mode of ["looks-idle", "true", "nothing", "outcome"]) {
    const answer = await inMode(child, mode);
    assert.match(answer.error, /neither idle\(…\) nor busy\(…\)/, mode);
    assert.equal(answer.result, undefined, mode);
  }
  assert.match((await inMode(child, "no-text")).error, /reason/);
});

test("what is thrown becomes a text of at most 500 characters, and its stack is logged", async () => {
  await using child = new Child(AWKWARD);
  const { error } = await inMode(child, "throws");
  assert.equal(error, `${"x".repeat(499)}\u{1F600}`);
  await child.logged("at Object.throws");
  for (const mode of ["throws-nothing", "throws-an-object"]) {
    assert.ok((await inMode(child, mode)).error.length > 0, mode);
  }
  assert.equal((await inMode(child, "idle")).result.is_idle, true);
});

test("a plugin's own error never says that the method is unknown", async () => {
  await using child = new Child(AWKWARD);
  assert.equal((await inMode(child, "throws-unknown-method")).error, "failed: Unknown method: CheckIdle");
  await child.ask("Configure", { config: { mode: "throws-unknown-method" } });
  child.send('{"jsonrpc":"2.0","method":"CheckIdle","params":{"metrics":{}},"id":1}\n');
  assert.equal((await child.answer()).error.code, -32000);
});

test("an answer that has no form or is too long is an error", async () => {
  await using child = new Child(AWKWARD);
  assert.match((await inMode(child, "itself")).error, /levels deep/);
  assert.match((await inMode(child, "long")).error, /longer than 1048576 bytes/);
});

test("details are sent as JSON has them", async () => {
  await using child = new Child(AWKWARD);
  await child.ask("Configure", { config: { mode: "odd" } });
  child.send('{"method":"CheckIdle","params":{"metrics":{}},"id":1}\n');
  assert.equal(
    await child.line(),
    '{"result":{"is_idle":false,"reason":"half a pair: \ufffd","details":' +
      '{"date":"1970-01-01T00:00:00.000Z","nan":null,"big":9223372036854775808,"list":[null]}},"id":1}',
  );
});

test("what is printed goes to the log, and the protocol has standard output for itself", async () => {
  await using child = new Child(AWKWARD);
  assert.equal((await inMode(child, "prints")).result.reason, "printed");
  assert.equal((await inMode(child, "prints")).result.reason, "printed");
  for (const text of ["to the console", "to stdout", "to what was held"]) await child.logged(text);
  assert.equal(child.output.split("\n").length, 5);
});

test("a rejection that nobody waits for ends the plugin with an exit code and its stack", async () => {
  await using child = new Child(AWKWARD);
  await child.ask("Configure", { config: { mode: "rejects" } });
  const before = child.output;
  child.send('{"method":"CheckIdle","params":{"metrics":{}},"id":9}\n');
  assert.equal(await child.ended(), 1);
  assert.match(child.log, /nobody waits for this/);
  assert.equal(child.output, before);
});

test("initialize is called once before the first question, and again after a shutdown", async () => {
  await using child = new Child(AWKWARD);
  assert.deepEqual((await inMode(child, "calls")).result.details.calls, ["initialize", "checkIdle"]);
  await child.ask("Initialize");
  assert.equal((await inMode(child, "calls")).result.details.calls.length, 3);
  await child.ask("Shutdown");
  await child.logged("was shut down");
  assert.deepEqual((await inMode(child, "calls")).result.details.calls, ["initialize", "checkIdle"]);
});

test("while initialize fails the vote is an error", async () => {
  await using child = new Child(AWKWARD);
  assert.equal((await inMode(child, "initialize-fails")).error, "not yet");
  assert.equal((await child.ask("Initialize")).error, "not yet");
  assert.deepEqual((await child.ask("Initialize")).result, { success: true });
});

test("a reading that is absent or no number is null", async () => {
  await using child = new Child(AWKWARD);
  const answer = await inMode(child, "metrics", { cpu_usage: "5", disk_io: 0, gpu_usage_2: 1 });
  assert.deepEqual(answer.result.details.metrics, {
    cpu_usage: null,
    memory_usage: null,
    network_traffic: null,
    disk_io: 0,
    gpu_usage: null,
    timestamp: null,
    gpu_usage_2: 1,
  });
});

test("a method that the plugin does not have is unknown", async () => {
  await using child = new Child(AWKWARD);
  assert.equal((await child.ask("GetSupportedEvents")).error, "Unknown method: GetSupportedEvents");
  assert.equal((await child.ask("Info")).result.version, "0.0.0");
});

test("it is shut down once when its input ends", async () => {
  await using child = new Child(AWKWARD);
  await inMode(child, "idle");
  child.end();
  assert.equal(await child.ended(), 0);
  assert.equal(child.log.split("was shut down").length, 2);
});

test("it is shut down and ends when nobody takes its answers", async () => {
  await using child = new Child(AWKWARD);
  await inMode(child, "idle");
  child.closeOutput();
  child.send('{"method":"Info","id":1}\n');
  assert.equal(await child.ended(), 1);
  assert.match(child.log, /was shut down/);
  assert.match(child.log, /EPIPE/);
});

test("settings that cannot be are refused by name, with an exit code of their own", async () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ SNOOZE_NATS_URL: "" }, /SNOOZE_NATS_URL/],
    [{ SNOOZE_NATS_URL: "nats://127.0.0.1:1", SNOOZE_HOST: "" }, /SNOOZE_HOST ""/],
    [{ SNOOZE_NATS_URL: "nats://127.0.0.1:1", SNOOZE_HOST: "a.b" }, /SNOOZE_HOST "a\.b"/],
    [{ SNOOZE_NATS_URL: "nats://127.0.0.1:1", SNOOZE_HOST: "fleet" }, /SNOOZE_HOST "fleet"/],
    [
      { SNOOZE_NATS_URL: "nats://127.0.0.1:1", SNOOZE_NATS_CREDENTIALS: "/nonexistent/creds" },
      /SNOOZE_NATS_CREDENTIALS.*\/nonexistent\/creds/,
    ],
  ];
  for (const [environment, said] of wrong) {
    await using child = new Child(AWKWARD, environment);
    assert.equal(await child.ended(), 2, JSON.stringify(environment));
    assert.match(child.log, said);
    assert.equal(child.output, "");
  }
});
