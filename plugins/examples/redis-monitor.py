#!/usr/bin/env python3
"""Votes busy while clients are connected to a Redis server. Needs the package `redis`.

Its own connection counts like any other: with the default threshold of 5 the server is idle while
fewer than 5 connections exist, this one included. A server that cannot be asked is an error, and an
error is never idle.
"""

import json
import sys


class RedisMonitor:
    def __init__(self):
        self.connection_threshold = 5
        self.redis_url = "redis://localhost:6379"

    def info(self, _):
        return {
            "name": "redis-monitor",
            "display_name": "Redis Connection Monitor",
            "version": "1.0.0",
            "author": "CloudSnooze Contributors",
            "description": "Monitors Redis for active connections",
        }

    def configure(self, params):
        config = params.get("config", {})
        self.connection_threshold = config.get("connection_threshold", self.connection_threshold)
        self.redis_url = config.get("redis_url", self.redis_url)
        return {"success": True}

    def check_idle(self, _):
        # Imported here, so that a machine without the package hears of it as an error of this plugin.
        import redis

        # The client is closed at once: a connection that lingers would be counted the next time.
        with redis.from_url(self.redis_url, socket_timeout=3, socket_connect_timeout=3) as client:
            clients = client.info("clients")["connected_clients"]
        return {
            "is_idle": clients < self.connection_threshold,
            "reason": f"Redis has {clients} connections, idle below {self.connection_threshold}",
            "details": {"connection_count": clients},
        }


def main():
    monitor = RedisMonitor()
    methods = {
        "Info": monitor.info,
        "Configure": monitor.configure,
        "CheckIdle": monitor.check_idle,
    }
    for line in sys.stdin:
        request_id = None
        try:
            request = json.loads(line)
            request_id = request.get("id")
            method = methods.get(request.get("method"))
            if method is None:
                answer = {"result": {"error": f"Unknown method: {request.get('method')}"}}
            else:
                answer = {"result": method(request.get("params", {}))}
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps({**answer, "id": request_id}), flush=True)


main()
