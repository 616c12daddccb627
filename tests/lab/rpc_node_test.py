#!/usr/bin/env python3
"""Pipes of a whole pool on its one rpc_node: samba-dcerpcd runs on node 2 only, clients use every node, the node is lost
and comes back. Runs as root."""
import os
import re
import subprocess
import sys
import unittest

import pool_test
from pool_test import ROOT, lab, wait_members

sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import samba  # noqa: E402

LOG = "/var/tmp/flotilla-lab/node%d/flotilla.log"


def ask(node, command):
    """(exit status, output) of rpcclient against one node."""
    got = subprocess.run([pool_test.LAB, "client", "rpcclient", "-U", "tester%Secret123", "-c", command,
                          "ncacn_np:10.77.0.%d" % node], capture_output=True, text=True, timeout=60, check=False)
    return got.returncode, got.stdout + got.stderr


def log_of(node):
    with open(LOG % node, encoding="utf-8", errors="replace") as f:
        return f.read()


class RpcNode(unittest.TestCase):
    SECTION = '[rpc]\nforward = "/run/samba/ncalrpc"\nrpc_node = 2\n'

    @classmethod
    def setUpClass(cls):
        os.environ.setdefault("FLOTILLA", os.path.join(ROOT, "build/release/flotilla"))
        os.environ["FLOTILLA_LAB_SECTIONS"] = cls.SECTION
        cls.addClassCleanup(os.environ.pop, "FLOTILLA_LAB_SECTIONS")
        cls.addClassCleanup(lab, "down")
        lab("up", 3)

    def lose_node_2(self):
        lab("kill", 2)
        wait_members([1, 3], [1, 3])

    def node_2_comes_back(self):
        lab("start", 2)
        wait_members([1, 2, 3], [1, 2, 3])


@unittest.skipUnless(os.path.exists(samba.DCERPCD), "samba-dcerpcd is not installed")
class SomePipes(RpcNode):
    def test_spoolss_through_every_node_is_that_of_node_2(self):
        with samba.Dcerpcd("/var/tmp/flotilla-lab/node2/run/samba", [pool_test.LAB, "node", "2"], "/run/samba"):
            for node in (1, 2, 3):
                status, output = ask(node, "enumprinters")
                self.assertEqual(status, 0, output)
                self.assertIn("No printers returned", output)
                # More than one message of the pipe in each direction, and a call that names the caller.
                self.assertEqual(ask(node, "enumports; enumdrivers; enumprinters 2")[0], 0)
            self.lose_node_2()
            status, output = ask(1, "enumprinters")
            self.assertIn("NT_STATUS_PIPE_NOT_AVAILABLE", output)
            self.assertIn("node 2 of [rpc] rpc_node is not in the pool", log_of(1))
            # What every node serves itself is there, and so are the files.
            self.assertEqual(ask(1, "srvinfo")[0], 0)
            self.node_2_comes_back()
            status, output = ask(1, "enumprinters")
            self.assertEqual(status, 0, output)
        # Its server has ended, the node has not.
        self.assertRegex(ask(3, "enumprinters")[1], "NT_STATUS_(PIPE_NOT_AVAILABLE|OBJECT_NAME_NOT_FOUND)")

    def test_a_pipe_that_is_open_when_its_node_is_lost_is_disconnected(self):
        with samba.Dcerpcd("/var/tmp/flotilla-lab/node2/run/samba", [pool_test.LAB, "node", "2"], "/run/samba"):
            client = subprocess.Popen([pool_test.LAB, "client", "rpcclient", "-U", "tester%Secret123", "ncacn_np:10.77.0.3"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      bufsize=0)
            client.stdin.write("enumprinters\n")
            seen = ""
            while "No printers returned" not in seen:
                part = os.read(client.stdout.fileno(), 4096).decode()
                self.assertTrue(part, seen)
                seen += part
            self.lose_node_2()
            output, _ = client.communicate("enumprinters\nexit\n", timeout=60)
            self.assertTrue(re.search("NT_STATUS_|WERR_", output), output)
            self.assertRegex(log_of(3), r"node 2 of \[rpc\] rpc_node has left the pool: [1-9][0-9]* pipes are disconnected")
            self.node_2_comes_back()


class AllPipes(RpcNode):
    SECTION = RpcNode.SECTION + "all_pipes = true\n"

    def test_all_pipes_are_served_by_node_2(self):
        for node in (1, 2, 3):
            self.assertIn("FLOTILLA", ask(node, "srvinfo")[1])
            self.assertIn("FLOTILLA\\tester", ask(node, "lookupsids " + ask(node, "lookupnames tester")[1].split()[1])[1])
        self.lose_node_2()
        self.assertIn("NT_STATUS_PIPE_NOT_AVAILABLE", ask(3, "srvinfo")[1])  # it tries again for ten seconds
        lab("client", "smbclient", "//10.77.0.3/data", "-U", "tester%Secret123", "-c", "ls")
        self.node_2_comes_back()
        self.assertIn("FLOTILLA", ask(1, "srvinfo")[1])


if __name__ == "__main__":
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "--preserve-env=FLOTILLA", sys.executable] + sys.argv)
    unittest.main(verbosity=2)
