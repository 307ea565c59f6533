/**
 * Plugins for CloudSnooze: a plugin says whether the workload that it watches is idle, and may handle
 * events.
 *
 * @example
 * ```ts
 * await run({
 *   info: { name: "low-load", version: "1.0.0" },
 *   checkIdle: ({ cpu_usage }) => (cpu_usage !== null && cpu_usage < 10 ? idle("low load") : busy("in use")),
 * });
 * ```
 */

export type { Config, Metrics, Plugin, PluginEvent, PluginInfo } from "./plugin.js";
export { busy, type Details, failed, handled, idle, notHandled, type Outcome, type Vote } from "./results.js";
export { run } from "./run.js";
