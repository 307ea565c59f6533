/** What only this plugin knows: idle while the processor is below a threshold. */

import { busy, type Config, idle, type Metrics, type Plugin, type Vote } from "cloudsnooze-plugin";

export class Monitor implements Plugin {
  readonly info = { name: "{{name}}", version: "0.1.0" };
  #threshold = 10;

  /** Takes what the schema in plugin.json has let through. */
  configure({ threshold = 10 }: Config): void {
    if (typeof threshold !== "number") throw new Error("threshold is a number");
    this.#threshold = threshold;
  }

  /** Whoever does not know throws: an error is an unknown vote, and unknown is never idle. */
  checkIdle({ cpu_usage }: Metrics): Vote {
    if (cpu_usage === null) throw new Error("cpu_usage is unknown");
    const reason = `cpu at ${cpu_usage.toFixed(1)} %`;
    return cpu_usage < this.#threshold ? idle(reason, { cpu_usage }) : busy(reason, { cpu_usage });
  }
}
