#!/usr/bin/env python3
"""A plugin on NATS: votes busy while a file exists. Needs nats-py[nkeys]; run as HOST PLUGIN FILE."""
import asyncio, json, os, sys
import nats

async def main(host, plugin, file):
    client = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
                                user_credentials=os.environ.get("NATS_CREDS") or None)
    async def info(message):
        await message.respond(json.dumps({"name": plugin, "version": "1.0.0"}).encode())
    async def check_idle(message):
        busy = os.path.exists(file)
        answer = {"is_idle": not busy, "reason": f"{file} {'exists' if busy else 'does not exist'}"}
        await message.respond(json.dumps(answer).encode())
    subject = f"snooze.v1.host.{host}.plugin.{plugin}"
    await client.subscribe(f"{subject}.info", cb=info)
    await client.subscribe(f"{subject}.check_idle", cb=check_idle)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:4]))
