#!/usr/bin/env python3
"""The other programs that people use on a share, and smbclient's less usual ways: tar, notify, smbget, rpcclient, net,
smbcacls, python3-smbc, twenty clients at once, and one that dies in the middle."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402

PROTOCOLS = ("SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11")
ADDRESS_445 = "127.0.77.%d" % (os.getpid() % 250 + 1)  # net and smbcacls know no other port
LOGIN = "%s%%%s" % (flotilla.USER, flotilla.PASSWORD)


def within(seconds, condition):
    """Asks until it is so; the answer of the last time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server(extra=["--listen", ADDRESS_445 + ":445"] if os.geteuid() == 0 else [])
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def good(self, commands, **more):
        status, output = self.server.smbclient(commands, **more)
        self.assertEqual(status, 0, output)
        return output

    def program(self, *command, cwd=None, text=None):
        got = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, input=text,
                             cwd=cwd or self.server.dir)
        self.assertEqual(got.returncode, 0, "%s\n%s%s" % (" ".join(command), got.stdout, got.stderr))
        return got.stdout + got.stderr

    def path(self, name):
        return os.path.join(self.server.share, name)

    def local(self, name):
        return os.path.join(self.server.dir, name)

    def a_tree(self, name):
        os.makedirs(self.local(name + "/sub/deeper"))
        for file in ("a.txt", "b.bin", "sub/c.txt", "sub/deeper/d.bin"):
            flotilla.random_file(self.local(name + "/" + file), 100000)

    def opens(self):
        return json.loads(self.program(flotilla.BINARY, "status", "--runtime-dir", self.server.dir, "--json"))["opens"]

    def assert_same_tree(self, left, right):
        for base, _, files in os.walk(left):
            for file in files:
                other = os.path.join(right, os.path.relpath(os.path.join(base, file), left))
                self.assertEqual(flotilla.sha256(os.path.join(base, file)), flotilla.sha256(other), other)

    def test_tar_out_and_in(self):
        self.a_tree("for-tar")
        self.good("prompt off; recurse on; mkdir tarred; cd tarred; lcd for-tar; mput *")
        self.assert_same_tree(self.local("for-tar"), self.path("tarred"))
        archive = self.local("out.tar")
        self.program("smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-U", LOGIN, "-Tc", archive, "tarred")
        with tarfile.open(archive) as tar:
            self.assertEqual(len([m for m in tar.getmembers() if m.isfile()]), 4)
        self.good("deltree tarred")
        self.assertFalse(os.path.exists(self.path("tarred")))
        self.program("smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-U", LOGIN, "-Tx", archive)
        self.assert_same_tree(self.local("for-tar"), self.path("tarred"))

    def test_every_protocol_with_protection_and_odd_sizes(self):
        flotilla.random_file(self.local("odd"), (3 << 20) + 12345)
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                options = ["-m", protocol, "--option=client min protocol=SMB2_02", "--client-protection=sign"]
                self.good("iosize 8192; put odd odd8k; iosize 1048576; get odd8k back; ls; allinfo odd8k; rm odd8k",
                          options=options)
                self.assertEqual(flotilla.sha256(self.local("odd")), flotilla.sha256(self.local("back")))

    def test_allinfo_tells_names_times_and_streams(self):
        self.good("put %s told.txt" % __file__)
        output = self.good("allinfo told.txt")
        for line in (r"create_time:", r"write_time:", r"attributes: .*A", r"stream: \[::\$DATA\], %d bytes" %
                     os.path.getsize(__file__)):
            self.assertRegex(output, line)

    def test_notify_tells_a_change_made_by_another_client(self):
        os.mkdir(self.path("watched"))
        watcher = subprocess.Popen(["stdbuf", "-oL", "smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-U",
                                    LOGIN, "-c", "notify watched"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        killer = threading.Timer(30, watcher.kill)
        killer.start()
        try:
            self.assertTrue(within(20, lambda: self.opens() >= 1))
            stop = threading.Event()

            def disturb():
                number = 0
                while not stop.wait(0.2):
                    self.server.smbclient("mkdir watched\\new-%d" % number)
                    number += 1
            thread = threading.Thread(target=disturb)
            thread.start()
            line = watcher.stdout.readline()
            stop.set()
            thread.join()
            self.assertRegex(line, r"0001 new-\d+")
        finally:
            killer.cancel()
            watcher.kill()
            watcher.wait()
            watcher.stdout.close()

    def test_smbget_fetches_a_tree(self):
        self.a_tree("for-smbget")
        self.good("prompt off; recurse on; mkdir fetched; cd fetched; lcd for-smbget; mput *")
        os.mkdir(self.local("smbget"))
        self.program("smbget", "-U", LOGIN, "-R", "-q", "smb://127.0.0.1:%d/data/fetched" % self.server.port,
                     cwd=self.local("smbget"))
        found = glob.glob(self.local("smbget/**/d.bin"), recursive=True)
        self.assertEqual(len(found), 1, os.listdir(self.local("smbget")))
        self.assert_same_tree(self.local("for-smbget"), found[0].rsplit("/sub/", 1)[0])

    def test_rpcclient_asks_srvsvc(self):
        def ask(command):
            return self.program("rpcclient", "-p", str(self.server.port), "-U", LOGIN, "-c", command, "127.0.0.1")
        self.assertIn("platform_id", ask("srvinfo"))
        self.assertRegex(ask("netshareenumall"), r"(?s)netname: data.*netname: IPC\$")
        self.assertRegex(ask("netsharegetinfo data"), r"(?s)netname: data.*remark:\s+the test share")

    @unittest.skipIf(os.geteuid() != 0, "port 445 is root's")
    def test_net_lists_the_shares(self):
        output = self.program("net", "rpc", "share", "list", "-S", ADDRESS_445, "-U", LOGIN)
        self.assertIn("data", output.split())
        self.assertIn("IPC$", output.split())

    @unittest.skipIf(os.geteuid() != 0, "port 445 is root's")
    def test_smbcacls_reads_owner_group_and_entries(self):
        self.good("put %s guarded" % __file__)
        output = self.program("smbcacls", "//%s/data" % ADDRESS_445, "guarded", "-U", LOGIN, "--numeric")
        self.assertRegex(output, r"OWNER:S-1-")
        self.assertRegex(output, r"GROUP:S-1-")
        self.assertRegex(output, r"ACL:S-1-\d[-\d]+:\d/")

    def test_python_smbc_reads_and_writes(self):
        script = """
import smbc, sys
c = smbc.Context(auth_fn=lambda *a: ("", "%s", "%s"))
c.optionNoAutoAnonymousLogin = True
base = "smb://127.0.0.1:%d/data/"
f = c.open(base + "from-smbc", 0o102 | 0o1000, 0o644); f.write(b"hello"); f.close()
assert c.open(base + "from-smbc", 0).read(10) == b"hello"
assert "from-smbc" in [e.name for e in c.opendir(base).getdents()]
c.mkdir(base + "smbc-dir", 0o755); c.rmdir(base + "smbc-dir")
c.rename(base + "from-smbc", base + "renamed-smbc"); c.unlink(base + "renamed-smbc")
""" % (flotilla.USER, flotilla.PASSWORD, self.server.port)
        if subprocess.run(["/usr/bin/python3", "-c", "import smbc"], capture_output=True, check=False).returncode:
            self.skipTest("python3-smbc is not installed")
        self.program("/usr/bin/python3", "-c", script)
        self.assertFalse(os.path.exists(self.path("renamed-smbc")))

    def test_twenty_clients_at_once(self):
        flotilla.random_file(self.local("shared-source"), 4 << 20)
        expected = flotilla.sha256(self.local("shared-source"))
        clients = [subprocess.Popen(
            ["smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-U", LOGIN, "-c",
             "mkdir c%d; cd c%d; put shared-source f; get f back-%d; rename f g; ls" % (n, n, n)],
            cwd=self.server.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for n in range(20)]
        for number, client in enumerate(clients):
            output = client.communicate(timeout=120)[0]
            self.assertEqual(client.returncode, 0, output)
            self.assertEqual(flotilla.sha256(self.path("c%d/g" % number)), expected)
            self.assertEqual(flotilla.sha256(self.local("back-%d" % number)), expected)

    def test_a_client_killed_in_the_middle_leaves_nothing_open(self):
        flotilla.random_file(self.local("long"), 256 << 20)
        client = subprocess.Popen(["smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-U", LOGIN, "-c",
                                   "put long cut-off"], cwd=self.server.dir, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        target = self.path("cut-off")
        self.assertTrue(within(30, lambda: os.path.exists(target) and os.path.getsize(target) > (1 << 20)))
        client.send_signal(signal.SIGKILL)
        client.wait()
        self.assertTrue(within(10, lambda: self.opens() == 0), "an open of the dead client is left")
        self.good("put %s cut-off; rm cut-off" % __file__)
        self.assertFalse(os.path.exists(target))

    def test_delete_on_close_is_done_when_the_client_dies(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
        holder = subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "import sys, time; sys.path.insert(0, %r); import smb2\n"
             "c = smb2.Client('127.0.0.1', %d)\n"
             "assert c.status_of_open('doomed') == 0\n"
             "s = c.open('doomed', access=smb2.READ | smb2.DELETE, options=0x1000)\n"
             "print('held', s[0], flush=True); time.sleep(60)" % (script, self.server.port)],
            stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(holder.stdout.readline(), "held 0\n")
            self.assertTrue(os.path.exists(self.path("doomed")))
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
        self.assertTrue(within(10, lambda: not os.path.exists(self.path("doomed"))))


if __name__ == "__main__":
    unittest.main(verbosity=2)
