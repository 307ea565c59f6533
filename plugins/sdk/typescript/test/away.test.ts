/** A server that stays away: more attempts than the client makes by itself. In a file of its own, for it is slow. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { Child, deferred, EXAMPLE, limited } from "./child.js";
import { Server } from "./server.js";

/** The client gives up after ten, unless it is told otherwise. */
const ATTEMPTS = 12;

test("it goes on trying for as long as the server is away", async () => {
  await using server = await new Server().start();
  await using child = new Child(EXAMPLE, { SNOOZE_NATS_URL: server.url, SNOOZE_HOST: "h" });
  await child.logged("ready");
  await server.kill();

  const { promise, resolve } = deferred();
  let attempts = 0;
  const inItsPlace = createServer((socket) => {
    attempts += 1;
    socket.destroy();
    if (attempts === ATTEMPTS) resolve();
  });
  inItsPlace.listen(Number(new URL(server.url).port), "127.0.0.1");
  await limited("so many attempts", Promise.race([promise, child.exited]), () => child.log);
  assert.equal(attempts, ATTEMPTS, child.log);
  await new Promise((closed) => inItsPlace.close(closed));

  await server.start();
  await child.logged("the connection is back");
});
