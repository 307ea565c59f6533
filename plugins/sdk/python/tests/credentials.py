"""An operator, an account and users with the permissions of the bus's roles, as nats-server reads them.

What the roles may do stands in `nats/bus/src/roles`; here it is written out for one host and one plugin.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys

_UNLIMITED = {
    "subs": -1,
    "data": -1,
    "payload": -1,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}


def _services(plugin: str) -> list[str]:
    return [f"$SRV.{verb}{of}" for verb in ("PING", "INFO", "STATS") for of in ("", f".{plugin}", f".{plugin}.*")]


def plugin_permissions(host: str, plugin: str) -> dict[str, Any]:
    """Role `plugin`."""
    inbox = f"_INBOX_plugin.{host}_{plugin}.>"
    return {
        "pub": {"allow": [f"_INBOX_host.{host}.>", "_R_.>", inbox]},
        "sub": {"allow": [f"snooze.v1.host.{host}.plugin.{plugin}.*", inbox, *_services(plugin)]},
    }


def fleet_plugin_permissions(plugin: str) -> dict[str, Any]:
    """Role `fleet-plugin`."""
    inbox = f"_INBOX_fleet-plugin.{plugin}.>"
    return {
        "pub": {"allow": ["_INBOX_host.*.>", "_R_.>", inbox]},
        "sub": {"allow": [f"snooze.v1.fleet.plugin.{plugin}.*", inbox, *_services(plugin)]},
    }


class Authority:
    """Makes credentials, and the server's configuration that believes them."""

    def __init__(self) -> None:
        self._operator = _key(nkeys.PREFIX_BYTE_OPERATOR)
        self._account = _key(nkeys.PREFIX_BYTE_ACCOUNT)

    def server_config(self) -> str:
        operator = _claims(self._operator, self._operator, "operator", {"type": "operator"})
        account = _claims(self._operator, self._account, "hosts", {"type": "account", "limits": _UNLIMITED})
        return f"operator: {operator}\nresolver: MEMORY\nresolver_preload: {{{_public(self._account)}: {account}}}\n"

    def credentials(self, path: Path, permissions: dict[str, Any]) -> Path:
        """A file of a user who may do this and nothing else."""
        user = _key(nkeys.PREFIX_BYTE_USER)
        limits = {"subs": -1, "data": -1, "payload": -1}
        claims = _claims(self._account, user, path.stem, {"type": "user", **limits, **permissions})
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{claims}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{bytes(user.seed).decode()}\n------END USER NKEY SEED------\n"
        )
        return path


def _key(prefix: int) -> Any:
    return nkeys.from_seed(bytearray(nkeys.encode_seed(os.urandom(32), prefix)))


def _public(key: Any) -> str:
    return bytes(key.public_key).decode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(issuer: Any, subject: Any, name: str, nats: dict[str, Any]) -> str:
    claims = {
        "iat": int(time.time()),
        "iss": _public(issuer),
        "sub": _public(subject),
        "name": name,
        "nats": {"version": 2, **nats},
    }
    claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
    header = _base64(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = f"{header}.{_base64(json.dumps(claims).encode())}"
    return f"{body}.{_base64(issuer.sign(body.encode()))}"
