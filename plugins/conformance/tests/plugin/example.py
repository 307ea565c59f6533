#!/usr/bin/env python3
"""The example plugin as plain as can be, with Python's own library alone (and nats-py, on the bus).

It keeps every law of the contract. `SIN` names one that it breaks, and how, so that a case that cannot fail is
found out: each place where it does is marked by `sin(…)`.
"""

import json
import os
import signal
import sys

import msgpack_by_hand as msgpack

SIN = os.environ.get("SIN", "")
NAME = os.environ.get("PLUGIN_NAME", "example-python")
asked = 0


def sin(name):
    return SIN == name


threshold = 5 if sin("other-default") else 10


class Unknown(Exception):
    """A method that the plugin does not know."""


def info(_):
    global asked
    asked += 1
    if sin("no-name"):
        return {"version": "1.0.0"}
    if sin("another-name-each-time"):
        return {"name": f"example-{asked}"}
    version = "0.9" if sin("old") else "1.0.0"
    return {"name": "conformance" if sin("misnamed") else NAME, "display_name": "Example", "version": version}


def configure(params):
    global threshold
    if sin("dies-of-a-second-configuration"):
        if hasattr(configure, "called"):
            os._exit(1)
        configure.called = True
    if sin("configured-without-success"):
        return {}
    config = params["config"]
    unknown = [key for key in config if key != "threshold"]
    if unknown and sin("dies-of-unknown-keys"):
        os._exit(1)
    if unknown and sin("refuses-unknown-keys"):
        raise ValueError(f"{unknown[0]} is not known")
    wanted = config.get("threshold", 10)
    if sin("takes-before-it-looks"):
        threshold = wanted
    bad = {
        "a-text": not isinstance(wanted, (int, float)) and isinstance(wanted, str),
        "zero": not isinstance(wanted, bool) and wanted == 0,
        "negative": isinstance(wanted, (int, float)) and wanted < 0,
        "a-bool": isinstance(wanted, bool),
        "null": wanted is None,
        "a-list": isinstance(wanted, list),
    }
    if any(is_bad and not sin(f"takes-{kind}") for kind, is_bad in bad.items()):
        raise ValueError("it is wrong" if sin("names-nothing") else "threshold has to be a number above 0")
    if sin("whole-thresholds-only"):
        wanted = int(wanted)
    if sin("first-threshold-stays") and threshold != 10:
        wanted = threshold
    if not sin("forgets-the-threshold"):
        threshold = wanted
    return {"success": True}


def initialize(_):
    return {"ready": True} if sin("initialize-says-nothing") else {"success": True}


def check_idle(params):
    if sin("no-vote"):
        raise Unknown("CheckIdle")
    readings = params["metrics"] if sin("needs-readings") else params.get("metrics", {})
    if sin("needs-every-reading") and "cpu_usage" not in readings:
        os._exit(1)
    if sin("dies-of-new-readings") and "npu_usage" in readings:
        os._exit(1)
    cpu = readings.get("cpu_usage")
    if sin("unknown-is-zero") and cpu is None:
        cpu = 0
    if cpu is None or (sin("zero-is-nothing") and not cpu):
        raise ValueError("cpu is unknown" if sin("other-words") else "cpu_usage is unknown")
    idle = cpu <= threshold if sin("at-is-below") else cpu < threshold
    if sin("always-idle"):
        idle = True
    if sin("never-idle"):
        idle = False
    reason = f"cpu at {cpu} %, below {threshold} %" if idle else f"cpu at {cpu} %"
    details = {"cpu_usage": cpu, "threshold": threshold} if sin("tells-too-much") else {"cpu_usage": cpu}
    return {"is_idle": "yes" if sin("idle-is-a-word") else idle, "reason": reason, "details": details}


def supported_events(_):
    if sin("events-of-no-type"):
        return {"events": ["Custom Event"]}
    return {"events": ["custom", "snooze.pending"] if sin("supports-more") else ["custom"]}


def handle_event(params):
    if sin("no-vote"):
        raise Unknown("HandleEvent")
    if sin("handles-nothing-at-all") and "event" not in params:
        return {"handled": True}
    event = params["event"]
    if sin("dies-without-deadline") and "deadline" not in event:
        os._exit(1)
    if sin("dies-of-new-fields") and "conformance" in event:
        os._exit(1)
    if sin("handled-is-a-word"):
        return {"handled": "yes"}
    kind = event["type"]
    mine = kind == "custom" or kind.startswith("custom" if sin("begins-alike") else "custom.")
    if sin("only-custom"):
        mine = kind == "custom"
    if sin("handles-all"):
        mine = True
    if not mine and sin("fails-at-others"):
        return {"handled": False, "succeeded": False}
    if not mine:
        return {"handled": False}
    # What a plugin prints must not get between its answers.
    print("noise", file=sys.stdout if sin("noise") else sys.stderr, flush=True)
    data = event["data"]
    fail = data.get("fail")
    failed = bool(fail) if sin("anything-is-true") else fail is True and not sin("never-fails")
    details = data
    if sin("ascii"):
        details = {key: str(value).encode("ascii", "replace").decode() for key, value in data.items()}
    if sin("no-details"):
        details = {}
    return {"handled": True, "succeeded": not failed, "message": f"seen {event['id']}", "details": details}


def shutdown(_):
    shutdown.called = True
    return {} if sin("shutdown-says-nothing") else {"success": True}


METHODS = {
    "Info": info,
    "Configure": configure,
    "Initialize": initialize,
    "CheckIdle": check_idle,
    "GetSupportedEvents": supported_events,
    "HandleEvent": handle_event,
    "Shutdown": shutdown,
}


def call(method, params):
    """The result of a method; raises what went wrong."""
    if method not in METHODS:
        if sin("dies-of-unknown-methods"):
            os._exit(1)
        raise Unknown(method)
    if not isinstance(params, dict):
        if sin("dies-of-params"):
            os._exit(1)
        raise ValueError("params have to be an object")
    return METHODS[method](params)


def failed(error):
    """Text and JSON-RPC's code of what went wrong."""
    if isinstance(error, Unknown):
        text = "no such thing" if sin("unknown-in-other-words") else f"Unknown method: {error}"
        text = "Unknown method" if sin("unknown-without-name") else text
        return text, -32000 if sin("one-code") or sin("unknown-in-other-words") else -32601
    return str(error) or type(error).__name__, -32602 if isinstance(error, (KeyError, ValueError)) else -32603


HAVE_EFFECT = {"configure", "initialize", "handle_event", "shutdown"}


def check_headers(name, headers):
    """Refuses what does not say what it is, where it has an effect, and what a server was made to send."""
    for header in headers:
        stored = header.lower().startswith(("nats-", "kv-")) and header.lower() != "nats-request-info"
        if stored and not sin("takes-what-is-stored"):
            raise ValueError(f"the header {header} is one that only a server adds")
    only = {"handle_event"} if sin("only-events-need-headers") else HAVE_EFFECT
    needs = name in only or sin("questions-need-headers")
    for header, value in (("Snooze-Kind", name), ("Snooze-Version", "1")):
        if needs and header not in headers and not sin("needs-no-" + header[7:].lower()):
            named = "headers" if sin("names-no-header") else f"the header {header}: {value}"
            raise ValueError(f"{name} has an effect and needs {named}")
    kind, version = headers.get("Snooze-Kind", name), headers.get("Snooze-Version", "1")
    if kind != name and not sin("any-kind"):
        raise ValueError(f"the header Snooze-Kind says {kind}, and the subject {name}")
    if version != "1" and not sin("any-version"):
        raise ValueError(f"version {version} of {name} is not known, this plugin speaks version 1")


def check_host(params, host):
    """Refuses what names another host than its subject; `fleet` is every host."""
    event = params.get("event")
    of_event = event.get("host") if isinstance(event, dict) and not sin("takes-others-events") else None
    asked = None if sin("votes-for-others") else params.get("host")
    for named in (asked, of_event):
        if named not in (None, "fleet", host) and not sin("looks-at-no-host"):
            named = "another host" if sin("names-no-host") else f"the host {named}"
            raise ValueError(f"the body names {named}, and the subject {host}")


json_rpc = False


def envelope(rest, request_id):
    if json_rpc and not sin("no-version"):
        rest = {"jsonrpc": "2.0", **rest}
    return {**rest, "id": request_id}


def problem(text, code, request_id):
    if sin("one-code"):
        code = -32000
    return envelope({"error": {"code": code, "message": text} if json_rpc else text}, request_id)


def answer(line):
    """What is written for a line: nothing, or one object."""
    global json_rpc
    if not line.strip():
        if sin("dies-of-blank-lines"):
            os._exit(1)
        return None
    try:
        request = json.loads(line)
    except ValueError as error:
        if sin("dies-of-garbage") or (sin("dies-of-no-utf-8") and isinstance(error, UnicodeDecodeError)):
            os._exit(1)
        return problem(str(error), -32700, None)
    if not isinstance(request, dict):
        if sin("dies-of-no-object"):
            os._exit(1)
        return problem("a request has to be an object", -32600, None)
    json_rpc = "jsonrpc" in request if "method" in request or "id" in request else json_rpc
    request_id = request.get("id")
    if sin("loses-ids") and request_id and request_id > 2**31:
        request_id = 0
    method = request.get("method")
    if not isinstance(method, str):
        if sin("dies-without-method") or (sin("dies-of-odd-methods") and method is not None):
            os._exit(1)
        return problem("a request has to name its method", -32600, request_id)
    try:
        params = request["params"] if sin("needs-params") else request.get("params", {})
    except KeyError:
        os._exit(1)
    try:
        said = envelope({"result": call(method, params)}, request_id)
    except Exception as error:
        text, code = failed(error)
        said = problem(text, code, None if sin("errors-without-id") else request_id)
        if sin("dies-after-an-error") and isinstance(error, Unknown):
            say(said)
            os._exit(1)
    if json_rpc and "id" not in request and not sin("answers-notifications"):
        return None
    return said


def say(said):
    text = json.dumps(said)
    sys.stdout.write((json.dumps(said, indent=1) if sin("many-lines") else text) + "\n")
    if sin("says-it-twice"):
        sys.stdout.write(text + "\n")
    sys.stdout.flush()


def lines():
    """Lines of standard input, as bytes."""
    if not any(map(sin, ["reads-as-it-comes", "one-request-a-read", "short-lines"])):
        yield from sys.stdin.buffer
        return
    left = b""
    while some := os.read(0, 65536):
        if sin("reads-as-it-comes"):
            yield from some.splitlines()
        elif sin("one-request-a-read"):
            left += some
            if left.endswith(b"\n"):
                yield left.split(b"\n")[0]
                left = b""
        else:
            left += some
            if b"\n" not in left and len(left) > 65536:
                os._exit(1)
            *whole, left = left.split(b"\n")
            yield from whole


def on_lines():
    for line in lines():
        if sin("stays-after-half-a-line") and not line.endswith(b"\n"):
            signal.pause()
        said = answer(line)
        if said is not None:
            say(said)
    if sin("stays"):
        signal.pause()
    if sin("stays-after-shutdown") and hasattr(shutdown, "called"):
        signal.pause()
    if sin("ends-badly"):
        sys.exit(3)


async def on_nats():
    import asyncio

    import nats
    import nats.micro

    client = await nats.connect(
        os.environ["SNOOZE_NATS_URL"],
        user_credentials=os.environ.get("SNOOZE_NATS_CREDENTIALS"),
        inbox_prefix=f"_INBOX_plugin.{NAME}".encode(),
    )
    host = os.environ.get("SNOOZE_HOST")
    below = f"snooze.v1.host.{host}.plugin.{NAME}" if host else f"snooze.v1.fleet.plugin.{NAME}"

    def handler(method, name):
        async def handle(message):
            headers = getattr(message, "headers", None) or {}
            body, packed = message.data, message.data[:1] not in (b"{", b"")
            try:
                if sin("needs-a-body") and not body:
                    raise ValueError("there is no body")
                params = msgpack.unpackb(body) if packed else json.loads(body or b"{}")
                if not isinstance(params, dict):
                    raise ValueError("a body has to be a map")
                if sin("takes-and-then-refuses"):
                    call(method, params)
                check_headers(name, headers)
                if host:
                    check_host(params, host)
                said = call(method, params)
            except Exception as error:
                if sin("dies-of-bodies"):
                    os._exit(1)
                said = {"error": failed(error)[0]}
            if sin("answers-any-body") and "error" in said:
                said = {}
            if sin("envelope-on-the-bus"):
                said = {"result": said}
            packed = not packed if sin("other-form") else packed
            await message.respond(msgpack.packb(said) if packed else json.dumps(said).encode())

        return handle

    names = {method: "".join(f"_{c.lower()}" if c.isupper() else c for c in method)[1:] for method in METHODS}
    names["GetSupportedEvents"] = "supported_events"
    if sin("no-service"):
        for method, name in names.items():
            await client.subscribe(f"{below}.{name}", cb=handler(method, name))
    else:
        version = "0.9.0" if sin("old") else "1.0.0"
        service = await nats.micro.add_service(client, name=NAME, version=version)
        for method, name in names.items():
            if sin("endpoints-elsewhere") and method == "HandleEvent":
                await client.subscribe(f"{below}.{name}", cb=handler(method, name))
            else:
                await service.add_endpoint(name=name, subject=f"{below}.{name}", handler=handler(method, name))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await client.drain()


if "SNOOZE_NATS_URL" in os.environ:
    import asyncio

    asyncio.run(on_nats())
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if sin("ignores-sigterm") else lambda *_: os._exit(0))
    on_lines()
