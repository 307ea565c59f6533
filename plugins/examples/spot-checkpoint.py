#!/usr/bin/env python3
"""Handles `cloud.spot.interrupt`: runs the configured command and gives it the time that is left.

It does not vote: it does not know `CheckIdle`, which is its right. Needs nothing but Python's own
library. Configuration: `command`, a list of words; `reserve_seconds`, kept back for the machine's end.
"""

import json
import subprocess
import sys

settings = {"command": ["sync"], "reserve_seconds": 15}


def handle_event(event):
    if event["type"] != "cloud.spot.interrupt":
        return {"handled": False, "succeeded": True, "message": "not mine"}
    # `left_ms` is what is left on this machine's own clock; it is never more than the plugin is given.
    seconds = event["left_ms"] / 1000
    seconds = max(1.0, seconds - settings["reserve_seconds"]) if seconds > settings["reserve_seconds"] else seconds
    try:
        done = subprocess.run(settings["command"], timeout=seconds, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"handled": True, "succeeded": False, "message": str(error)}
    print(done.stdout, done.stderr, file=sys.stderr, flush=True)
    return {"handled": True, "succeeded": done.returncode == 0, "message": f"exit code {done.returncode}"}


for line in sys.stdin:
    request = json.loads(line)
    method, params = request["method"], request.get("params", {})
    if method == "Info":
        result = {"name": "spot-checkpoint", "display_name": "Spot checkpoint", "version": "1.0.0"}
    elif method == "Configure":
        settings.update(params["config"])
        result = {"success": True}
    elif method == "GetSupportedEvents":
        result = {"events": ["cloud.spot.interrupt"]}
    elif method == "HandleEvent":
        result = handle_event(params["event"])
    else:
        result = {"error": f"Unknown method: {method}"}
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
