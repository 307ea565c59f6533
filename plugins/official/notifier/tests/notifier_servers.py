"""Servers that tests of the notifier tell: over HTTP, and over SMTP by aiosmtpd. Each ends with its test."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from official_support import Monitor, certificate, free_port

NAME = "notifier"

EVENT = {
    "id": "cloud-spot-interrupt-7", "type": "cloud.spot.interrupt", "severity": 3, "source": "aws.imds",
    "host": "web-1",
    "noticed_at": "2026-01-31T12:00:00Z", "timestamp": "2026-01-31T12:00:00Z", "deadline": "2026-01-31T12:02:00Z",
    "data": {"action": "terminate", "timeRemaining": 120},
}  # fmt: skip


def handle(plugin: Monitor, left_seconds: float = 20, **event: object) -> dict[str, Any]:
    """What it makes of an event, before the time is over."""
    begun = time.monotonic()
    answer = plugin.ask("HandleEvent", {"event": {**EVENT, "left_ms": int(left_seconds * 1000), **event}})
    assert time.monotonic() - begun < left_seconds
    assert "result" in answer, answer
    result: dict[str, Any] = answer["result"]
    return result


USER, PASSWORD = "snooze", "pass-word-5678"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


class Hook:
    """Answers the first requests with these statuses, and all others with 200."""

    def __init__(self, authority: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.statuses: list[int] = []
        self.retry_after: str | None = None
        self.echo = False
        self.said = ""
        self.authority = authority
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # The library's name.
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                hook.requests.append(request)
                self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
                if hook.retry_after is not None:
                    self.send_header("Retry-After", hook.retry_after)
                self.send_header("Location", hook.url)
                self.end_headers()
                if hook.echo:
                    self.wfile.write(f"{self.path} {request.headers}".encode())
                self.wfile.write(hook.said.encode())

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if authority is not None:
            scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority, authority.with_suffix(".key"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        self.url = f"{scheme}://127.0.0.1:{self.port}/hook/token-1234"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Post:
    """A mail server, and what it has taken. It answers the first messages with these refusals."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.messages: list[bytes] = []
        self.signed_in: list[str] = []
        self.refusals: list[str] = []
        self.refused_recipients: dict[str, str] = {}
        self.authority = folder / "mail.crt"
        certificate(folder, "mail")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, folder / "mail.key")
        kinds: dict[str, dict[str, Any]] = {
            "starttls": {"tls_context": context, "require_starttls": True},
            "tls": {"ssl_context": context, "auth_require_tls": False},
            "none": {},
        }
        self.port = free_port()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=self._authenticate,
            **kinds[options.pop("security")], **options,
        )  # fmt: skip
        self._controller.start()

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        fits = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.signed_in.append("yes" if fits else "no")
        return AuthResult(success=fits, handled=fits)

    async def handle_RCPT(  # noqa: N802  # The library's name.
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append(envelope.content)
        return self.refusals.pop(0) if self.refusals else "250 OK"

    def target(self, **more: Any) -> dict[str, Any]:
        """How it is configured."""
        return {
            "type": "email", "host": "127.0.0.1", "port": self.port, "ca_file": str(self.authority),
            "from": "snooze@example.com",
            "to": ["ops@example.com"], **more,
        }  # fmt: skip

    def close(self) -> None:
        self._controller.stop()
