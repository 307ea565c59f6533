"""What is built, and what every official plugin in Python keeps."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from snooze_plugin import Plugin

from official_fixtures import StartMonitor

OFFICIAL = Path(__file__).resolve().parents[3]
BUILT = Path(os.environ["SNOOZE_BUILT"])


def manifests() -> dict[str, dict[str, Any]]:
    read = {path.parent.name: json.loads(path.read_text()) for path in sorted(OFFICIAL.glob("*/plugin.json"))}
    return {name: manifest for name, manifest in read.items() if manifest["language"] == "python"}


MANIFESTS = manifests()


def files(folder: Path) -> dict[str, tuple[int, float, bytes]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.stat().st_mtime, path.read_bytes()) for path in found
    }


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_same_sources_make_the_same_bytes_wherever_they_are_built(name: str, tmp_path: Path) -> None:
    again = tmp_path / "another folder"
    subprocess.run([OFFICIAL / "tools/python.sh", "build", name, again], check=True, cwd="/", umask=0o077)
    assert files(again) == files(BUILT / name)


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_is_built_is_pure_python_with_its_manifest_and_its_licences(name: str) -> None:
    built = files(BUILT / name)
    assert {name, "plugin.json", "README.md", "lib/snooze_plugin/__init__.py"} <= built.keys()
    assert not [path for path in built if path.endswith((".so", ".pyc", ".pyd"))]
    dependencies = {path.split("/")[1] for path in built if path.endswith(".dist-info/METADATA")}
    licensed = {path.split("/")[1] for path in built if "LICENSE" in path.upper() and ".dist-info/" in path}
    assert dependencies == licensed


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_plugin_is_who_its_manifest_says_and_asks_for_no_more_than_it_says(name: str, monitor: StartMonitor) -> None:
    manifest = MANIFESTS[name]
    written = vars(importlib.import_module(f"{name.replace('-', '_')}.plugin"))
    [plugin] = [one for one in written.values() if isinstance(one, type) and issubclass(one, Plugin) and one != Plugin]
    assert (plugin.name, plugin.version) == (manifest["name"], manifest["version"]) == (name, "1.0.0")
    assert manifest["official"] is True
    info = monitor(name).ask("Info")["result"]
    assert {key: info[key] for key in ("name", "version", "author")} == {
        "name": name, "version": "1.0.0", "author": "CloudSnooze",
    }  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_defaults_of_the_schema_are_taken_and_are_those_of_the_plugin(name: str, monitor: StartMonitor) -> None:
    properties = MANIFESTS[name]["config_schema"]["properties"]
    defaults = {key: said["default"] for key, said in properties.items() if "default" in said}
    plugin = monitor(name, **defaults)
    with_defaults = plugin.ask("CheckIdle", {"metrics": {}})
    plugin.configure()
    without = plugin.ask("CheckIdle", {"metrics": {}})
    # What is there may change in between, what is said of it does not.
    assert with_defaults.keys() == without.keys()
    for key in properties:
        assert plugin.refuses(**{key: None}).startswith(key)


@pytest.mark.parametrize("name", MANIFESTS)
def test_each_key_and_each_permission_stands_in_the_readme(name: str) -> None:
    manifest = MANIFESTS[name]
    text = (OFFICIAL / name / "README.md").read_text()
    for key in (*manifest["config_schema"]["properties"], *manifest["permissions"]):
        assert f"`{key}" in text, key
