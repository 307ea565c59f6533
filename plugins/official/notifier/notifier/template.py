"""What is said of an event: a text with names in braces, which stand for what the event says.

It runs nothing: a name that is not known is refused when it is configured, and what an event says is never taken for a
template again.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable

from snooze_plugin import Event

SEVERITIES = ("info", "warning", "urgent", "critical")

VALUE_LIMIT = 1000
"""Characters of one value: an event may hold a megabyte, and nobody reads that."""

_NAME = re.compile(r"\{([^{}]*)\}")
_DATA = re.compile(r"data\.[A-Za-z0-9_.-]+")


def severity(event: Event) -> str:
    """Its name."""
    return SEVERITIES[event.severity] if 0 <= event.severity < len(SEVERITIES) else str(event.severity)


def state(event: Event) -> str:
    """Whether it begins, has ended or was called off: the type is the same, and an all-clear is no second alarm."""
    return _shown(event.data.get("state")) or "raised"


_NAMES: dict[str, Callable[[Event], str]] = {
    "id": lambda event: event.id,
    "type": lambda event: event.type,
    "severity": severity,
    "state": state,
    "source": lambda event: event.source,
    "host": lambda event: event.host,
    "noticed_at": lambda event: event.noticed_at,
    "deadline": lambda event: event.deadline or "none",
    "seconds_left": lambda event: "unknown" if event.left_seconds is None else str(int(event.left_seconds)),
    "data": lambda event: json.dumps(dict(event.data), ensure_ascii=False),
}


def unknown_name(template: str) -> str | None:
    """The first name in it that there is not."""
    found = (match.group(1) for match in _NAME.finditer(template))
    return next((name for name in found if name not in _NAMES and not _DATA.fullmatch(name)), None)


def names() -> str:
    """All that there are, for people."""
    return ", ".join([*_NAMES, "data.<key>"])


def fill(template: str, event: Event) -> str:
    """The text; a key that the data does not have is nothing."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        said = _NAMES[name](event) if name in _NAMES else _shown(event.data.get(name[len("data.") :]))
        return said if len(said) <= VALUE_LIMIT else said[:VALUE_LIMIT] + "…"

    return _NAME.sub(value, template)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
