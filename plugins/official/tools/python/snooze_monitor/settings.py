"""A configuration, taken key by key: whatever is wrong with it is refused with the key's path, and so is what is left.

It changes nothing, and never shows the value of a key that may be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SECRET_LIMIT_BYTES = 64 * 1024
"""A file longer than this is no password: the wrong file was named."""


class SettingsError(ValueError):
    """A configuration that is refused whole, or a file of it that is of no use; its text begins with the key's path."""


class Settings:
    """The keys of one object of a configuration; each is taken once, and `finish` refuses the ones that are left."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        """`path` is what stands before the key's name in an error, as `servers[0].`."""
        self._left = dict(values)
        self._path = path
        self._known: list[str] = []

    def whole_number(self, key: str, default: int, least: int, most: int = 1_000_000) -> int:
        """A whole number between two others, both included; 5.0 is one, as JSON has it."""
        value = self._take(key, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or int(value) != value:
            raise self.error(key, f"is a whole number of {least} to {most}, not {_shown(value)}")
        return int(value)

    def number(self, key: str, default: float, least: float, most: float = 1_000_000) -> float:
        """A number between two others, both included."""
        value = self._take(key, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise self.error(key, f"is a number of {least:g} to {most:g}, not {_shown(value)}")
        return float(value)

    def switch(self, key: str, default: bool) -> bool:  # It is the value itself.
        """True or false, and nothing that could be meant as one of them."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"is true or false, not {_shown(value)}")
        return value

    def text(self, key: str, default: str) -> str:
        """A text; what it is instead is not shown, for it may be a secret."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"is a text, not {_kind(value)}")
        return value

    def file(self, key: str) -> Path | None:
        """An absolute path, or nothing."""
        value = self.text(key, "")
        if not value:
            return None
        if not value.startswith("/"):
            # Not shown: some write the secret itself where its file belongs.
            raise self.error(key, "is an absolute path")
        return Path(value)

    def texts(self, key: str) -> list[str]:
        """A list of texts, none of them empty."""
        found = self._list(key)
        for place, value in enumerate(found):
            if not isinstance(value, str) or not value:
                raise self.error(f"{key}[{place}]", f"is a text, not {_kind(value)}")
        return found

    def objects(self, key: str) -> list[Settings]:
        """A list of objects."""
        objects = []
        for place, value in enumerate(self._list(key)):
            if not isinstance(value, dict):
                raise self.error(f"{key}[{place}]", f"is an object, not {_kind(value)}")
            objects.append(Settings(value, f"{self._path}{key}[{place}]."))
        return objects

    def finish(self) -> None:
        """Refuses what nobody took: a key that is misspelt would leave a default where its author expects none."""
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            meant = f"; {near[0]} is meant?" if near else f"; there are {', '.join(self._known)}"
            raise self.error(key, f"is not known{meant}")

    def error(self, key: str, text: str) -> SettingsError:
        """An error about a key."""
        return SettingsError(f"{self._path}{key} {text}")

    def _list(self, key: str) -> list[Any]:
        value = self._take(key, ())
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.error(key, f"is a list, not {_kind(value)}")
        return list(value)

    def _take(self, key: str, default: Any) -> Any:
        self._known.append(key)
        return self._left.pop(key, default)


def read_secret(key: str, path: Path) -> str:
    """The first line of a file: a password or a token; what is wrong with it names key and file."""
    try:
        with path.open("rb") as file:
            found = file.read(SECRET_LIMIT_BYTES + 1)
    except OSError as error:
        hint = "; permissions.read has to name it" if isinstance(error, PermissionError) else ""
        raise SettingsError(f"{key}: {path} cannot be read: {error.strerror}{hint}") from None
    if len(found) > SECRET_LIMIT_BYTES:
        raise SettingsError(f"{key}: {path} has more than {SECRET_LIMIT_BYTES} bytes, which is no secret")
    lines = found.splitlines()
    try:
        secret = lines[0].decode("utf-8").strip() if lines else ""
    except UnicodeDecodeError:
        # Its own text would show a part of the secret.
        raise SettingsError(f"{key}: {path} holds no text") from None
    if not secret:
        raise SettingsError(f"{key}: the first line of {path} is empty")
    return secret


def _kind(value: object) -> str:
    kinds = {type(None): "null", bool: "true or false", str: "a text", dict: "an object", list: "a list"}
    return kinds.get(type(value), "a number")


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, (int, float, str)) and len(repr(value)) <= 40 else _kind(value)
