"""Votes busy while clients are connected to a Redis server.

It never counts its own connection, writes nothing to the server, and reads no keys.
"""

from redis_monitor.plugin import main

__all__ = ["main"]
