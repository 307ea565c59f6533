"""Votes busy while people have sessions: SSH, tmux, screen, VS Code's server.

It reads names, arguments and terminals of processes, and times of terminals; never what is typed or shown there.
"""

from session_monitor.plugin import main

__all__ = ["main"]
