/**
 * Runs a plugin as this process, on the transport that its environment names.
 *
 * It never returns: the process ends with the plugin.
 */

import { constants } from "node:os";
import { log, surviveClosedLog } from "./log.js";
import { errorText } from "./plain.js";
import { type Plugin, validate } from "./plugin.js";
import { BadSettings, type NatsSettings, natsSettings } from "./settings.js";
import { serveLines, takeStandardPipes } from "./stdio.js";

/** Something failed, and starting again may help. */
const FAILED = 1;

/** The plugin or its environment is wrong, and starting again does not help. */
const CANNOT_RUN = 2;

/**
 * Runs a plugin until its work is over: its standard input ends, or SIGTERM or SIGINT arrives; a second
 * signal ends it at once. Exit codes: 0 when it ended in order, 1 when it failed, 2 when the plugin or its
 * environment is wrong.
 *
 * With `SNOOZE_NATS_URL` it answers on NATS: `SNOOZE_NATS_CREDENTIALS` names a credentials file,
 * `SNOOZE_HOST` the host that it runs on, and without that it serves the fleet. Else it answers on
 * standard output, which is the protocol's own from the moment of the call.
 */
export async function run(plugin: Plugin): Promise<never> {
  surviveClosedLog();
  const stop = stopSignal();
  try {
    validate(plugin);
    const settings = natsSettings(process.env);
    if (settings === undefined) await serveLines(plugin, takeStandardPipes(), stop);
    else await serveNats(plugin, settings, stop);
  } catch (error) {
    log(errorText(error));
    process.exit(error instanceof BadSettings ? CANNOT_RUN : FAILED);
  }
  process.exit(0);
}

async function serveNats(plugin: Plugin, settings: NatsSettings, stop: AbortSignal): Promise<void> {
  // A child process must not wait for a client that it does not use, nor need to have it.
  const transport = await import("./nats.js").catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    throw new BadSettings(
      "SNOOZE_NATS_URL is set, and the NATS client is not installed: " +
        "npm install @nats-io/transport-node @msgpack/msgpack",
      { cause: error },
    );
  });
  await transport.serveNats(plugin, settings, stop);
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(128 + constants.signals[signal]);
      log(`${signal}: ending`);
      stop.abort();
    });
  }
  return stop.signal;
}
