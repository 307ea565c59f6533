/**
 * A plugin that does what none should, as its configuration says. Tests run it; it does no harm.
 */

import { stdout as heldEarly } from "node:process";
import { busy, handled, idle, type Plugin, run } from "cloudsnooze-plugin";

const never = new Promise<never>(() => {});
let mode = "";
let calls: string[] = [];

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

// biome-ignore lint/suspicious/noExplicitAny: it returns what the compiler would not let it return.
const answers: Record<string, () => any> = {
  idle: () => idle("nothing", {}),
  "looks-idle": () => ({ is_idle: true, isIdle: true, reason: "looks like it", details: {} }),
  true: () => true,
  nothing: () => undefined,
  outcome: () => handled(),
  throws: () => {
    throw new Error(`${"x".repeat(499)}\u{1F600}y`);
  },
  "throws-nothing": () => Promise.reject(undefined),
  "throws-an-object": () => Promise.reject(Object.create(null)),
  "throws-unknown-method": () => {
    throw new Error("Unknown method: CheckIdle");
  },
  "no-text": () => idle(7 as unknown as string),
  itself: () => {
    const details: Record<string, unknown> = {};
    details.itself = details;
    return busy("goes round", details);
  },
  long: () => busy("x".repeat(1024 * 1024)),
  odd: () =>
    busy("half a pair: \ud83d", {
      date: new Date(0),
      nan: Number.NaN,
      big: 2n ** 63n,
      no: undefined,
      list: [() => 1],
    }),
  hangs: () => {
    say("hangs now");
    return never;
  },
  prints: () => {
    // biome-ignore lint/suspicious/noConsole: this is what is tested.
    console.log("to the console");
    process.stdout.write("to stdout\n");
    heldEarly.write("to what was held\n");
    heldEarly.end("to its end\n");
    return idle("printed");
  },
  rejects: () => {
    void Promise.reject(new Error("nobody waits for this"));
    return never;
  },
  calls: () => idle("", { calls }),
  slow: async () => {
    say("slow began");
    await new Promise((resolve) => setTimeout(resolve, 300));
    return idle("slow");
  },
  pid: () => idle("", { pid: process.pid }),
};

const plugin: Plugin = {
  info: { name: "awkward" },
  configure: (config) => {
    mode = String(config.mode);
  },
  initialize: () => {
    calls.push("initialize");
    if (mode === "initialize-fails" && calls.length < 3) throw new Error("not yet");
  },
  checkIdle: (metrics, host) => {
    calls.push("checkIdle");
    if (mode === "metrics") return idle("", { metrics, host });
    return answers[mode || (process.argv[2] ?? "idle")]?.() ?? answers.nothing?.();
  },
  handleEvent: (event) => handled(event.id, { left_ms: event.left_ms, data: event.data }),
  shutdown: () => {
    say("was shut down");
    calls = [];
  },
};

await run(plugin);
