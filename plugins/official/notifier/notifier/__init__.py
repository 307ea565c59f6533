"""Tells people and programs of events: Slack-compatible webhooks, signed webhooks, e-mail.

It has no vote, reads nothing but its secrets, and never says or logs one.
"""

from notifier.plugin import main

__all__ = ["main"]
