"""What an author writes: a class with a name and the methods that it wants.

It knows no transport. Which methods an author wrote is seen by whether they are those of this class.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Union

from snooze_plugin._questions import Event, Metrics
from snooze_plugin._results import Busy, Details, Handled, Idle, NotHandled

__all__ = ["Config", "Details", "Outcome", "Plugin", "Verdict", "check_plugin", "has"]

Config = Mapping[str, Any]
Verdict = Union[Idle, Busy]
Outcome = Union[Handled, NotHandled]

_NAME = re.compile(r"[a-z0-9-]{1,64}")
# Built-in voters have these names.
_TAKEN = frozenset({"cpu", "memory", "network", "input", "people", "gpu"})
# Semantic versions, as semver.org 2.0.0 has them; a NATS service is refused without one.
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)


class Plugin:
    """A plugin. Write `name` and one of `check_idle` and `handle_event`; everything else may stay as it is.

    Each method may be `async`. They are called one at a time, whatever the transport. What a method raises is the
    error that it answers, and an error is an unknown vote: the machine stays up.
    """

    name: str
    """1 to 64 of `a-z 0-9 -`."""
    version: str = "0.0.0"
    """A semantic version."""
    display_name: str = ""
    author: str = ""
    description: str = ""
    events: Sequence[str] = ()
    """Types of events that it handles; `custom` stands for every `custom.*`."""

    def info(self) -> Mapping[str, Any]:
        """What it says of itself; it is asked once."""
        about = {
            "name": self.name,
            "version": self.version,
            "display_name": self.display_name,
            "author": self.author,
            "description": self.description,
        }
        return {key: value for key, value in about.items() if value}

    def configure(self, config: Config) -> Awaitable[None] | None:
        """Takes a configuration, or raises and keeps the one that it has. Comes first, and again at each change."""

    def initialize(self) -> Awaitable[None] | None:
        """Prepares for questions: called once before the first one, again only if it raised or after `shutdown`."""

    def check_idle(self, metrics: Metrics) -> Verdict | Awaitable[Verdict]:
        """Says whether what it watches is in use: `Idle` or `Busy`. Whoever cannot tell raises."""
        raise NotImplementedError

    def handle_event(self, event: Event) -> Outcome | Awaitable[Outcome]:
        """Handles an event: `Handled` or `NotHandled`."""
        raise NotImplementedError

    def supported_events(self) -> Sequence[str] | Awaitable[Sequence[str]]:
        """Which events it is given."""
        return self.events

    def shutdown(self) -> Awaitable[None] | None:
        """Gives back what it holds; called once, at an orderly end."""


def has(plugin: Plugin, method: str) -> bool:
    """Whether the author wrote this method."""
    written: object | None = getattr(plugin, method, None)
    return getattr(written, "__func__", written) is not getattr(Plugin, method)


def check_plugin(plugin: Plugin) -> None:
    """Refuses a plugin that could never be asked, before anybody tries."""
    if not isinstance(plugin, Plugin):
        raise TypeError(f"run takes an instance of a Plugin, not {plugin!r}")
    name = getattr(plugin, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
        raise ValueError(f"name is 1 to 64 of a-z 0-9 - and not a built-in voter's, not {name!r}")
    if not isinstance(plugin.version, str) or not _VERSION.fullmatch(plugin.version):
        raise ValueError(f"version is a semantic version such as 1.0.0, not {plugin.version!r}")
    if not (has(plugin, "check_idle") or has(plugin, "handle_event")):
        raise TypeError(f"{type(plugin).__name__} has neither check_idle nor handle_event")
