"""What a plugin says of itself is what its manifest says, so that the two never differ.

It reads the manifest of the folder that the program was started from, and no other.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_SAID = ("name", "display_name", "version", "author", "description", "category", "tags", "official", "language")


def about() -> dict[str, Any]:
    """The part of `plugin.json`, beside the program, that is for people."""
    manifest = Path(sys.argv[0]).resolve().parent / "plugin.json"
    said: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return {key: said[key] for key in _SAID if key in said}
