"""The virtual machine of tools/kernel-client, run to its end."""
import os
import signal
import subprocess
import sys
import threading

import flotilla

NO_KERNEL = 77


class Guest:
    """What the machine said: `output` (its lines) and `status`, once it has ended."""

    def __init__(self, seconds, port, script, *files, on_line=lambda line: None, **environment):
        # A session of its own and a parent-death signal: however the test ends, the machine ends too.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", os.path.join(flotilla.ROOT, "tools/kernel-client"), str(port), script,
             *files], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
            env=dict(os.environ, FLOTILLA_VM_SECONDS=str(seconds), **environment))
        watchdog = threading.Timer(seconds + 30, os.killpg, (process.pid, signal.SIGTERM))
        watchdog.start()
        self.output = []
        try:
            for line in process.stdout:
                self.output.append(line)
                sys.stderr.write("    " + line)
                on_line(line)
            self.status = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            process.stdout.close()

    def check(self, test, said, context=lambda: ""):
        """Skips where no machine can be; fails unless all went well and `said` was told."""
        text = "".join(self.output)
        if self.status == NO_KERNEL:
            test.skipTest("no machine here: " + text[-400:])
        failed = [line for line in self.output if line.startswith("FAIL")]
        test.assertEqual(failed, [], text[-4000:] + context())
        test.assertEqual(self.status, 0, text[-4000:])
        test.assertIn(said, text)
