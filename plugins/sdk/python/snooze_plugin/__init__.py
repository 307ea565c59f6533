"""Plugins for CloudSnooze: say whether what only you can see is in use, and handle what is about to happen.

A plugin is a `Plugin` with a name and one of `check_idle` and `handle_event`; `run` answers for it, over standard
input and output or over NATS. Nothing here decides whether a machine stops, and nothing that goes wrong is idle.
"""

from snooze_plugin._plugin import Config, Details, Outcome, Plugin, Verdict
from snooze_plugin._questions import Event, Metrics
from snooze_plugin._results import Busy, Handled, Idle, NotHandled
from snooze_plugin._run import run

__all__ = [
    "Busy",
    "Config",
    "Details",
    "Event",
    "Handled",
    "Idle",
    "Metrics",
    "NotHandled",
    "Outcome",
    "Plugin",
    "Verdict",
    "run",
]
