"""JSON as RFC 8259 has it: UTF-8, and neither NaN nor infinity, which Python's own module reads and writes.

What cannot be written is a failure of the answer, said before a byte of it was sent.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from snooze_plugin._methods import Failure


class NotJsonError(ValueError):
    """These bytes are no JSON."""


def decode(text: bytes) -> Any:
    """Reads a value."""
    try:
        return json.loads(text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


def encode(value: Any) -> bytes:
    """Writes a value on one line."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Failure(f"the answer cannot be written as JSON: {error}") from error
    # Names of files may hold lone surrogates, which have no place in UTF-8.
    return text.encode(errors="replace")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
