/** The plugin on NATS: real processes at a real server, asked as hosts and people ask. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { Svcm } from "@nats-io/services";
import type { NatsConnection } from "@nats-io/transport-node";
import { ask, labelled, labels } from "./asking.js";
import { type Answer, AWKWARD, Child, deferred, EXAMPLE, limited } from "./child.js";
import { Fenced, Server } from "./server.js";

const METHODS = [
  "info",
  "configure",
  "initialize",
  "check_idle",
  "handle_event",
  "supported_events",
  "shutdown",
];

/** Asks a service as people's tools do, and waits for so many to answer. */
async function everybody(connection: NatsConnection, verb: string, instances: number) {
  // biome-ignore lint/suspicious/noExplicitAny: what a service says is what the tests are about.
  const answers: any[] = [];
  const options = { strategy: "count", maxMessages: instances, maxWait: 10_000 } as const;
  for await (const answer of await connection.requestMany(`$SRV.${verb}`, "", options)) {
    answers.push(answer.json());
  }
  return answers;
}

test("on one host it answers on its own subjects, in the form of the request", async () => {
  await using server = await new Server().start();
  await using child = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "i-0abc" });
  await child.logged("ready at snooze.v1.host.i-0abc.plugin.example-typescript.*");
  await using asker = await server.connect();
  const at = (method: string): string => `snooze.v1.host.i-0abc.plugin.example-typescript.${method}`;

  assert.equal((await ask(asker, at("info"), {})).name, "example-typescript");
  assert.deepEqual(await ask(asker, at("configure"), { config: { threshold: 5 } }), { success: true });
  assert.match((await ask(asker, at("configure"), { config: { threshold: 0 } })).error, /threshold/);
  assert.deepEqual(await ask(asker, at("initialize"), {}), { success: true });
  assert.deepEqual(await ask(asker, at("supported_events"), {}), { events: ["custom"] });
  const idle = { is_idle: true, reason: "cpu at 1.5 %, below 5 %", details: { cpu_usage: 1.5 } };
  const question = { metrics: { cpu_usage: 1.5 }, host: "i-0abc" };
  assert.deepEqual(await ask(asker, at("check_idle"), question), idle);
  const packed = await asker.request(at("check_idle"), encode(question));
  assert.deepEqual(decode(packed.data), idle);
  assert.deepEqual(await ask(asker, at("check_idle"), { metrics: {} }), { error: "cpu_usage is unknown" });
  assert.match((await asker.request(at("check_idle"), "{")).json<Answer>().error, /body/);

  const event = { id: "e1", type: "custom", data: { bytes: 2n ** 63n, at: 1650000000000 } };
  const handled = await asker.request(at("handle_event"), encode({ event }, { useBigInt64: true }), {
    timeout: 10_000,
    headers: labelled(at("handle_event")),
  });
  const outcome = { handled: true, succeeded: true, message: "seen e1", details: event.data };
  assert.deepEqual(decode(handled.data, { useBigInt64: true }), {
    ...outcome,
    details: { ...event.data, at: 1650000000000n },
  });
});

test("I3: what has an effect needs its kind and version", async () => {
  await using server = await new Server().start();
  await using child = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" });
  await child.logged("ready");
  await using asker = await server.connect();
  const body = {
    event: { id: "e1", type: "custom" },
    config: { threshold: 90 },
    metrics: { cpu_usage: 50 },
  };
  const of = (method: string, said: Record<string, string>): Promise<Answer["result"]> =>
    ask(asker, `snooze.v1.host.h.plugin.example-typescript.${method}`, body, labels(said));

  for (const method of ["handle_event", "configure", "initialize", "shutdown"]) {
    const error = `${method} has an effect and needs the header Snooze-Kind: ${method}`;
    assert.deepEqual(await of(method, {}), { error });
  }
  const kind = { "Snooze-Kind": "handle_event" };
  const version = { "Snooze-Version": "1" };
  const cases: [Record<string, string>, RegExp][] = [
    [kind, /needs the header Snooze-Version: 1/],
    [version, /needs the header Snooze-Kind: handle_event/],
    [{ ...kind, "Snooze-Version": "2" }, /version 2 of handle_event is not known/],
    [{ ...version, "Snooze-Kind": "check_idle" }, /says check_idle/],
    [{ ...kind, ...version, "nats-Sequence": "7" }, /only a server adds/],
    [{ ...kind, ...version, "KV-Operation": "PURGE" }, /only a server adds/],
  ];
  for (const [said, told] of cases) assert.match((await of("handle_event", said)).error, told);
  assert.equal((await of("handle_event", { ...kind, ...version })).handled, true);
  // Asking may come bare, and never mislabelled; and what was refused has changed nothing.
  for (const method of ["info", "supported_events"]) assert.equal((await of(method, {})).error, undefined);
  assert.equal((await of("check_idle", {})).is_idle, false);
  assert.match((await of("check_idle", { "Snooze-Version": "9" })).error, /version 9/);
});

test("the time that is left is in the event, and the host that asks is passed on", async () => {
  await using server = await new Server().start();
  await using child = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url }, ["idle"]);
  await child.logged("ready");
  await using asker = await server.connect();
  const at = "snooze.v1.fleet.plugin.awkward";
  const handled = await ask(asker, `${at}.handle_event`, { event: { id: "e", type: "t" }, left_ms: 1500 });
  assert.deepEqual(handled.details, { left_ms: 1500, data: {} });
  await ask(asker, `${at}.configure`, { config: { mode: "metrics" } });
  const answer = await ask(asker, `${at}.check_idle`, { metrics: {}, host: "h1" });
  assert.equal(answer.details.host, "h1");
});

test("replicas of a fleet's plugin share the work and are each found as a service", async () => {
  await using server = await new Server().start();
  await using first = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url }, ["pid"]);
  await using second = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url }, ["pid"]);
  await Promise.all([first.logged("ready"), second.logged("ready")]);
  await using asker = await server.connect();
  const at = "snooze.v1.fleet.plugin.awkward";

  const asked = Array.from({ length: 64 }, () => ask(asker, `${at}.check_idle`, { metrics: {}, host: "h" }));
  const pids = new Set((await Promise.all(asked)).map((answer) => answer.details.pid));
  assert.equal(pids.size, 2);
  await ask(asker, `${at}.check_idle`, {});

  for (const info of await everybody(asker, "INFO.awkward", 2)) {
    assert.equal(info.type, "io.nats.micro.v1.info_response");
    assert.deepEqual([info.name, info.version, info.metadata.language], ["awkward", "0.0.0", "typescript"]);
    assert.deepEqual(
      info.endpoints,
      METHODS.map((name) => ({ name, subject: `${at}.${name}`, queue_group: "awkward", metadata: {} })),
    );
  }
  const stats = await everybody(asker, "STATS", 2);
  assert.deepEqual(new Set(stats.map(({ type }) => type)), new Set(["io.nats.micro.v1.stats_response"]));
  const checks = stats.map(({ endpoints }) => endpoints[METHODS.indexOf("check_idle")]);
  assert.equal(checks[0].num_requests + checks[1].num_requests, 65);
  // The one that has no metrics: each replica counts its own failures.
  assert.equal(checks[0].num_errors + checks[1].num_errors, 1);
  assert.ok(checks.some(({ last_error }) => last_error === "check_idle: metrics is no object"));
  assert.ok(checks.every(({ average_processing_time }) => average_processing_time > 0));

  // The client's own library understands what is said.
  // It brings a core of its own, whose types differ in names alone.
  const services = new Svcm(asker as unknown as ConstructorParameters<typeof Svcm>[0]).client();
  const ids: string[] = [];
  for await (const { name, id } of await services.ping("awkward")) ids.push(`${name} ${id}`);
  assert.equal(new Set(ids).size, 2);
});

test("it comes back when the server was killed, and is there before the server is", async () => {
  await using server = await new Server().start();
  await using early = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" });
  await early.logged("ready");
  await server.kill();
  await early.logged("the connection is lost");
  await using late = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" });
  await late.logged("connecting to");
  await server.start();
  await Promise.all([early.logged("the connection is back"), late.logged("ready")]);
  await using asker = await server.connect();
  for (const plugin of ["example-typescript", "awkward"]) {
    const answer = await ask(asker, `snooze.v1.host.h.plugin.${plugin}.check_idle`, {
      metrics: { cpu_usage: 1 },
    });
    assert.equal(answer.is_idle, true, plugin);
  }
  assert.equal((await everybody(asker, "PING.example-typescript", 1)).length, 1);
});

test("its credentials are enough on one host, and for the fleet", async () => {
  await using server = await new Fenced().start();
  const plugin = server.credentials("plugin", "h1_example-typescript", [
    "host:h1",
    "plugin:example-typescript",
  ]);
  const fleet = server.credentials("fleet-plugin", "example-typescript");
  const on = (more: Record<string, string>): Child =>
    new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, ...more });
  await using local = on({ SNOOZE_NATS_CREDENTIALS: plugin, SNOOZE_HOST: "h1" });
  await using everywhere = on({ SNOOZE_NATS_CREDENTIALS: fleet });
  await Promise.all([local.logged("ready"), everywhere.logged("ready")]);

  const host = server.credentials("host", "h1", ["fleet-plugin:example-typescript"]);
  await using asker = await server.connectWith(host, "_INBOX_host.h1");
  for (const where of ["host.h1", "fleet"]) {
    const at = `snooze.v1.${where}.plugin.example-typescript.check_idle`;
    const answer = await ask(asker, at, { metrics: { cpu_usage: 50 }, host: "h1" });
    assert.equal(answer.reason, "cpu at 50 %", where);
  }
  // From another account.
  await using looker = await server.connectWith(server.lookersCredentials());
  const found = await everybody(looker, "INFO.example-typescript", 2);
  assert.deepEqual(new Set(found.map(({ metadata }) => metadata.host)), new Set(["h1", undefined]));
});

test("a plugin whom the server denies its subjects ends, and says so", async () => {
  await using server = await new Fenced().start();
  const other = server.credentials("plugin", "h1_other", ["host:h1", "plugin:other"]);
  await using child = new Child(EXAMPLE, {
    SNOOZE_NATS_URL: server.url,
    SNOOZE_NATS_CREDENTIALS: other,
    SNOOZE_HOST: "h1",
  });
  assert.equal(await child.ended(), 1);
  assert.match(child.log, /permissions violation/i);
  await using stranger = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h1" });
  assert.equal(await stranger.ended(), 1);
  assert.match(stranger.log, /authorization/i);
});

test("SIGTERM lets it answer what is under way, and nothing new reaches it", async () => {
  await using server = await new Server().start();
  await using child = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" }, ["slow"]);
  await child.logged("ready");
  await using asker = await server.connect();
  const at = "snooze.v1.host.h.plugin.awkward.check_idle";
  const underWay = ask(asker, at, { metrics: {} });
  await child.logged("slow began");
  child.signal("SIGTERM");
  assert.equal((await underWay).reason, "slow");
  assert.equal(await child.ended(), 0);
  assert.match(child.log, /was shut down/);
  await assert.rejects(ask(asker, at, { metrics: {} }), /no responders/i);
});

test("SIGTERM ends it also while there is no server, and a second one ends it at once", async () => {
  await using server = await new Server().start();
  await using waiting = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url }, ["hangs"]);
  await waiting.logged("ready");
  await using asker = await server.connect({ maxReconnectAttempts: 0 });
  asker.publish("snooze.v1.fleet.plugin.awkward.check_idle", '{"metrics":{}}', { reply: "nobody" });
  await waiting.logged("hangs now");
  await server.kill();
  await using early = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url });
  await early.logged("connecting to");
  early.signal("SIGTERM");
  assert.equal(await early.ended(), 0);
  waiting.signal("SIGTERM");
  await waiting.logged("SIGTERM: ending");
  waiting.signal("SIGTERM");
  assert.equal(await waiting.ended(), 128 + 15);
});

test("what nobody waits for is not done, and what was asked is done once", async () => {
  await using server = await new Server().start();
  await using child = new Child(AWKWARD, { SNOOZE_NATS_URL: server.url }, ["calls"]);
  await child.logged("ready");
  await using asker = await server.connect();
  const at = "snooze.v1.fleet.plugin.awkward.check_idle";
  const { promise, resolve } = deferred();
  const heard = asker.subscribe(at, { callback: () => resolve() });
  asker.publish(at, '{"metrics":{}}');
  await limited("the message", promise);
  heard.unsubscribe();
  const answer = await ask(asker, at, { metrics: {} });
  assert.deepEqual(answer.details.calls, ["initialize", "checkIdle"]);
});
