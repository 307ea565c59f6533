#!/usr/bin/env python3
"""Votes idle while the processor is below a threshold, and sees events of the type `custom`."""

from __future__ import annotations

import sys
from pathlib import Path

# The SDK of this checkout. A plugin that is installed has it beside itself or in its environment, and no such line.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from snooze_plugin import Busy, Config, Event, Handled, Idle, Metrics, NotHandled, Plugin, run


class Example(Plugin):
    """What every SDK's example does."""

    name = "example-python"
    version = "1.0.0"
    display_name = "Example in Python"
    author = "CloudSnooze"
    description = "Votes idle while the processor is below a threshold"
    events = ("custom",)
    threshold: float = 10

    def configure(self, config: Config) -> None:
        """Takes a `threshold` above 0; another one is refused and the old one stays."""
        threshold = config.get("threshold", 10)
        is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
        if not is_number or not threshold > 0:
            raise ValueError(f"threshold is a number above 0, not {threshold!r}")
        self.threshold = threshold

    def check_idle(self, metrics: Metrics) -> Idle | Busy:
        """Compares the processor's load with the threshold."""
        print("noise")
        if metrics.cpu_usage is None:
            raise ValueError("cpu_usage is unknown")
        load, details = f"cpu at {_short(metrics.cpu_usage)} %", {"cpu_usage": metrics.cpu_usage}
        if metrics.cpu_usage < self.threshold:
            return Idle(f"{load}, below {_short(self.threshold)} %", details)
        return Busy(load, details)

    def handle_event(self, event: Event) -> Handled | NotHandled:
        """Sees people's own events; one whose data says `fail` does not succeed."""
        print("noise")
        if event.type.split(".")[0] != "custom":
            return NotHandled()
        return Handled(f"seen {event.id}", event.data, succeeded=event.data.get("fail") is not True)


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


run(Example())
