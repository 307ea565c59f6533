"""What a plugin answers: a vote, or what it made of an event.

Nothing here is made from untyped data: a plugin that returns anything else has said nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Details = Mapping[str, Any]


@dataclass(frozen=True)
class Idle:
    """Nobody uses what the plugin watches; `reason` says to people why, `details` what it rests on."""

    reason: str = ""
    details: Details = field(default_factory=dict)


@dataclass(frozen=True)
class Busy:
    """Somebody uses what the plugin watches: the machine stays up."""

    reason: str = ""
    details: Details = field(default_factory=dict)


@dataclass(frozen=True)
class Handled:
    """The event was this plugin's, and was handled; `succeeded` says whether that came to a good end."""

    message: str = ""
    details: Details = field(default_factory=dict)
    succeeded: bool = True


@dataclass(frozen=True)
class NotHandled:
    """The event is nothing to this plugin."""

    message: str = ""
    details: Details = field(default_factory=dict)
