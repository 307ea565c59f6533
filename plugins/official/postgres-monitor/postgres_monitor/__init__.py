"""Votes busy while clients are connected to a PostgreSQL server.

It never counts its own connection, reads no table of anybody's, and writes nothing.
"""

from postgres_monitor.plugin import main

__all__ = ["main"]
