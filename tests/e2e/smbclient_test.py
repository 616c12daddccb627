#!/usr/bin/env python3
"""smbclient against one node: what a person does with a share, and what must be refused."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402

SIZE = int(os.environ.get("FLOTILLA_E2E_BYTES", 64 << 20))


class SmbClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server()
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def good(self, commands, **more):
        status, output = self.server.smbclient(commands, **more)
        self.assertEqual(status, 0, output)
        return output

    def refused(self, commands, expected, **more):
        status, output = self.server.smbclient(commands, **more)
        self.assertIn(expected, output)
        return status

    def text(self, path):
        with open(path, encoding="ascii") as f:
            return f.read()

    def path(self, name):
        return os.path.join(self.server.share, name)

    def test_put_and_get_keep_every_byte(self):
        source = os.path.join(self.server.dir, "source")
        flotilla.random_file(source, SIZE)
        for protocol in ("SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"):
            with self.subTest(protocol=protocol):
                options = ["-m", protocol, "--option=client min protocol=SMB2_02"]
                self.good("put source big; get big back", options=options)
                self.assertEqual(flotilla.sha256(source), flotilla.sha256(self.path("big")))
                self.assertEqual(flotilla.sha256(source), flotilla.sha256(os.path.join(self.server.dir, "back")))

    def test_listing_shows_shares_with_comments(self):
        got = subprocess.run(["smbclient", "-L", "127.0.0.1", "-p", str(self.server.port), "-U",
                              "tester%Secret123"], capture_output=True, text=True, timeout=60, check=False)
        self.assertRegex(got.stdout, r"data\s+Disk\s+the test share")
        self.assertRegex(got.stdout, r"IPC\$\s+IPC")

    def test_directories_mget_rename_deltree(self):
        os.makedirs(self.path("tree/deep/er"))
        for name in ("one.txt", "two.txt", "three.dat", "deep/four.txt", "deep/er/five.txt"):
            with open(self.path("tree/" + name), "w", encoding="ascii") as f:
                f.write(name * 1000)
        target = os.path.join(self.server.dir, "mget")
        os.makedirs(target)
        self.good("cd tree; prompt off; mget *.txt", cwd=target)
        self.assertEqual(sorted(os.listdir(target)), ["one.txt", "two.txt"])
        self.good("cd tree; prompt off; recurse on; mget *", cwd=target)
        self.assertEqual(flotilla.sha256(self.path("tree/deep/er/five.txt")),
                         flotilla.sha256(os.path.join(target, "deep/er/five.txt")))
        self.good("rename tree\\one.txt tree\\uno.txt; rename tree\\deep tree\\Tief")
        self.assertTrue(os.path.exists(self.path("tree/uno.txt")))
        self.assertTrue(os.path.exists(self.path("tree/Tief/er/five.txt")))
        self.good("deltree tree")
        self.assertFalse(os.path.exists(self.path("tree")))

    def test_names_are_found_without_case_and_kept(self):
        self.good("mkdir MixedCase; put %s mixedcase\\NaMe" % __file__)
        self.assertEqual(os.listdir(self.path("MixedCase")), ["NaMe"])
        output = self.good("ls MIXEDCASE\\name")
        self.assertIn("NaMe", output)
        self.refused("mkdir mixedCASE", "NT_STATUS_OBJECT_NAME_COLLISION")
        self.good("rename MixedCase mixedcase")
        self.assertIn("mixedcase", os.listdir(self.server.share))

    def test_names_of_all_languages(self):
        name = "Grüße-文件-😀.txt"
        self.good('put %s "%s"' % (__file__, name))
        self.assertTrue(os.path.exists(self.path(name)))
        self.assertIn(name, self.good("ls"))

    def test_a_large_directory_lists_whole(self):
        os.mkdir(self.path("many"))
        for number in range(5000):
            with open(self.path("many/file-%05d" % number), "w", encoding="ascii"):
                pass
        output = self.good("cd many; ls")
        self.assertEqual(len(re.findall(r"file-\d{5}", output)), 5000)

    def test_free_space_is_the_disks(self):
        output = self.good("du")
        self.assertRegex(output, r"\d+ blocks of size \d+\. \d+ blocks available")

    def test_wrong_password_and_unknown_user_are_refused_alike(self):
        self.refused("ls", "NT_STATUS_LOGON_FAILURE", password="wrong")
        self.refused("ls", "NT_STATUS_LOGON_FAILURE", user="nobody-here")
        self.refused("ls", "NT_STATUS_", user="", password="")

    def test_unknown_share(self):
        self.refused("ls", "NT_STATUS_BAD_NETWORK_NAME", share="nothing")

    def test_nothing_outside_the_share_is_reached(self):
        secret = os.path.join(self.server.dir, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write("outside")
        os.symlink(secret, self.path("absolute"))
        os.symlink("../secret", self.path("relative"))
        os.symlink("/", self.path("root"))
        for name in ("absolute", "relative", "root\\etc\\passwd", "..\\secret", "root\\..\\secret"):
            with self.subTest(name=name):
                stolen = os.path.join(self.server.dir, "stolen")
                status, output = self.server.smbclient('get "%s" stolen' % name)
                self.assertIn("NT_STATUS_", output)
                self.assertFalse(os.path.exists(stolen) and os.path.getsize(stolen))
        with open(self.path("plain"), "w", encoding="ascii") as f:
            f.write("inside")
        os.symlink("plain", self.path("inside"))
        self.good("get inside inside-copy")
        self.assertEqual(self.text(os.path.join(self.server.dir, "inside-copy")), "inside")

    def test_overwrite_truncates_and_append_grows(self):
        for text in ("a longer text\n", "short\n"):
            with open(os.path.join(self.server.dir, "text"), "w", encoding="ascii") as f:
                f.write(text)
            self.good("put text overwritten")
            self.assertEqual(self.text(self.path("overwritten")), text)

    def test_times_and_attributes(self):
        self.good('put %s stamped; utimes stamped 2020:01:02-03:04:05 -1 2021:02:03-04:05:06 -1; setmode stamped +rh'
                  % __file__)
        output = self.good("allinfo stamped")
        self.assertRegex(output, r"write_time:\s+Wed Feb  3 04:05:06 \w+ 2021|write_time:.*2021")
        self.assertRegex(output, r"attributes: \S*R\S*H|attributes: \S*RH")
        self.good("setmode stamped -rh; rm stamped")

    def test_the_kernel_style_client_of_impacket(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "impacket_check.py")
        got = subprocess.run(["/usr/bin/python3", script, "127.0.0.1", str(self.server.port)], capture_output=True, text=True,
                             timeout=120, check=False)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
