"""The methods of the protocol, whatever carries them: from a request's params to the result, or to a failure.

It reads and writes no bytes, and calls the plugin one method at a time in the thread that it is called in. It never
makes an idle vote of anything but an `Idle`.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
from collections.abc import Awaitable, Mapping
from typing import Any, Callable

from snooze_plugin._plugin import Plugin, has
from snooze_plugin._questions import Event, InvalidQuestionError, Metrics
from snooze_plugin._results import Busy, Handled, Idle, NotHandled

Params = Mapping[str, Any]
Result = Mapping[str, Any]

_ERROR_LIMIT = 500
"""Characters of an error that are kept by whoever asked."""

INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, FAILED = -32600, -32601, -32602, -32000
"""Codes of JSON-RPC 2.0, section 5.1."""


class Failure(Exception):  # noqa: N818 # It is an answer, and as such no mistake of the program.
    """What is answered in place of a result."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        """With the text, as far as it is kept."""
        self.text = text[:_ERROR_LIMIT]
        self.code = code
        super().__init__(self.text)


class Methods:
    """Answers for one plugin."""

    def __init__(self, plugin: Plugin, wait_for: Callable[[Awaitable[Any]], Any]) -> None:
        """`wait_for` runs what an async method returned to its end."""
        self._plugin = plugin
        self._wait_for = wait_for
        self._info: Result | None = None
        self._is_initialized = False
        self._is_over = False
        self._shown: str | None = None
        self._known: dict[str, Callable[[Params], Result]] = {
            "Info": self.info,
            "Configure": self._configure,
            "Initialize": self._initialize,
            "GetSupportedEvents": self._supported_events,
            "Shutdown": self._shutdown,
        }
        if has(plugin, "check_idle"):
            self._known["CheckIdle"] = self._check_idle
        if has(plugin, "handle_event"):
            self._known["HandleEvent"] = self._handle_event

    def answer(self, method: str, params: Params) -> Result:
        """The result of a method; raises nothing but `Failure`."""
        known = self._known.get(method)
        if known is None:
            raise Failure(f"Unknown method: {method}", UNKNOWN_METHOD)
        try:
            return known(params)
        except Failure:
            raise
        # What a plugin returned looked as it should, and was not: its details are no mapping, or cannot be read.
        except Exception as error:
            self._show(error)
            raise Failure(_text_of(error)) from error

    def info(self, _params: Params | None = None) -> Result:
        """What the plugin says of itself, asked once: it waits for nothing that the plugin does meanwhile."""
        if self._info is None:
            said = self._call(self._plugin.info)
            if not isinstance(said, Mapping):
                raise _unexpected("info", said, "a mapping")
            self._info = said
        return self._info

    def end(self) -> None:
        """Shuts the plugin down if that was not done; what it raises stands on standard error."""
        if not self._is_over:
            try:
                self._shutdown({})
            except Failure:
                return

    def _configure(self, params: Params) -> Result:
        config = params.get("config")
        if not isinstance(config, dict):
            raise Failure("config is no object", INVALID_PARAMS)
        self._call(self._plugin.configure, config)
        return {"success": True}

    def _initialize(self, _params: Params) -> Result:
        self._prepare()
        return {"success": True}

    def _prepare(self) -> None:
        # Nobody sends `initialize` to a plugin of the whole fleet, so the first question does.
        if not self._is_initialized:
            self._is_over = False
            self._call(self._plugin.initialize)
            self._is_initialized = True

    def _check_idle(self, params: Params) -> Result:
        metrics = _read(Metrics.read, params)
        self._prepare()
        verdict = self._call(self._plugin.check_idle, metrics)
        if not isinstance(verdict, (Idle, Busy)):
            raise _unexpected("check_idle", verdict, "Idle or Busy")
        return {
            "is_idle": isinstance(verdict, Idle),
            "reason": str(verdict.reason),
            "details": dict(verdict.details),
        }

    def _handle_event(self, params: Params) -> Result:
        event = _read(Event.read, params)
        self._prepare()
        outcome = self._call(self._plugin.handle_event, event)
        if not isinstance(outcome, (Handled, NotHandled)):
            raise _unexpected("handle_event", outcome, "Handled or NotHandled")
        return {
            "handled": isinstance(outcome, Handled),
            # What is none of its business it has not failed in.
            "succeeded": isinstance(outcome, NotHandled) or outcome.succeeded is True,
            "message": str(outcome.message),
            "details": dict(outcome.details),
        }

    def _supported_events(self, _params: Params) -> Result:
        events = self._call(self._plugin.supported_events)
        # A text is a sequence of its letters.
        if isinstance(events, str) or not isinstance(events, (list, tuple, set, frozenset)):
            raise _unexpected("supported_events", events, "a list of event types")
        return {"events": [str(event) for event in events]}

    def _shutdown(self, _params: Params) -> Result:
        self._is_over, self._is_initialized = True, False
        self._call(self._plugin.shutdown)
        return {"success": True}

    def _call(self, method: Callable[..., Any], *arguments: object) -> Any:
        try:
            said = method(*arguments)
            return self._wait_for(said) if inspect.isawaitable(said) else said
        # A plugin that calls `sys.exit`, or awaits a task that was cancelled, has failed and no more: signals end the
        # process in another way.
        except BaseException as error:
            self._show(error)
            raise Failure(_text_of(error)) from error

    def _show(self, error: BaseException) -> None:
        """Writes where it came from, once as long as nothing else goes wrong: a plugin is asked for ever."""
        # A standard error that is closed or full is no reason to leave a request without its answer.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            if shown != self._shown:
                self._shown = shown
                sys.stderr.write(shown)


def _read(read: Callable[[Params], Any], params: Params) -> Any:
    try:
        return read(params)
    except InvalidQuestionError as error:
        raise Failure(str(error), INVALID_PARAMS) from error


def _unexpected(method: str, said: object, expected: str) -> Failure:
    return Failure(f"{method} returned {type(said).__name__} in place of {expected}")


def _text_of(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:
        text = ""
    # A key that is missing says its name and nothing else, and an exit its code. What is called like an unknown
    # method, and came from something that the plugin itself asked, would take its vote away.
    if not text or isinstance(error, (KeyError, SystemExit)) or text.lower().startswith("unknown method"):
        return f"{type(error).__name__}: {text}".rstrip(": ")
    return text
