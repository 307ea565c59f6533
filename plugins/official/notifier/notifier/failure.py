"""Why something was not told, and whether to try again would help. Nothing that leaves here holds a secret."""

from __future__ import annotations

import http.client
import smtplib
import ssl
from collections.abc import Iterable

from snooze_monitor import SettingsError, advice, is_fenced

TEXT_LIMIT = 300
"""Of one failure: an outcome's message has 500 characters."""


class NotTold(Exception):  # noqa: N818  # It is an outcome.
    """It was not told, and why; `is_final` where the same would come of another attempt."""

    def __init__(self, text: str, is_final: bool, after_seconds: float = 0) -> None:
        """`after_seconds` is how long whoever refused it wants to be left alone."""
        super().__init__(text)
        self.is_final = is_final
        self.after_seconds = after_seconds


def of(error: Exception, secrets: Iterable[str]) -> NotTold:
    """What to make of any error."""
    said = error if isinstance(error, NotTold) else NotTold(_text(error), _is_final(error))
    return NotTold(without(str(said), secrets), said.is_final, said.after_seconds)


def without(text: str, secrets: Iterable[str]) -> str:
    """The text on one line, bounded, with each secret blotted out."""
    # The longest first: one may be a part of another.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "…"


def _is_final(error: Exception) -> bool:
    if isinstance(error, (SettingsError, ssl.SSLCertVerificationError)) or is_fenced(error):
        return True
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(_is_refusal(code) for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return _is_refusal(error.smtp_code)
    # A server that lacks what has to be there, as STARTTLS, will lack it in a second.
    return isinstance(error, smtplib.SMTPNotSupportedError)


def _is_refusal(code: int) -> bool:
    # RFC 5321, section 4.2.1: 4yz is for another time.
    return 500 <= code <= 599


def _text(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{who} is refused: {code} {_words(text)}" for who, (code, text) in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code} {_words(error.smtp_error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; ca_file may name who vouches for it"
    if isinstance(error, http.client.HTTPException):
        # Its text may be what came over the wire.
        return f"it does not speak HTTP as it should ({type(error).__name__})"
    return advice(error) or str(error) or type(error).__name__


def _words(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
