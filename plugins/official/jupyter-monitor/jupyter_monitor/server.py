"""One Jupyter server, asked over its REST API for what runs on it.

It only reads, no text that it raises holds a token, and its questions say that they are no activity: a server that
ends by itself when nobody uses it still does.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyter_monitor.activity import ActivityError, Limits, Use
from snooze_monitor import Question, SettingsError, advice, read_secret

SOCKET_SECONDS = 3.0
"""For connecting and for each answer; below the limit of the whole question, so that its error says where it hung."""

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
"""A list of ten thousand kernels."""

_DENIED = (401, 403)


class _AnswerError(Exception):
    """An answer that is of no use, and what to do about it."""


@dataclass(frozen=True)
class Target:
    """Where a server is, how one is let in, and the path of its keys in the configuration."""

    url: str
    token: str = ""
    token_file: Path | None = None
    path: str = ""
    ca_file: Path | None = None

    @property
    def place(self) -> tuple[str, str, int, str]:
        """Scheme, host or socket, port and base; raises `ValueError` for what is no URL of a server."""
        parts = urlsplit(self.url)
        if (
            parts.scheme not in ("http", "https", "http+unix")
            or parts.username is not None
            or parts.password is not None
        ):
            raise ValueError("no URL of a server")
        # A token in the URL, as the server prints it, would be shown with it.
        if parts.query or parts.fragment or not parts.hostname:
            raise ValueError("no URL of a server")
        path = parts.path.rstrip("/")
        if parts.scheme == "http+unix":
            # As Jupyter writes it: the path of the socket in place of the host.
            return parts.scheme, unquote(parts.netloc), 0, path
        return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), path


class Server:
    """A server that is asked now and then."""

    def __init__(self, target: Target) -> None:
        """Connects at each check: it would keep the server from closing connections that nobody uses."""
        self.target = target
        self._connection: http.client.HTTPConnection | None = None
        self._question: Question[Use] = Question(self._interrupt)

    def begin(self, limits: Limits) -> None:
        """Begins to ask; `RuntimeError` where it still waits for the check before."""
        try:
            self._question.begin(lambda: self._use(limits))
        except TimeoutError as error:
            raise RuntimeError(f"Jupyter at {self.target.url}: {error}") from error

    def end(self) -> Use:
        """What it answered, within the limit that holds from `begin` on; `RuntimeError` says what went wrong."""
        try:
            return self._question.end()
        except Exception as error:
            raise RuntimeError(f"Jupyter at {self.target.url}: {_advice(error)}") from error

    def _use(self, limits: Limits) -> Use:
        use = Use()
        self._connection = connection = self._connect()
        try:
            kernels, now = self._get("kernels")
            use.add_kernels(kernels, now, limits)
            if limits.terminals:
                terminals, now = self._get("terminals", missing=[])
                use.add_terminals(terminals, now, limits)
        finally:
            connection.close()
        return use

    def _connect(self) -> http.client.HTTPConnection:
        scheme, host, port, _ = self.target.place
        if scheme == "http+unix":
            return _UnixConnection(host)
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SOCKET_SECONDS)
        file = self.target.ca_file
        try:
            context = ssl.create_default_context(cafile=str(file) if file else None)
        except OSError as error:
            raise SettingsError(f"ca_file: {file} cannot be used: {error.strerror or error}") from None
        return http.client.HTTPSConnection(host, port, timeout=SOCKET_SECONDS, context=context)

    def _get(self, what: str, missing: Any = None) -> tuple[Any, datetime]:
        target = self.target
        token = read_secret(f"{target.path}token_file", target.token_file) if target.token_file else target.token
        assert self._connection is not None  # noqa: S101 # It was opened a line before.
        self._connection.request(
            "GET",
            f"{target.place[3]}/api/{what}?no_track_activity=1",
            headers={"Authorization": f"token {token}"} if token else {},
        )
        answer = self._connection.getresponse()
        body = answer.read(ANSWER_LIMIT_BYTES + 1)
        # Terminals may be switched off, and then nothing is there.
        if answer.status == 404 and missing is not None:
            return missing, datetime.now(timezone.utc)
        if answer.status in _DENIED:
            raise _AnswerError(f"it answers {answer.status}: token or token_file has to hold the server's token")
        if answer.status >= 500:
            raise _AnswerError(
                f"it answers {answer.status} to api/{what}: it starts, or its own log says what is wrong"
            )
        if answer.status != 200:
            raise _AnswerError(
                f"it answers {answer.status} to api/{what}: url has to be a Jupyter server's, with its base_url"
            )
        if len(body) > ANSWER_LIMIT_BYTES:
            raise _AnswerError(
                f"it answers api/{what} with more than {ANSWER_LIMIT_BYTES} bytes: is it a Jupyter server?"
            )
        said = answer.getheader("Date")
        return json.loads(body), parsedate_to_datetime(said) if said else datetime.now(timezone.utc)

    def _interrupt(self) -> None:
        opened = self._connection.sock if self._connection is not None else None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


def _advice(error: Exception) -> str:
    general = advice(error)
    if general or isinstance(error, (_AnswerError, ActivityError)):
        return general or str(error)
    if isinstance(error, ssl.SSLError):
        return f"{error}; ca_file has to hold its authority"
    if isinstance(error, (json.JSONDecodeError, RecursionError)):
        return "what answers there is no Jupyter server"
    if isinstance(error, http.client.HTTPException):
        return f"what answers there does not speak HTTP ({type(error).__name__})"
    if isinstance(error, OSError):
        return f"{error}; is it running, and does url lead to it?"
    return str(error)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SOCKET_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SOCKET_SECONDS)
        self.sock.connect(self._path)
