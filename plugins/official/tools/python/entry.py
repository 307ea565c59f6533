#!/usr/bin/env python3
"""Starts the plugin that this file is named after, with what lies in `lib` beside it.

It is copied as the entry point of every official plugin in Python, and loads nothing that was installed elsewhere
before what lies beside it.
"""

import importlib
import sys
from pathlib import Path

# The folder belongs to whoever installed the plugin, and is the same after it has run.
sys.dont_write_bytecode = True
here = Path(__file__).resolve()
sys.path.insert(0, str(here.parent / "lib"))
importlib.import_module("snooze_monitor").bound_memory()
importlib.import_module(here.name.replace("-", "_")).main()
