#!/usr/bin/env python3
"""State as clients may ask of it (tests/lib/state_cases.py), both ends on one node; nothing is left afterwards.
/usr/bin/python3 (impacket's NTLM)."""
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import state_cases  # noqa: E402


class State(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server("break_timeout_s = 3\ndurable_timeout_s = 4")
        cls.server.share_config = '[[share]]\nname = "ca"\npath = "%s"\ncontinuous_availability = true' % \
            cls.server.share
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.nothing_is_left()
        finally:
            cls.server.__exit__()

    @classmethod
    def nothing_is_left(cls):
        end = time.monotonic() + 15
        while True:
            got = subprocess.run([flotilla.BINARY, "status", "--json", "--runtime-dir", cls.server.dir],
                                 capture_output=True, text=True, timeout=30, check=True)
            status = json.loads(got.stdout)
            left = {key: status[key] for key in ("sessions", "trees", "opens") if status[key]}
            if not left and int(status["state_digest"], 16) == 0:
                return
            if time.monotonic() > end:
                raise AssertionError("left: %s, digest %s" % (left, status["state_digest"]))
            time.sleep(0.2)


def one_node(case):
    def test(self):
        end = ("127.0.0.1", self.server.port)
        site = state_cases.Site(end, end, break_timeout_s=3)
        self.addCleanup(site.close)
        case(site)
    return test


for each in state_cases.ALL:
    setattr(State, "test_" + each.__name__, one_node(each))

if __name__ == "__main__":
    unittest.main(verbosity=2)
