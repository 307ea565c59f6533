"""What the official monitors in Python are made of: settings that are refused by name, questions with a limit, and
what to do about failures of any server.

It knows no service, and decides nothing about a vote.
"""

from snooze_monitor.about import about
from snooze_monitor.failure import advice, bound_memory, causes, is_fenced, is_late, is_unresolved
from snooze_monitor.question import Question
from snooze_monitor.settings import Settings, SettingsError, read_secret

__all__ = [
    "Question",
    "Settings",
    "SettingsError",
    "about",
    "advice",
    "bound_memory",
    "causes",
    "is_fenced",
    "is_late",
    "is_unresolved",
    "read_secret",
]
