#!/usr/bin/env node
/** The plugin as a process. */

import { run } from "cloudsnooze-plugin";
import { Monitor } from "./monitor.js";

await run(new Monitor());
