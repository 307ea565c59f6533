"""Terminals, and a real SSH server that one can sign in to, each ended with its test."""

from __future__ import annotations

import contextlib
import grp
import os
import pty
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from official_fixtures import StartServer
from official_support import Server, free_port, other_user
from session_monitor.processes import read_all

HOUR = 3600.0


def never_typed(terminal: str, ago: float = HOUR) -> None:
    """As if nobody had typed for so long: the time is all that a terminal keeps of it."""
    then = time.time() - ago
    os.utime(f"/dev/{terminal}", (then, then))


@contextlib.contextmanager
def at_a_terminal(*command: object, **options: Any) -> Iterator[str]:
    """Runs a program at a new terminal, whose name below /dev it yields."""
    ours, theirs = pty.openpty()
    terminal = os.ttyname(theirs)[len("/dev/") :]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    program = subprocess.Popen(
        # It becomes the terminal that the program is at.
        ["setsid", "--ctty", "--wait", *(str(word) for word in command)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, **options,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        yield terminal
    finally:
        program.kill()
        program.wait()
        os.close(ours)


class Sshd:
    """A server on a port of its own that lets one in as who runs it; for the superuser that is PostgreSQL's user."""

    def __init__(self, serve: StartServer, folder: Path) -> None:
        options = other_user()
        self.user = pwd.getpwuid(options.get("user", os.geteuid())).pw_name
        self.folder = folder
        for key in ("host", "own"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        if options:
            os.chown(folder / "host", options["user"], options["group"])
            # Where the system's terminals belong to no group, the server gives them to this one.
            options["extra_groups"] = [grp.getgrnam("tty").gr_gid]
        folder.chmod(0o755)
        self.port = free_port()
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "sshd is missing: install it (Debian: apt-get install openssh-server)"
        settings = {
            "ListenAddress": "127.0.0.1", "HostKey": f"{folder}/host", "AuthorizedKeysFile": f"{folder}/own.pub",
            "StrictModes": "no", "UsePAM": "no", "PidFile": "none",
        }  # fmt: skip
        # Newer ones are several programs, which may have been unpacked beside one another.
        for key, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
            part = Path(program).parent / name
            if part.exists():
                settings[key] = str(part)
        words = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        self.server: Server = serve(program, "-D", "-e", "-f", "/dev/null", "-p", self.port, *words, **options)
        self.server.ready("sshd listens", lambda: "Server listening" in self.server.log())

    def command(self, *words: str) -> list[str]:
        return [
            "ssh", "-F", "/dev/null", "-i", str(self.folder / "own"), "-p", str(self.port), "-o", "LogLevel=ERROR",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", *words,
        ]  # fmt: skip

    def has(self, pid: int) -> bool:
        """Whether a process is one of this server's, and not of another one on this machine."""
        parents = {process.pid: process.parent for process in read_all()}
        while pid in parents and pid != self.server.process.pid:
            pid = parents[pid]
        return pid == self.server.process.pid

    @property
    def address(self) -> str:
        return f"{self.user}@127.0.0.1"
