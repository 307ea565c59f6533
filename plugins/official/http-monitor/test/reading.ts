/** A page, or the part of one, as the plugin reads it. */

import { type Form, type Metric, MetricReader } from "../src/exposition.js";
import { Selector } from "../src/selector.js";

/** What a page, or the part of one, says of a metric. */
export function read(page: string, selector: string, form: Form = "text"): Metric {
  const reader = new MetricReader(new Selector(selector), form);
  const lines = page.split("\n");
  const rest = lines.pop() ?? "";
  for (const line of lines) reader.take(line);
  return reader.end(rest);
}
