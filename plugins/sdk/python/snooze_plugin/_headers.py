"""The headers of a NATS request: what has an effect says what it is.

A server can be made to send a message that it stores to a subject whose sender may not publish there, so a body alone
proves nothing. This refuses such messages and looks at no body.
"""

from __future__ import annotations

from collections.abc import Mapping

from snooze_plugin._methods import INVALID_REQUEST, Failure

_KIND, _VERSION = "Snooze-Kind", "Snooze-Version"

_SPOKEN = "1"
"""The only version of the messages so far."""

_HAVE_EFFECT = frozenset({"handle_event", "configure", "initialize", "shutdown"})

_OF_A_SERVER = ("nats-", "kv-")
"""What the headers begin with that a server adds to what it stores, whatever the case of their letters."""

_OF_ANOTHER_ACCOUNT = "nats-request-info"
"""Says from which account a question came, and is no sign of a stored message."""


def check(method: str, headers: Mapping[str, str] | None) -> None:
    """Raises `Failure` for a request to this method that is none. Asking may come bare, and never mislabelled."""
    headers = headers or {}
    for name in headers:
        lower = name.lower()
        if lower.startswith(_OF_A_SERVER) and lower != _OF_ANOTHER_ACCOUNT:
            raise _refused(f"the header {name} is one that only a server adds")
    for name, expected in ((_KIND, method), (_VERSION, _SPOKEN)):
        if name not in headers and method in _HAVE_EFFECT:
            raise _refused(f"{method} has an effect and needs the header {name}: {expected}")
    kind, version = headers.get(_KIND, method), headers.get(_VERSION, _SPOKEN)
    if kind != method:
        raise _refused(f"the header {_KIND} says {kind}, and the subject {method}")
    if version != _SPOKEN:
        raise _refused(f"version {version} of {method} is not known, this plugin speaks version {_SPOKEN}")


def _refused(text: str) -> Failure:
    return Failure(text, INVALID_REQUEST)
