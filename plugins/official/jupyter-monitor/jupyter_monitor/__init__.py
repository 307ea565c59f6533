"""Votes busy while kernels of Jupyter servers compute, or they or terminals were used a short time ago.

It starts, interrupts and opens nothing, and its questions are no activity for the servers.
"""

from jupyter_monitor.plugin import main

__all__ = ["main"]
