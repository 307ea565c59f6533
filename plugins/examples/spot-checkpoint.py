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


def answer(method, params):
    if method == "Info":
        return {"name": "spot-checkpoint", "display_name": "Spot checkpoint", "version": "1.0.0"}
    if method == "Configure":
        settings.update(params["config"])
        return {"success": True}
    if method == "GetSupportedEvents":
        return {"events": ["cloud.spot.interrupt"]}
    if method == "HandleEvent":
        return handle_event(params["event"])
    return {"error": f"Unknown method: {method}"}


for line in sys.stdin:
    request_id = None
    # Whatever is wrong with a request is an error and no reason to end.
    try:
        request = json.loads(line)
        request_id = request.get("id")
        result = answer(request["method"], request.get("params", {}))
    except Exception as error:
        result = {"error": repr(error)}
    print(json.dumps({"result": result, "id": request_id}), flush=True)
