"""One JSON object a line on standard input, one on standard output: the original's lines and JSON-RPC 2.0.

Standard output belongs to the protocol alone, so whatever else writes there, print, an extension or a child process,
writes to standard error instead. Nothing that comes in ends the process but its end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Awaitable
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from snooze_plugin._json import NotJsonError, decode, encode
from snooze_plugin._methods import INVALID_PARAMS, INVALID_REQUEST, Failure, Methods
from snooze_plugin._plugin import Plugin

if TYPE_CHECKING:
    import asyncio

LINE_LIMIT = 1024 * 1024
"""The longest line in either direction, its end not counted."""

_PARSE_ERROR = -32700

_ID_LIMIT = 128
"""Characters of an id that is a text, as JSON-RPC allows: it comes back in every answer."""


class _EndedError(Exception):
    """The process was asked to end while it waited for a request."""


def run_on_stdio(plugin: Plugin) -> None:
    """Answers requests until standard input ends, or a signal asks for an end."""
    requests, answers = _take_over()
    waiting = _Waiting()
    methods = Methods(plugin, waiting.wait_for)
    server = _Server(methods, answers)
    with requests:
        ending = _Ending()
        try:
            while (line := ending.wait_for_line(requests)) is not None:
                server.take(line)
        except (_EndedError, BrokenPipeError):
            # Whoever asked is gone, or wants an end: either way nobody waits for an answer.
            pass
        finally:
            methods.end()
            waiting.close()
            sys.stdout.flush()


def _take_over() -> tuple[IO[bytes], int]:
    """Copies of the protocol's descriptors that no child inherits; what stood there leads elsewhere from now on."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # What was printed before and still waits goes the new way, too.
    sys.stdout.flush()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)
    return os.fdopen(requests, "rb"), answers


class _Ending:
    """Ends the wait for a request at SIGTERM or SIGINT; a request under way is answered first."""

    def __init__(self) -> None:
        self._is_asked = False
        self._is_waiting = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._is_asked:
            # A second one does not wait for what is under way.
            os._exit(128 + number)
        self._is_asked = True
        if self._is_waiting:
            raise _EndedError

    def wait_for_line(self, requests: IO[bytes]) -> bytes | None:
        """The next line without its end, nothing at the end of the input; one that is too long comes cut off."""
        self._is_waiting = True
        try:
            if self._is_asked:
                raise _EndedError
            line = requests.readline(LINE_LIMIT + 2)
            part = line
            while part and not part.endswith(b"\n"):
                part = requests.readline(64 * 1024)
        finally:
            self._is_waiting = False
        return line.rstrip(b"\r\n") if line else None


class _Waiting:
    """Runs async methods, all on one loop, so that connections that they opened stay usable."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        if self._loop is None:
            # Megabytes and a good part of the start, for those only who have async methods.
            import asyncio  # noqa: PLC0415

            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(awaitable)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.close()


class _Server:
    """From a line to its answer."""

    def __init__(self, methods: Methods, answers: int) -> None:
        self._methods = methods
        self._answers = answers
        self._is_json_rpc = False

    def take(self, line: bytes) -> None:
        """Answers one line."""
        request_id: Any = None
        is_notification = False
        try:
            if len(line) > LINE_LIMIT:
                raise Failure(f"the request is longer than {LINE_LIMIT} bytes", INVALID_REQUEST)
            request = _object(line)
            self._is_json_rpc = request.get("jsonrpc") == "2.0"
            request_id = _id_of(request)
            # JSON-RPC 2.0, section 4.1. Without a method it is no request at all, which is answered.
            is_notification = self._is_json_rpc and "id" not in request and isinstance(request.get("method"), str)
            encoded = self._encode({"result": self._result(request), "id": request_id})
        except Failure as failure:
            encoded = self._encode(self._error(failure, request_id))
        if not is_notification:
            self._write(encoded)

    def _result(self, request: dict[str, Any]) -> Any:
        method, params = request.get("method"), request.get("params")
        if not isinstance(method, str):
            raise Failure("the request names no method", INVALID_REQUEST)
        if params is not None and not isinstance(params, dict):
            raise Failure("params is no object", INVALID_PARAMS)
        return self._methods.answer(method, params or {})

    def _error(self, failure: Failure, request_id: Any) -> dict[str, Any]:
        if self._is_json_rpc:
            return {"error": {"code": failure.code, "message": failure.text}, "id": request_id}
        return {"error": failure.text, "id": request_id}

    def _encode(self, answer: dict[str, Any]) -> bytes:
        if self._is_json_rpc:
            answer = {"jsonrpc": "2.0", **answer}
        encoded = encode(answer)
        if len(encoded) > LINE_LIMIT:
            raise Failure(f"the answer would have {len(encoded)} bytes, {LINE_LIMIT} are allowed")
        return encoded

    def _write(self, encoded: bytes) -> None:
        # Unbuffered: what cannot be written any more is not tried again when the process ends.
        left = memoryview(encoded + b"\n")
        while left:
            left = left[os.write(self._answers, left) :]


def _object(line: bytes) -> dict[str, Any]:
    try:
        request = decode(line)
    except NotJsonError as error:
        raise Failure(f"the request is no JSON: {error}", _PARSE_ERROR) from error
    if not isinstance(request, dict):
        raise Failure("the request is no JSON object", INVALID_REQUEST)
    return request


def _id_of(request: dict[str, Any]) -> Any:
    request_id = request.get("id")
    is_short = isinstance(request_id, str) and len(request_id) <= _ID_LIMIT
    if request_id is None or is_short or (isinstance(request_id, (int, float)) and not isinstance(request_id, bool)):
        return request_id
    raise Failure("the request's id is no number", INVALID_REQUEST)
