#!/usr/bin/env python3
"""The Linux kernel's cifs client, in a virtual machine, against one node: tests/kernel/cifs.sh says what it does."""
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import flotilla  # noqa: E402
from guest import Guest  # noqa: E402

SECONDS = int(os.environ.get("FLOTILLA_VM_SECONDS", 420))


class KernelClient(unittest.TestCase):
    def setUp(self):
        self.server = flotilla.Server()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        share = self.server.share
        with open(os.path.join(share, "inside"), "w", encoding="ascii") as f:
            f.write("inside")
        os.mkdir(os.path.join(share, "prepared"))
        for number in range(2000):
            with open(os.path.join(share, "prepared", "file-%04d" % number), "w", encoding="ascii"):
                pass
        os.symlink("inside", os.path.join(share, "inside-link"))
        os.symlink("/etc/passwd", os.path.join(share, "outside-link"))

    def restart_server(self):
        """Ends the server as a crash would, starts it again, and tells the guest through the share."""
        self.server.process.kill()
        self.server.process.wait()
        self.server.__enter__()
        with open(os.path.join(self.server.share, "restarted"), "w", encoding="ascii"):
            pass

    def test_every_dialect_and_a_restart(self):
        ops = os.path.join(self.server.dir, "ops")
        if not shutil.which("cc"):
            self.skipTest("no C compiler for the guest's helper")
        subprocess.run(["cc", "-static", "-O1", "-Wall", "-o", ops, os.path.join(HERE, "ops.c")], check=True)
        guest = Guest(SECONDS, self.server.port, os.path.join(HERE, "cifs.sh"), ops,
                      on_line=lambda line: line.startswith("@restart") and self.restart_server())
        guest.check(self, "ok restart: writes again", lambda: "\nserver:\n" + self.server.text_of_log()[-4000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
