#!/usr/bin/env python3
"""Votes idle while the processor is below a threshold."""

import sys
from pathlib import Path

# The SDK lies beside this file, so that the plugin needs nothing but Python.
sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from snooze_plugin import Busy, Idle, Plugin, run  # noqa: E402


class Monitor(Plugin):
    """What only this plugin knows."""

    name = "{{name}}"
    version = "0.1.0"
    threshold = 10.0

    def configure(self, config):
        """Takes what the schema in plugin.json has let through."""
        self.threshold = config.get("threshold", 10.0)

    def check_idle(self, metrics):
        """Whoever does not know raises: an error is an unknown vote, and unknown is never idle."""
        if metrics.cpu_usage is None:
            raise ValueError("cpu_usage is unknown")
        details = {"cpu_usage": metrics.cpu_usage}
        if metrics.cpu_usage < self.threshold:
            return Idle(f"cpu at {metrics.cpu_usage:.1f} %", details)
        return Busy(f"cpu at {metrics.cpu_usage:.1f} %", details)


if __name__ == "__main__":
    run(Monitor())
