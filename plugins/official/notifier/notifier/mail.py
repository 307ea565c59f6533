"""E-mail by SMTP, over STARTTLS or TLS from the start. A password never goes where others read."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

from snooze_plugin import Event

from notifier import trust
from notifier.failure import NotTold
from notifier.secret import Secret
from notifier.webhook import LOOPBACK
from snooze_monitor import Settings

PORTS = {"starttls": 587, "tls": 465, "none": 25}

SUBJECT_LIMIT = 200

# Plain ones: what else RFC 5322 allows is not found in practice, and could hold a header of its own.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_ID = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class Mail:
    """Some who are told by mail."""

    host: str
    port: int
    security: str
    username: str
    password: Secret | None
    sender: str
    recipients: tuple[str, ...]
    ca_file: Path | None

    @classmethod
    def take(cls, settings: Settings) -> Mail:
        """Takes its keys from a configuration; raises what is wrong with them."""
        host = settings.text("host", "")
        if not host:
            raise settings.error("host", "is missing: it names the mail server")
        security = settings.text("security", "starttls")
        if security not in PORTS:
            raise settings.error("security", f"is one of {', '.join(PORTS)}")
        port = settings.whole_number("port", PORTS[security], least=1, most=65535)
        username, password = settings.text("username", ""), Secret.take(settings, "password")
        if bool(username) != (password is not None):
            raise settings.error("username", "and password (or password_file) belong together")
        if username and security == "none" and host not in LOOPBACK:
            raise settings.error("security", "is none, and then anybody on the way could read the password")
        sender, recipients = settings.text("from", ""), tuple(settings.texts("to"))
        if not _ADDRESS.fullmatch(sender):
            raise settings.error("from", "is an address, as snooze@example.com")
        if not recipients or not all(map(_ADDRESS.fullmatch, recipients)):
            raise settings.error("to", "is a list of addresses, as ops@example.com")
        return cls(host, port, security, username, password, sender, recipients, settings.file("ca_file"))

    @property
    def name(self) -> str:
        """Where it goes, for people."""
        return f"email {self.host}:{self.port}"

    def secrets(self) -> list[str]:
        """What is not to be shown, as far as it can be read."""
        return [self.password.known()] if self.password else []

    def message(self, event: Event, subject: str, text: str) -> EmailMessage:
        """The message, with an identifier that each attempt has alike."""
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        # A line end would begin another header.
        message["Subject"] = "".join(letter if letter.isprintable() else " " for letter in subject)[:SUBJECT_LIMIT]
        message["Date"] = formatdate()
        # As it stands where it may, else what is as much its own.
        own = event.id if _ID.fullmatch(event.id) else hashlib.sha256(event.id.encode()).hexdigest()
        message["Message-ID"] = f"<{own}@{self.sender.rpartition('@')[2]}>"
        # RFC 3834: nobody's holiday is to answer it.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message

    def send(self, message: EmailMessage, limit_seconds: float) -> None:
        """Sends it once; raises why not."""
        # Not looked up, as smtplib would do with a name that it finds itself.
        own = socket.gethostname() or "localhost"
        # Before anybody is called: without it there is nothing to say to him.
        password = self.password.read() if self.password else None
        context = trust.context(self.ca_file)
        server: smtplib.SMTP
        if self.security == "tls":
            server = smtplib.SMTP_SSL(self.host, self.port, own, timeout=limit_seconds, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, own, timeout=limit_seconds)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if password is not None:
                server.login(self.username, password)
            refused = server.send_message(message, self.sender, self.recipients)
        finally:
            # In order it would wait for one more answer, which says nothing.
            server.close()
        if refused:
            # The others have it: they would get it twice.
            raise NotTold(f"{', '.join(refused)} refused by the mail server; the others were told", is_final=True)
