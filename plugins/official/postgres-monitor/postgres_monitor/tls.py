"""How far TLS has to go: libpq's `sslmode` as the ways in which a connection is tried, one after the other.

See "SSL Support" in PostgreSQL's documentation of libpq. It opens no connection.
"""

from __future__ import annotations

import ssl
from typing import Callable, Union

from postgres_monitor.dsn import Dsn
from snooze_monitor import SettingsError

Way = Union[ssl.SSLContext, bool]
"""With this TLS, or `False`: without. What the driver takes."""


def ways(dsn: Dsn) -> list[Way]:
    """How it is tried; `SettingsError` names a file that is of no use."""
    # A socket of this machine has no TLS in PostgreSQL, whatever is asked for.
    if dsn.is_socket or dsn.sslmode == "disable":
        return [False]
    context = _context(dsn)
    several: dict[str, list[Way]] = {"allow": [False, context], "prefer": [context, False]}
    return several.get(dsn.sslmode, [context])


def _context(dsn: Dsn) -> ssl.SSLContext:
    # With a file of authorities, `require` is `verify-ca`, as in libpq.
    verifies = dsn.sslmode.startswith("verify") or (dsn.sslmode == "require" and bool(dsn.sslrootcert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = dsn.sslmode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    if verifies and dsn.sslrootcert == "system":
        context.load_default_certs()
    elif verifies:
        _load("sslrootcert", dsn.sslrootcert, lambda: context.load_verify_locations(dsn.sslrootcert))
    if dsn.sslcert:
        _load("sslcert or sslkey", dsn.sslcert, lambda: context.load_cert_chain(dsn.sslcert, dsn.sslkey, password=""))
    return context


def _load(key: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:
        hint = "; permissions.read has to name it" if isinstance(error, PermissionError) else ""
        raise SettingsError(f"{key} of dsn: {path} cannot be used: {error.strerror or error}{hint}") from None
