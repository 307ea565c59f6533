"""A secret in the configuration or in a file that it names. It is never shown, whatever prints it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from snooze_monitor import Settings, SettingsError, read_secret


@dataclass(frozen=True)
class Secret:
    """One of both is there."""

    name: str
    text: str = field(default="", repr=False)
    path: Path | None = None

    @classmethod
    def take(cls, settings: Settings, key: str) -> Secret | None:
        """Takes `key` or `key_file`, or nothing; both are refused."""
        text, path = settings.text(key, ""), settings.file(f"{key}_file")
        if text and path:
            raise settings.error(key, f"and {key}_file are both there: one of them is enough")
        if path:
            return cls(f"{key}_file", path=path)
        return cls(key, text) if text else None

    def read(self) -> str:
        """What it is now: a file is read each time."""
        return read_secret(self.name, self.path) if self.path else self.text

    def known(self) -> str:
        """What it is, or nothing where that cannot be read."""
        try:
            return self.read()
        except SettingsError:
            return ""
