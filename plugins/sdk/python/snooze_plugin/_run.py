"""Chooses the transport by the environment, and knows nothing of either."""

from __future__ import annotations

import os
import re
import sys

from snooze_plugin._plugin import Plugin, check_plugin

_HOST = re.compile(r"[A-Za-z0-9_-]{1,64}")


def run(plugin: Plugin) -> None:
    """Answers for a plugin until its standard input ends, or SIGTERM comes; call it once, at the end of the program.

    Where `SNOOZE_NATS_URL` is set it answers over NATS, with the credentials in the file that
    `SNOOZE_NATS_CREDENTIALS` names, for the host `SNOOZE_HOST`, or without one for the whole fleet. Else it answers
    on standard output, and whatever else is written there goes to standard error.

    Raises `TypeError` or `ValueError` where the plugin has no usable name, no semantic version, or neither
    `check_idle` nor `handle_event`.
    """
    check_plugin(plugin)
    url = os.environ.get("SNOOZE_NATS_URL")
    if not url:
        from snooze_plugin._stdio import run_on_stdio  # noqa: PLC0415 # Only what is needed is loaded.

        run_on_stdio(plugin)
        return
    host = os.environ.get("SNOOZE_HOST") or None
    if host is not None and (host == "fleet" or not _HOST.fullmatch(host)):
        sys.exit(f"SNOOZE_HOST is 1 to 64 of A-Z a-z 0-9 _ - and not fleet, not {host!r}")
    try:
        from snooze_plugin._nats import run_on_nats  # noqa: PLC0415 # Only who answers over NATS needs a client.
    except ModuleNotFoundError as error:
        sys.exit(f"SNOOZE_NATS_URL is set and {error.name} is missing: pip install 'snooze-plugin[nats]'")
    run_on_nats(plugin, url, os.environ.get("SNOOZE_NATS_CREDENTIALS") or None, host)
