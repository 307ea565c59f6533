"""The vote: whether any server has a kernel that computes, or a kernel or terminal that was used a short time ago.

A server that cannot be asked makes the vote an error, unless another one is in use: then it is busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snooze_plugin import Busy, Config, Idle, Metrics, Plugin, run

from jupyter_monitor.activity import Limits, Use
from jupyter_monitor.runtime import Found, found_in
from jupyter_monitor.server import Server, Target
from snooze_monitor import Settings, about, causes

IDLE_MINUTES = 15
"""As the original's limit for input, 900 s: reading what a cell printed is work, too."""

SERVER_LIMIT = 16
"""All are asked at once, each in a thread, and a fence counts threads."""

LIMITS = Limits(IDLE_MINUTES, terminals=True)

URL = "http://localhost:8888"


@dataclass(frozen=True)
class Choice:
    """What is configured."""

    limits: Limits = LIMITS
    targets: tuple[Target, ...] = (Target(URL),)
    folders: tuple[Path, ...] = ()
    ca_file: Path | None = None

    @classmethod
    def take(cls, config: Config) -> Choice:
        """Reads a configuration; raises what is wrong with it."""
        settings = Settings(config)
        limits = Limits(
            settings.number("idle_minutes", IDLE_MINUTES, least=0, most=10080),
            settings.switch("terminals", default=True),
        )
        ca_file = settings.file("ca_file")
        objects = settings.objects("servers")
        targets = tuple(_target(server, f"servers[{place}].", ca_file) for place, server in enumerate(objects))
        if len(targets) > SERVER_LIMIT:
            raise settings.error("servers", f"are at most {SERVER_LIMIT}")
        folders = []
        for place, folder in enumerate(settings.texts("runtime_dirs")):
            if not folder.startswith("/"):
                raise settings.error(f"runtime_dirs[{place}]", "is an absolute path")
            folders.append(Path(folder))
        settings.finish()
        if not targets and not folders:
            targets = (Target(URL, ca_file=ca_file),)
        return cls(limits, targets, tuple(folders), ca_file)


class JupyterMonitor(Plugin):
    """Asks servers what runs on them."""

    name = "jupyter-monitor"
    version = "1.0.0"

    def __init__(self) -> None:
        """With the defaults: a server on this machine that asks for no token."""
        self._choice = Choice()
        # One that hangs is known from the check before, and is not asked by more and more threads.
        self._servers: dict[Target, Server] = {}

    def info(self) -> dict[str, Any]:
        """What the manifest says."""
        return about()

    def configure(self, config: Config) -> None:
        """Takes a configuration, or refuses it whole and keeps the one before."""
        self._choice = Choice.take(config)

    def check_idle(self, metrics: Metrics) -> Idle | Busy:
        """Asks all servers at once."""
        choice = self._choice
        failures: list[str] = []
        targets: dict[Target, Found | None] = dict.fromkeys(choice.targets)
        places = {target.place for target in targets}
        for folder in choice.folders:
            try:
                for found in found_in(folder, choice.ca_file):
                    # What is configured, and perhaps knows a token that its file does not, goes first.
                    if found.target.place not in places:
                        places.add(found.target.place)
                        targets[found.target] = found
            except RuntimeError as error:
                failures.append(str(error))
        if len(targets) > SERVER_LIMIT:
            failures.append(f"there are {len(targets)} servers, and at most {SERVER_LIMIT} are asked")
            targets = dict(list(targets.items())[:SERVER_LIMIT])
        self._servers = {target: self._servers.get(target) or Server(target) for target in targets}
        return self._verdict(targets, failures)

    def _verdict(self, targets: dict[Target, Found | None], failures: list[str]) -> Idle | Busy:
        asked = []
        for target, server in self._servers.items():
            try:
                server.begin(self._choice.limits)
                asked.append((target, server))
            except RuntimeError as error:
                failures.append(str(error))
        use, stale = Use(), 0
        for target, server in asked:
            try:
                use.add(server.end())
            except RuntimeError as error:
                found = targets[target]
                if found is not None and _refuses(error) and found.is_gone():
                    stale += 1
                else:
                    failures.append(str(error))
        return self._said(use, stale, failures)

    def _said(self, use: Use, stale: int, failures: list[str]) -> Idle | Busy:
        servers = len(self._servers) - stale
        details = {"servers": servers, "servers_gone": stale, "failures": len(failures), **use.details()}
        recently = f"used within {self._choice.limits.idle_minutes:g} minutes"
        # What is seen is enough to be busy, whatever else there is.
        if use.in_use:
            said = {
                "kernels busy": use.kernels_busy,
                f"kernels {recently}": use.kernels_recent,
                f"terminals {recently}": use.terminals_recent,
            }
            return Busy(", ".join(f"{count} {what}" for what, count in said.items() if count), details)
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise RuntimeError(failures[0] + more)
        if not servers:
            return Idle("no Jupyter server runs", details)
        there = f"{use.kernels} kernels and {use.terminals} terminals"
        return Idle(f"{there}, none {recently}", details)


def _target(settings: Settings, path: str, ca_file: Path | None) -> Target:
    target = Target(settings.text("url", ""), settings.text("token", ""), settings.file("token_file"), path, ca_file)
    settings.finish()
    if target.token and target.token_file:
        raise settings.error("token_file", "is given, and token, too")
    try:
        _ = target.place
    # What a parser says may show a token that somebody left in the URL.
    except ValueError:
        form = "http://localhost:8888/base, https://… or http+unix://%2Fpath, without a token"
        raise settings.error("url", f"is no URL of the form {form}") from None
    return target


def _refuses(error: Exception) -> bool:
    kinds = (ConnectionRefusedError, FileNotFoundError)
    return any(isinstance(cause, kinds) for cause in causes(error))


def main() -> None:
    """Answers for it."""
    run(JupyterMonitor())
