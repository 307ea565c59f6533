"""A connection to a PostgreSQL server that is kept between questions, and errors that say what to do.

No text that it raises holds a password, and it runs nothing but the statements that it is given.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any, Callable, TypeVar

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from postgres_monitor.dsn import Dsn
from postgres_monitor.sessions import Run
from postgres_monitor.tls import Way, ways
from snooze_monitor import Question, SettingsError, advice, causes, is_fenced, is_late, read_secret

T = TypeVar("T")

SOCKET_SECONDS = 3.0
"""For connecting and for each answer; below the limit of the whole question, so that its error says where it hung."""

_REFUSED_THIS_WAY = "28000"
"""invalid_authorization_specification: what pg_hba.conf refuses, perhaps only with TLS, or only without."""

_ADVICE = {
    "53300": "it has no connection left to ask it by: raise max_connections",
    "57P03": "it starts or ends, and is asked again",
    "28000": "pg_hba.conf has to let the account in",
    "28P01": "dsn or password_file has to hold the account's password",
    "3D000": "dsn has to name a database that is there, as postgres",
    "42501": "the account needs pg_read_all_stats",
    "42883": "PostgreSQL 10 or newer is needed",
    "42704": "PostgreSQL 10 or newer is needed",
}


class Server:
    """A server that is asked now and then."""

    def __init__(self, dsn: Dsn, password_file: Path | None) -> None:
        """Connects at the first question."""
        self.dsn = dsn
        self.password_file = password_file
        self._connection: Any = None
        self._socket: socket.socket | None = None
        self._question: Question[Any] = Question(self.interrupt)

    def ask(self, question: Callable[[Run], T]) -> T:
        """What the question makes of the connection; `RuntimeError` says what went wrong, where, and what to do."""
        try:
            answer: T = self._question.ask(lambda: self._ask_twice(question))
        # What is no PostgreSQL can make the driver fail in any way.
        except Exception as error:
            raise RuntimeError(f"PostgreSQL at {self.dsn.address}: {_advice(error)}") from None
        return answer

    def interrupt(self) -> None:
        """Ends what a question of another thread waits for, which then fails."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection, in order where the server still listens."""
        connection, self._connection = self._connection, None
        own, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(InterfaceError, OSError):
                connection.close()
        if own is not None:
            own.close()

    def _ask_twice(self, question: Callable[[Run], T]) -> T:
        is_old = self._connection is not None
        try:
            return self._ask(question)
        # A connection that the server closed meanwhile is opened again; nothing else is tried twice.
        except Exception as error:
            if not is_old or is_late(error):
                raise
            return self._ask(question)

    def _ask(self, question: Callable[[Run], T]) -> T:
        try:
            if self._connection is None:
                self._connect()
            return question(self._connection.run)
        except BaseException:
            # What is still to come belongs to this question: the next one begins anew.
            self.interrupt()
            self.close()
            raise

    def _connect(self) -> None:
        dsn, file = self.dsn, self.password_file
        password = read_secret("password_file", file) if file else dsn.password or None
        tried = ways(dsn)
        for way in tried:
            try:
                self._open(way, password)
            except Exception as error:
                if way is tried[-1] or not _may_do_otherwise(error):
                    raise
                self.close()
            else:
                return

    def _open(self, way: Way, password: str | None) -> None:
        dsn = self.dsn
        if dsn.is_socket:
            opened = socket.socket(socket.AF_UNIX)
            opened.settimeout(SOCKET_SECONDS)
            opened.connect(dsn.address)
        else:
            opened = socket.create_connection((dsn.hostaddr or dsn.host, dsn.port), SOCKET_SECONDS)
        # TLS takes the socket over; this one is another name of it, by which it can still be interrupted.
        self._socket = opened.dup()
        try:
            self._connection = Connection(
                dsn.user,
                host=dsn.host,
                database=dsn.dbname,
                password=password,
                application_name=dsn.application_name,
                ssl_context=way,
                sock=opened,
            )
        except BaseException:
            opened.close()
            raise


def _may_do_otherwise(error: Exception) -> bool:
    """Whether the server may let one in with TLS who was refused without, or the other way round."""
    if isinstance(error, DatabaseError):
        return _field(error, "C") == _REFUSED_THIS_WAY
    is_ours = isinstance(error, SettingsError) or is_late(error) or is_fenced(error)
    return isinstance(error, (InterfaceError, OSError)) and not is_ours


def _field(error: DatabaseError, key: str) -> str:
    said = error.args[0] if error.args else None
    return str(said.get(key, "")) if isinstance(said, dict) else ""


def _advice(error: Exception) -> str:
    general = advice(error)
    if general:
        return general
    if isinstance(error, DatabaseError):
        code = _field(error, "C")
        what = _ADVICE.get(code)
        return f"{_field(error, 'M')} ({code})" + (f"; {what}" if what else "")
    if isinstance(error, InterfaceError) and "refuses SSL" in str(error):
        return "it has no TLS, which sslmode of dsn demands"
    if isinstance(error, (InterfaceError, OSError)):
        return f"{list(causes(error))[-1]}; is it running, and does dsn lead to it?"
    return "what answers there does not speak the protocol of PostgreSQL"
