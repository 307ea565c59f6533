"""A connection to a Redis server that is kept between questions, and errors that say what to do.

No text that it raises holds a password, and it sends nothing but what it is asked to send and what signing in takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, TypeVar

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from snooze_monitor import Question, Settings, advice, read_secret

T = TypeVar("T")

URL = "redis://localhost:6379"

SOCKET_SECONDS = 3.0
"""For connecting and for each answer; below the limit of the whole question, so that its error says where it hung."""

_FORM = (
    "is no URL of the form redis://user:password@host:6379/0, rediss://… or unix://…; what is special in a password is "
    "written as %XX"
)


@dataclass(frozen=True)
class Target:
    """Which server, and how one signs in."""

    url: str = URL
    password_file: Path | None = None

    @classmethod
    def take(cls, settings: Settings) -> Target:
        """Takes its keys from a configuration; raises what is wrong with them."""
        target = cls(settings.text("redis_url", URL), settings.file("password_file"))
        try:
            options = parse_url(target.url)
            # Made and not opened: keys of the URL that there are not are found here.
            _client(target, None).connection_pool.make_connection()
            address = _address(options)
        # Whatever a parser says shows a part of the URL, and so perhaps of the password.
        except Exception:
            raise settings.error("redis_url", _FORM) from None
        if not address:
            raise settings.error("redis_url", _FORM)
        if target.password_file is not None and options.get("password"):
            raise settings.error("password_file", "is given, and redis_url has a password, too")
        return target

    @property
    def address(self) -> str:
        """Where the server is, without a password."""
        return _address(parse_url(self.url))


class Server:
    """A server that is asked now and then."""

    def __init__(self, target: Target) -> None:
        """Connects at the first question."""
        self.target = target
        self._client: Redis | None = None
        self._question: Question[Any] = Question(self.close)

    def ask(self, question: Callable[[Redis], T]) -> T:
        """What the question makes of the connection; `RuntimeError` says what went wrong, where, and what to do."""
        try:
            answer: T = self._question.ask(lambda: self._ask(question))
        # What is no Redis can make the client fail in any way.
        except Exception as error:
            raise RuntimeError(f"Redis at {self.target.address}: {_advice(error)}") from None
        return answer

    def _ask(self, question: Callable[[Redis], T]) -> T:
        if self._client is None:
            file = self.target.password_file
            self._client = _client(self.target, read_secret("password_file", file) if file else None)
        try:
            return question(self._client)
        except BaseException:
            # What is still to come belongs to this question: the next one begins anew.
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection, also under a question of another thread, which then fails."""
        client, self._client = self._client, None
        if client is not None:
            client.connection_pool.disconnect(inuse_connections=True)


def _client(target: Target, password: str | None) -> Redis:
    options: dict[str, Any] = {"password": password} if password is not None else {}
    return Redis.from_url(
        target.url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        # A connection that the server closed meanwhile is opened again; nothing else is tried twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
        # Its introduction, CLIENT SETINFO, is more than an account with the least rights may send.
        lib_name=None,
        lib_version=None,
        decode_responses=True,
        encoding_errors="replace",
        **options,
    )


def _address(options: dict[str, Any]) -> str:
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"


_ADVICE: list[tuple[type[Exception], str]] = [
    # The special before the general: the first that fits is said.
    (exceptions.NoPermissionError, "its account needs +client|id and +client|list"),
    (exceptions.AuthenticationError, "redis_url or password_file has to hold the user and password"),
    (exceptions.TimeoutError, "it hangs, or something in between drops packets"),
    (exceptions.InvalidResponse, "what answers there does not speak the protocol of Redis"),
    (RecursionError, "what answers there does not speak the protocol of Redis"),
    (exceptions.BusyLoadingError, "it starts, and is asked again"),
    (exceptions.ConnectionError, "is it running, and does redis_url lead to it?"),
]


def _advice(error: Exception) -> str:
    text = str(error).rstrip(".")
    # The client has no error of its own for it.
    if "max number of clients" in text:
        return f"{text}: raise maxclients"
    return advice(error) or next((f"{text}; {what}" for kind, what in _ADVICE if isinstance(error, kind)), text)
