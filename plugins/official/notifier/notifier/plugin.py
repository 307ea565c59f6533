"""The handler: whom an event is told to, and what is said.

That somebody was not told is no success, and says who and why, without a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Union

from snooze_plugin import Config, Event, Handled, NotHandled, Plugin, run

from notifier import template
from notifier.mail import Mail
from notifier.sending import Sender, Target
from notifier.webhook import Webhook
from snooze_monitor import Settings, about

SUBJECT = "{severity}: {type} {state} on {host}"
MESSAGE = "{severity}: {type} {state} on {host}, deadline {deadline}. Noticed by {source} at {noticed_at}, event {id}."

TIMEOUT_SECONDS = 30
"""Who hangs for longer is not told: another event may be waiting."""

TARGETS_LIMIT = 8
"""Each takes a thread, and a plugin is granted few."""

WITHOUT_DEADLINE_SECONDS = 30.0

ANSWER_SECONDS = 0.5
"""Kept back for the answer, or a tenth of a time that is short: the runner ends the plugin when it is over."""

EVENTS = (
    "cloud.spot.interrupt",
    "cloud.instance.termination",
    "cloud.spot.rebalance",
    "cloud.instance.maintenance",
    "cloud.autoscaling.scale",
    "system.disk.low",
    "system.memory.pressure",
    "system.cpu.high",
    "system.network.lost",
    "system.clock.jump",
    "snooze.pending",
    "snooze.cancelled",
    "custom",
)

Told = Union[Webhook, Mail]


@dataclass(frozen=True)
class Choice:
    """What is configured."""

    targets: tuple[Told, ...] = ()
    subject: str = SUBJECT
    message: str = MESSAGE
    timeout_seconds: float = field(default=TIMEOUT_SECONDS)

    @classmethod
    def take(cls, config: Config) -> Choice:
        """Reads a configuration; raises what is wrong with it."""
        settings = Settings(config)
        targets = settings.objects("targets")
        if len(targets) > TARGETS_LIMIT:
            raise settings.error("targets", f"has more than {TARGETS_LIMIT}")
        choice = cls(
            tuple(_target(each) for each in targets),
            _template(settings, "subject", SUBJECT),
            _template(settings, "message", MESSAGE),
            settings.number("timeout_seconds", TIMEOUT_SECONDS, least=1, most=120),
        )
        settings.finish()
        return choice


def _target(settings: Settings) -> Told:
    kind = settings.text("type", "")
    if kind in ("slack", "webhook"):
        target: Told = Webhook.take(settings, kind)
    elif kind == "email":
        target = Mail.take(settings)
    else:
        raise settings.error("type", "is slack, webhook or email")
    settings.finish()
    return target


def _template(settings: Settings, key: str, default: str) -> str:
    text = settings.text(key, default)
    if not text:
        raise settings.error(key, "is empty")
    unknown = template.unknown_name(text)
    if unknown is not None:
        raise settings.error(key, f"has the name {{{unknown}}}, which is not known; there are {template.names()}")
    return text


class Notifier(Plugin):
    """Tells."""

    name = "notifier"
    version = "1.0.0"
    events = EVENTS

    def __init__(self) -> None:
        """Nobody is told yet."""
        self._choice = Choice()
        self._sender = Sender()

    def info(self) -> dict[str, Any]:
        """What the manifest says."""
        return about()

    def configure(self, config: Config) -> None:
        """Takes a configuration, or refuses it whole and keeps the one before."""
        self._choice = Choice.take(config)

    def handle_event(self, event: Event) -> Handled | NotHandled:
        """Tells all targets of it, all at once."""
        if event.type not in EVENTS and not event.type.startswith("custom."):
            return NotHandled()
        choice = self._choice
        if not choice.targets:
            return Handled("targets are not configured: nobody was told", succeeded=False)
        left = WITHOUT_DEADLINE_SECONDS if event.left_seconds is None else max(0.0, event.left_seconds)
        limit = min(choice.timeout_seconds, left - min(ANSWER_SECONDS, left / 10))
        targets = [_prepared(target, number + 1, event, choice) for number, target in enumerate(choice.targets)]
        results = self._sender.tell(targets, limit)
        missed = [f"{target.name}: {result}" for target, result in zip(targets, results) if not result.told]
        details = {target.name: str(result) for target, result in zip(targets, results)}
        message = f"{len(results) - len(missed)} of {len(results)} targets were told"
        return Handled("; ".join([message, *missed]), details, succeeded=not missed)


def _prepared(target: Told, number: int, event: Event, choice: Choice) -> Target:
    text = template.fill(choice.message, event)
    # Two may have the same server.
    name = f"{number} {target.name}"
    if isinstance(target, Webhook):
        webhook = target
        return Target(name, lambda seconds: webhook.tell(event, text, seconds), webhook.secrets)
    mail, message = target, target.message(event, template.fill(choice.subject, event), text)
    return Target(name, lambda seconds: mail.send(message, seconds), mail.secrets)


def main() -> None:
    """Answers for it."""
    run(Notifier())
