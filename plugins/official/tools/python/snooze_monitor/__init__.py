"""What the official monitors in Python are made of: settings that are refused by name, and questions with a limit.

It knows no service, and decides nothing about a vote.
"""

from snooze_monitor.about import about
from snooze_monitor.question import Question, causes, is_fenced, is_unresolved
from snooze_monitor.settings import Settings, SettingsError, read_secret

__all__ = ["Question", "Settings", "SettingsError", "about", "causes", "is_fenced", "is_unresolved", "read_secret"]
