"""Webhooks: what Slack and those that are compatible take, and an object in JSON, signed as Standard Webhooks 1.0 says.

It follows no redirection: where a secret goes to is configured.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from snooze_plugin import Event

from notifier import failure, template, trust
from notifier.secret import Secret
from snooze_monitor import Settings, SettingsError

LOOPBACK = ("localhost", "127.0.0.1", "::1")

_OTHER_TIME = (408, 425, 429)
"""Refusals that say themselves that they are for now."""

_SHOWN_BYTES = 200

_PREFIX = "whsec_"

_TELLING = 8
"""Characters: a shorter piece of a URL is a word, as `hooks`, and nobody's secret."""


@dataclass(frozen=True)
class Webhook:
    """One that is told over HTTP."""

    kind: str
    url: Secret
    secret: Secret | None
    ca_file: Path | None
    name: str = field(default="")

    @classmethod
    def take(cls, settings: Settings, kind: str) -> Webhook:
        """Takes its keys from a configuration; raises what is wrong with them."""
        url = Secret.take(settings, "url")
        if url is None:
            raise settings.error("url", "or url_file has to be there")
        secret = Secret.take(settings, "secret") if kind == "webhook" else None
        ca_file = settings.file("ca_file")
        # One in a file is looked at when it is used.
        try:
            where = _host(_split(url.text)) if url.text else str(url.path)
        except ValueError as wrong:
            raise settings.error("url", str(wrong)) from None
        return cls(kind, url, secret, ca_file, f"{kind} {where}")

    def secrets(self) -> list[str]:
        """What is not to be shown, as far as it can be read."""
        known = [secret.known() for secret in (self.url, self.secret) if secret]
        return [one for one in (*known, *_parts(known[0])) if len(one) > 1]

    def tell(self, event: Event, text: str, limit_seconds: float) -> None:
        """Tells it once; raises why not."""
        try:
            url = _split(self.url.read())
        except SettingsError:
            raise
        except ValueError as wrong:
            raise SettingsError(f"{self.url.name} {wrong}") from None
        if self.kind == "slack":
            body, headers = {"text": _slack_text(text)}, {}
        else:
            body, headers = (
                _described(event, text),
                {"webhook-id": event.id, "webhook-timestamp": str(int(time.time()))},
            )
        encoded = json.dumps(body, ensure_ascii=False).encode()
        if self.secret is not None:
            headers["webhook-signature"] = sign(
                self.secret.read(), event.id, headers["webhook-timestamp"], encoded, self.secret.name
            )
        _post(url, encoded, headers, self.ca_file, limit_seconds)


def sign(secret: str, message_id: str, timestamp: str, body: bytes, name: str = "secret") -> str:
    """The header `webhook-signature` (Standard Webhooks, "Signature scheme")."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            raise SettingsError(f"{name}: what follows {_PREFIX} is not base64") from None
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _described(event: Event, text: str) -> dict[str, Any]:
    return {
        "type": event.type,
        "timestamp": event.noticed_at,
        "data": {
            "id": event.id, "severity": event.severity, "source": event.source, "host": event.host,
            "deadline": event.deadline, "seconds_left": event.left_seconds, "severity_name": template.severity(event),
            "message": text, "data": dict(event.data),
        },
    }  # fmt: skip


def _slack_text(text: str) -> str:
    # As Slack's "Formatting text" has it; else what an event says could be a link or call a channel.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _split(url: str) -> SplitResult:
    """The URL taken apart; its errors do not show it, for it may be a secret as a whole."""
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_fit = False
    if not is_fit or not url.isascii() or any(letter.isspace() for letter in url):
        raise ValueError("is no URL of the form https://host/path")
    if parts.username or parts.password:
        raise ValueError("has a user and a password, which are not sent")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("has to begin with https://: what is sent over http, its secret too, can be read on the way")
    return parts


def _parts(url: str) -> list[str]:
    """What a server may say back of it, and is as good as the whole."""
    if not url:
        return []
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    whole = [parts.path, parts.path.lstrip("/"), parts.query]
    return [*whole, *(piece for piece in pieces if len(piece) >= _TELLING)]


def _host(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _post(url: SplitResult, body: bytes, headers: dict[str, str], ca_file: Path | None, limit_seconds: float) -> None:
    host = str(url.hostname)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = trust.context(ca_file)
        connection = http.client.HTTPSConnection(host, url.port, timeout=limit_seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=limit_seconds)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    sent = {"Content-Type": "application/json", "User-Agent": "CloudSnooze notifier", "Connection": "close", **headers}
    try:
        connection.request("POST", target, body, sent)
        answer = connection.getresponse()
        if 200 <= answer.status <= 299:
            return
        said = answer.read(_SHOWN_BYTES).decode("utf-8", "replace")
        is_final = answer.status < 500 and answer.status not in _OTHER_TIME
        text = f"{_host(url)} answers {answer.status} {answer.reason}: {said}"
        raise failure.NotTold(text, is_final, _seconds(answer.getheader("Retry-After")))
    finally:
        connection.close()


def _seconds(text: str | None) -> float:
    # It may be a date as well: then the usual pause is as good.
    return float(text) if text is not None and text.isdecimal() and len(text) < 6 else 0.0
