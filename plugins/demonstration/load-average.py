#!/usr/bin/env python3
"""Votes busy while programs wait for a CPU: the load average over one minute, per CPU.

It also handles `snooze.pending` and every `custom` event by writing a line to its log, to show how
a plugin does both. Needs nothing but Python's own library.
"""

import json
import os
import sys

settings = {"load_per_cpu": 0.5}


def info(_):
    return {
        "name": "load-average",
        "display_name": "Load average",
        "version": "1.0.0",
        "description": "Busy while programs wait for a CPU",
    }


def configure(params):
    settings.update(params["config"])
    return {"success": True}


def check_idle(_):
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    limit = float(settings["load_per_cpu"])
    return {
        "is_idle": load < limit,
        "reason": f"load {load:.2f} for each CPU, idle below {limit}",
        "details": {"load_per_cpu": round(load, 2)},
    }


def handle_event(params):
    event = params["event"]
    # stderr is a plugin's log; stdout belongs to the protocol.
    print(f"{event['type']} from {event['source']}: {event['data']}", file=sys.stderr, flush=True)
    return {"handled": True, "succeeded": True, "message": "written to the log"}


METHODS = {
    "Info": info,
    "Configure": configure,
    "CheckIdle": check_idle,
    "HandleEvent": handle_event,
    "GetSupportedEvents": lambda _: {"events": ["snooze.pending", "custom"]},
}

for line in sys.stdin:
    request_id = None
    # Whatever is wrong with a request is an error and no reason to end.
    try:
        request = json.loads(line)
        request_id = request.get("id")
        method = METHODS.get(request["method"])
        result = method(request.get("params", {})) if method else {"error": "Unknown method"}
    except Exception as error:
        result = {"error": repr(error)}
    print(json.dumps({"result": result, "id": request_id}), flush=True)
