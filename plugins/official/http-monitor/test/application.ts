/**
 * An application with prom-client: a process of its own that counts its requests and has a page of them.
 *
 * `PORT` is where it listens; with `OPENMETRICS` its page is of that format.
 */

import { createServer } from "node:http";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

const registry = new Registry();
const opened = process.env.OPENMETRICS !== undefined;
if (opened) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
const registers = [registry];
// OpenMetrics has the suffix of a counter on its samples only, and prom-client puts it there.
const requests = new Counter({
  name: opened ? "http_requests" : "http_requests_total",
  help: 'Requests, with a "quote" and a \\ in their help',
  labelNames: ["path", "code"] as const,
  registers,
  enableExemplars: opened,
});
const duration = new Histogram({ name: "request_duration_seconds", help: "Their time", registers });
new Gauge({ name: "requests_in_flight", help: "Not a counter", registers }).set(1);

const server = createServer(async (asked, answer) => {
  const path = new URL(asked.url ?? "/", "http://localhost").pathname;
  if (path === "/metrics") {
    answer.setHeader("content-type", registry.contentType);
    answer.end(await registry.metrics());
    return;
  }
  const labels = { path: decodeURIComponent(path), code: "200" };
  if (opened) requests.inc({ labels, value: 1, exemplarLabels: { code: "200" } });
  else requests.inc(labels);
  duration.observe(0.01);
  answer.end("here");
});

server.listen(Number(process.env.PORT), "127.0.0.1");
