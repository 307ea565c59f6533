"""Its own tests: python3 -m unittest."""

import unittest
from types import SimpleNamespace

from plugin import Busy, Idle, Monitor


class MonitorTest(unittest.TestCase):
    """Laws of this plugin."""

    def test_below_the_threshold_is_idle_and_at_it_is_busy(self):
        monitor = Monitor()
        monitor.configure({"threshold": 20})
        self.assertIsInstance(monitor.check_idle(SimpleNamespace(cpu_usage=19.9)), Idle)
        self.assertIsInstance(monitor.check_idle(SimpleNamespace(cpu_usage=20.0)), Busy)

    def test_what_is_unknown_is_not_idle(self):
        with self.assertRaises(ValueError):
            Monitor().check_idle(SimpleNamespace(cpu_usage=None))


if __name__ == "__main__":
    unittest.main()
