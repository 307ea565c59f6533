#!/usr/bin/env node
/**
 * The program: an HTTP monitor on the transport that its environment names.
 *
 * It decides nothing.
 */

import { run } from "cloudsnooze-plugin";
import { HttpMonitor } from "./monitor.js";

await run(new HttpMonitor());
