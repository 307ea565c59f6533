"""By whom a server is known: the system's authorities, or those of a file."""

from __future__ import annotations

import ssl
from pathlib import Path

from snooze_monitor import SettingsError


def context(ca_file: Path | None) -> ssl.SSLContext:
    """What a connection is made with."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except ssl.SSLError:
        raise SettingsError(f"ca_file {ca_file} holds no certificate in PEM") from None
    except OSError as error:
        raise SettingsError(
            f"ca_file {ca_file} cannot be read: {error.strerror}; permissions.read has to name it"
        ) from None
