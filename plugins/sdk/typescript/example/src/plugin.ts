#!/usr/bin/env node
/**
 * The example: idle while the processor is, and takes note of people's own events.
 *
 * It shows each method once and acts on nothing.
 */

import {
  busy,
  type Config,
  failed,
  handled,
  idle,
  type Metrics,
  notHandled,
  type Outcome,
  type Plugin,
  type PluginEvent,
  run,
  type Vote,
} from "cloudsnooze-plugin";

class Example implements Plugin {
  readonly info = {
    name: "example-typescript",
    version: "1.0.0",
    display_name: "Example in TypeScript",
    author: "CloudSnooze",
    description: "Idle while the processor is below a threshold",
  };

  #threshold = 10;

  configure({ threshold = 10 }: Config): void {
    if (typeof threshold !== "number" || !(threshold > 0)) {
      throw new Error(`threshold is a number above 0, and not ${JSON.stringify(threshold)}`);
    }
    this.#threshold = threshold;
  }

  checkIdle({ cpu_usage }: Metrics): Vote {
    print("noise");
    if (cpu_usage === null) throw new Error("cpu_usage is unknown");
    const details = { cpu_usage };
    if (cpu_usage < this.#threshold) {
      return idle(`cpu at ${cpu_usage} %, below ${this.#threshold} %`, details);
    }
    return busy(`cpu at ${cpu_usage} %`, details);
  }

  supportedEvents(): string[] {
    return ["custom"];
  }

  handleEvent({ id, type, data }: PluginEvent): Outcome {
    print("noise");
    if (type !== "custom" && !type.startsWith("custom.")) return notHandled();
    const message = `seen ${id}`;
    return data.fail === true ? failed(message, data) : handled(message, data);
  }
}

/** What is printed does not disturb the protocol: it goes to the log. */
function print(text: string): void {
  // biome-ignore lint/suspicious/noConsole: this is what it shows.
  console.log(text);
}

await run(new Example());
