"""How one connects, as libpq writes it: a URI, or keywords and values.

See "Connection Strings" and "Parameter Key Words" in PostgreSQL's documentation of libpq. What is not known here is
refused by its name, never passed over; no text that it raises holds anything of the string but names of keywords.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What `sslmode` may be."""

_USED = (
    "host", "hostaddr", "port", "dbname", "user", "password", "application_name", "sslmode", "sslrootcert", "sslcert",
    "sslkey",
)  # fmt: skip
# They say how long to wait and how to keep a connection, which is the plugin's own business, or prefer what the driver
# does not have and can be without.
_PASSED_OVER = (
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "fallback_application_name",
)  # fmt: skip

_URI = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?"
    r"(?P<host>\[[^\]@]*\]|[^:@/?,\[\]]*)(?::(?P<port>\d*))?"
    r"(?:/(?P<dbname>[^?/]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_WORD = re.compile(r"\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'(?!\S)|((?:[^\s'\\]|\\.)*)(?!\S))", re.DOTALL)

_FORM = (
    "is neither a URI of the form postgresql://user:password@host:port/database?sslmode=… with one host, where what is "
    "special is written as %XX, nor words of the form host=… user=… dbname=…"
)


class DsnError(ValueError):
    """What is wrong with it."""


@dataclass(frozen=True)
class Dsn:
    """One server, an account, and how far TLS has to go."""

    user: str
    host: str = "localhost"
    hostaddr: str = ""
    port: int = 5432
    dbname: str = ""
    password: str = ""
    application_name: str = "cloudsnooze postgres-monitor"
    sslmode: str = "prefer"
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""

    @classmethod
    def read(cls, text: str) -> Dsn:
        """Reads one; raises `DsnError`."""
        is_uri = text.startswith(("postgresql://", "postgres://"))
        found = {key: value for key, value in (_of_uri(text) if is_uri else _of_words(text)) if value}
        for key in _PASSED_OVER:
            found.pop(key, None)
        for key in found:
            if key not in _USED:
                raise DsnError(f"has {key}, which is not known here; there are {', '.join(_USED)}")
        return cls._checked(found)

    @property
    def is_socket(self) -> bool:
        """Whether the host is a folder with a Unix socket."""
        return self.host.startswith("/") and not self.hostaddr

    @property
    def address(self) -> str:
        """Where the server is."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.is_socket else f"{self.host}:{self.port}"

    @classmethod
    def _checked(cls, found: dict[str, str]) -> Dsn:
        port = found.pop("port", "5432")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise DsnError("has a port that is none")
        if not found.get("user"):
            raise DsnError("names no user")
        if "," in found.get("host", "") + found.get("hostaddr", ""):
            raise DsnError("names several hosts; a plugin watches one")
        found.setdefault("host", found.get("hostaddr") or "localhost")
        found.setdefault("dbname", found["user"])
        mode = found.setdefault("sslmode", "prefer")
        if mode not in MODES:
            raise DsnError(f"has an sslmode that is none of {', '.join(MODES)}")
        root = found.get("sslrootcert")
        if root == "system" and mode != "verify-full":
            # As libpq: whoever holds a certificate of a public authority would be let in otherwise.
            raise DsnError("has sslrootcert=system, which needs sslmode=verify-full")
        if mode.startswith("verify") and not root:
            raise DsnError(f"has sslmode={mode}, which needs sslrootcert: a file with authorities, or system")
        if bool(found.get("sslcert")) != bool(found.get("sslkey")):
            raise DsnError("has one of sslcert and sslkey without the other")
        return cls(port=int(port), **found)


def _of_uri(text: str) -> Iterator[tuple[str, str]]:
    match = _URI.fullmatch(text)
    if match is None:
        raise DsnError(_FORM)
    for key in ("user", "password", "host", "port", "dbname"):
        yield key, _decoded((match[key] or "").strip("[]"))
    for pair in (match["query"] or "").split("&"):
        key, equals, value = pair.partition("=")
        if pair and not equals:
            raise DsnError(_FORM)
        # As JDBC has it, and libpq knows it.
        if (key, value) == ("ssl", "true"):
            key, value = "sslmode", "require"
        if pair:
            yield _decoded(key), _decoded(value)


def _of_words(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while text[place:].strip():
        match = _WORD.match(text, place)
        if match is None:
            raise DsnError(_FORM)
        yield match[1], re.sub(r"\\(.)", r"\1", match[3] if match[2] is None else match[2], flags=re.DOTALL)
        place = match.end()


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise DsnError(_FORM)
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        # Its own text would show a part of what may be a password.
        raise DsnError(_FORM) from None
