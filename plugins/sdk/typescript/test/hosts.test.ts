/** On NATS: what is about another host than the one that a subject names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { ask, labelled } from "./asking.js";
import { type Answer, Child, EXAMPLE } from "./child.js";
import { Server } from "./server.js";

test("I3: what names another host than its subject is refused", async () => {
  await using server = await new Server().start();
  await using onHost = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" });
  await using ofFleet = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url });
  await onHost.logged("ready");
  await ofFleet.logged("ready");
  await using asker = await server.connect();
  const of = (method: string, body: unknown, where = "host.h"): Promise<Answer["result"]> =>
    ask(asker, `snooze.v1.${where}.plugin.example-typescript.${method}`, body);
  const event = (host: unknown) => ({ event: { id: "e1", type: "custom", host, data: { host: "h2" } } });

  const refused = { error: "the body names the host h2, and the subject h" };
  for (const [method, body] of [
    ["handle_event", event("h2")],
    ["check_idle", { metrics: { cpu_usage: 1.5 }, host: "h2" }],
  ] as const) {
    assert.deepEqual(await of(method, body), refused);
    const at = `snooze.v1.host.h.plugin.example-typescript.${method}`;
    const packed = await asker.request(at, encode(body), { timeout: 10_000, headers: labelled(at) });
    assert.deepEqual(decode(packed.data), refused);
    // Who serves every host is asked about any.
    assert.equal((await of(method, body, "fleet")).error, undefined);
  }
  for (const host of [7, ["h"], "H"]) {
    assert.match((await of("handle_event", event(host))).error, /names the host/);
  }
  for (const host of ["h", "fleet", null]) {
    assert.equal((await of("handle_event", event(host))).handled, true);
  }
});
