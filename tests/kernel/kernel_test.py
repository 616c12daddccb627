#!/usr/bin/env python3
"""The Linux kernel's cifs client, in a virtual machine, against one node: tests/kernel/cifs.sh says what it does."""
import os
import shutil
import signal
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import flotilla  # noqa: E402

SECONDS = int(os.environ.get("FLOTILLA_VM_SECONDS", 420))
NO_KERNEL = 77


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
        # A session of its own and a parent-death signal: however this test ends, the machine ends too.
        guest = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", os.path.join(flotilla.ROOT, "tools/kernel-client"), str(self.server.port),
             os.path.join(HERE, "cifs.sh"), ops],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True, env=dict(os.environ, FLOTILLA_VM_SECONDS=str(SECONDS)))
        watchdog = threading.Timer(SECONDS + 30, guest.terminate)
        watchdog.start()
        output = []
        try:
            for line in guest.stdout:
                output.append(line)
                sys.stderr.write("    " + line)
                if line.startswith("@restart"):
                    self.restart_server()
            status = guest.wait()
        finally:
            watchdog.cancel()
            if guest.poll() is None:
                os.killpg(guest.pid, signal.SIGTERM)
                guest.wait()
            guest.stdout.close()
        text = "".join(output)
        if status == NO_KERNEL:
            self.skipTest("no machine for a kernel client here: " + text[-400:])
        failed = [line for line in output if line.startswith("FAIL")]
        self.assertEqual(failed, [], text[-4000:] + "\nserver:\n" + self.server.text_of_log()[-4000:])
        self.assertEqual(status, 0, text[-4000:])
        self.assertIn("ok restart: writes again", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
