"""Starts to answer."""

from __future__ import annotations

from snooze_plugin._plugin import Plugin, check_plugin
from snooze_plugin._stdio import run_on_stdio


def run(plugin: Plugin) -> None:
    """Answers for a plugin until its standard input ends, or SIGTERM comes; call it once, at the end of the program.

    It answers on standard output, and whatever else is written there goes to standard error.

    Raises `TypeError` or `ValueError` where the plugin has no usable name, no semantic version, or neither
    `check_idle` nor `handle_event`.
    """
    check_plugin(plugin)
    run_on_stdio(plugin)
