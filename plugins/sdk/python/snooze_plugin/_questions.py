"""What a plugin is asked about: readings of a host, and events.

Both are read once, at the edge, and strictly: a reading that is no number is refused and never taken for zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class InvalidQuestionError(ValueError):
    """A request that does not hold what it should."""


@dataclass(frozen=True)
class Metrics:
    """Readings of a host: percent, and KiB/s of network and disk. What could not be read is `None`, and never 0."""

    cpu_usage: float | None = None
    memory_usage: float | None = None
    network_traffic: float | None = None
    disk_io: float | None = None
    gpu_usage: float | None = None
    timestamp: float | None = None
    """When they were taken, in seconds since 1970."""
    host: str | None = None
    """Whose they are, where the plugin is asked over NATS."""

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Metrics:
        """Reads the params of `CheckIdle`; unknown readings are left out."""
        metrics = _mapping(params, "metrics")
        return cls(
            cpu_usage=_number(metrics, "cpu_usage"),
            memory_usage=_number(metrics, "memory_usage"),
            network_traffic=_number(metrics, "network_traffic"),
            disk_io=_number(metrics, "disk_io"),
            gpu_usage=_number(metrics, "gpu_usage"),
            timestamp=_number(metrics, "timestamp"),
            host=_text(params, "host"),
        )


@dataclass(frozen=True)
class Event:
    """Something that happened or is about to happen to a host, or to every host (`host` is then `fleet`)."""

    id: str
    type: str
    """As `cloud.spot.interrupt`, `snooze.pending` or `custom.backup`."""
    severity: int = 0
    """0 info, 1 warning, 2 urgent, 3 critical."""
    source: str = ""
    host: str = ""
    noticed_at: str = ""
    """RFC 3339, in UTC."""
    deadline: str | None = None
    """Until when something can be done, RFC 3339; `left_seconds` does not depend on this machine's clock."""
    data: Mapping[str, Any] = field(default_factory=dict)
    left_seconds: float | None = None
    """How much time the handler has, reckoned from when it was asked."""

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Event:
        """Reads the params of `HandleEvent`; `left_ms` stands in the event, or beside it over NATS."""
        event = _mapping(params, "event")
        left_ms = _number(params, "left_ms")
        if left_ms is None:
            left_ms = _number(event, "left_ms")
        severity = event.get("severity")
        return cls(
            id=_needed(event, "id"),
            type=_needed(event, "type"),
            severity=severity if isinstance(severity, int) else 0,
            source=_text(event, "source") or "",
            host=_text(event, "host") or "",
            noticed_at=_text(event, "noticed_at") or "",
            deadline=_text(event, "deadline"),
            data=_mapping(event, "data"),
            left_seconds=None if left_ms is None else left_ms / 1000,
        )


def _mapping(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidQuestionError(f"{name} is no object")
    return value


def _number(params: Mapping[str, Any], name: str) -> float | None:
    value = params.get(name)
    # A bool is an int in Python and no reading.
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    raise InvalidQuestionError(f"{name} is no number")


def _text(params: Mapping[str, Any], name: str) -> str | None:
    value = params.get(name)
    if value is None or isinstance(value, str):
        return value
    raise InvalidQuestionError(f"{name} is no text")


def _needed(params: Mapping[str, Any], name: str) -> str:
    value = _text(params, name)
    if not value:
        raise InvalidQuestionError(f"the event has no {name}")
    return value
