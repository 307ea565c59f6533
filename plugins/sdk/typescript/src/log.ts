/**
 * The plugin's log, which is standard error.
 *
 * It never writes to standard output, and never lets a log that nobody reads end the plugin.
 */

import { inspect } from "node:util";
import { bounded } from "./plain.js";

/** As much of one entry as is written: a message may hold all that was read. */
const MOST_CHARACTERS = 8192;

/** Writes one entry. What is thrown comes with its stack. */
export function log(message: string, thrown?: unknown): void {
  const cause = thrown === undefined ? "" : `: ${describe(thrown)}`;
  process.stderr.write(`cloudsnooze-plugin: ${bounded(`${message}${cause}`, MOST_CHARACTERS)}\n`);
}

/** From now on a log that is closed is no failure. */
export function surviveClosedLog(): void {
  process.stderr.on("error", () => {});
}

function describe(thrown: unknown): string {
  try {
    return inspect(thrown, { depth: 4, breakLength: 100, maxStringLength: 2048, maxArrayLength: 20 });
  } catch {
    return "something that cannot be shown";
  }
}
