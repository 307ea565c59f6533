"""Bodies of NATS messages: MessagePack maps, and JSON objects on sight. An answer has the form of its question.

None of them says of another host what its subject says of this one.
"""

from __future__ import annotations

import enum
from typing import Any

import msgpack

from snooze_plugin._json import NotJsonError, decode, encode
from snooze_plugin._methods import INVALID_REQUEST, Failure, Params

BODY_LIMIT = 1024 * 1024
"""The largest body in either direction: the server's own default."""

_FLEET = "fleet"
"""What stands for every host, and is no host's name."""

_MAP_16_AND_32 = frozenset({0xDE, 0xDF})


class Body(enum.Enum):
    """How a body is written."""

    JSON = "JSON"
    MESSAGE_PACK = "MessagePack"

    @classmethod
    def of(cls, data: bytes) -> Body:
        """By its first byte; what is no map of MessagePack is answered in JSON."""
        is_map = bool(data) and (data[0] in _MAP_16_AND_32 or 0x80 <= data[0] <= 0x8F)
        return cls.MESSAGE_PACK if is_map else cls.JSON

    def write(self, result: Params) -> bytes:
        """Writes a result. What is no JSON is refused in both forms, so that a plugin works on either transport."""
        encoded = encode(result)
        if self is Body.MESSAGE_PACK:
            encoded = _pack(decode(encoded))
        if len(encoded) > BODY_LIMIT:
            raise Failure(f"the answer would have {len(encoded)} bytes, {BODY_LIMIT} are allowed")
        return encoded


def read(data: bytes) -> Params:
    """Reads params; an empty body is an empty object, as a shell sends it."""
    if len(data) > BODY_LIMIT:
        raise Failure(f"the request has {len(data)} bytes, {BODY_LIMIT} are allowed", INVALID_REQUEST)
    if not data:
        return {}
    form = Body.of(data)
    try:
        params = decode(data) if form is Body.JSON else msgpack.unpackb(data)
    # The library raises errors of many kinds, most of them of `ValueError`.
    except (NotJsonError, ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise Failure(f"the request is no {form.value}: {error}", INVALID_REQUEST) from error
    if not isinstance(params, dict):
        raise Failure("the request is no object", INVALID_REQUEST)
    return params


def check_host(params: Params, host: str) -> None:
    """Raises `Failure` where a body, or the event in it, names another host than its subject.

    Whoever may publish to one host's subjects could else have another's event handled there.
    """
    event = params.get("event")
    for holder in (params, event if isinstance(event, dict) else {}):
        named = holder.get("host")
        if named is not None and named not in (host, _FLEET):
            raise Failure(f"the body names the host {named}, and the subject {host}", INVALID_REQUEST)


def _pack(value: Any) -> bytes:
    try:
        return bytes(msgpack.packb(value))
    except (ValueError, OverflowError) as error:
        raise Failure(f"the answer cannot be written as MessagePack: {error}") from error
