#!/usr/bin/env python3
"""`flotilla config import` on smb.conf files as people have them (tests/import), beside Samba's own testparm: every parameter that
testparm prints is carried over or told of, each parameter that Samba knows has a class, and what is made loads."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402

FILES = os.path.join(flotilla.ROOT, "tests", "import")
ANEW = os.environ.get("FLOTILLA_WRITE_EXPECTED")  # writes what came as what is expected: read it


def imported(path):
    """(the new file, what was told of it line by line) without what depends on this machine."""
    got = subprocess.run([flotilla.BINARY, "config", "import", path], capture_output=True, text=True, check=True, timeout=60)
    told = [line.replace(FILES + "/", "") for line in got.stderr.splitlines() if "the domain's SID cannot be read" not in line]
    toml = re.sub(r'^domain_sid = .*\n', "", got.stdout, flags=re.M)  # of the Samba that this machine has, or not
    return toml, told[:-1]


def key_of(text):
    return re.sub(r"\s", "", text).lower()


class Import(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="flotilla-import-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def confs(self):
        names = sorted(name for name in os.listdir(FILES) if name.endswith(".conf"))
        self.assertGreaterEqual(len(names), 10)
        return names

    def check(self, toml):
        """`flotilla config check`, with directories that are there."""
        path = os.path.join(self.dir, "flotilla.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub(r'^path = .*$', 'path = "%s"' % self.dir, toml, flags=re.M))
        got = subprocess.run([flotilla.BINARY, "config", "check", path], capture_output=True, text=True, check=False)
        return got.returncode, got.stdout + got.stderr

    def test_what_comes_of_each_file(self):
        for name in self.confs():
            with self.subTest(name):
                toml, told = imported(os.path.join(FILES, name))
                toml = re.sub(r'^name = "%s"\n' % re.escape(os.uname().nodename.split(".")[0].upper()[:15]), 'name = "THIS-HOST"\n', toml, flags=re.M)
                text = toml + "".join("# %s\n" % line for line in told)
                path = os.path.join(FILES, name.replace(".conf", ".expected"))
                if ANEW:
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                with open(path, encoding="utf-8") as f:
                    self.assertEqual(text, f.read())
                status, said = self.check(toml)
                if "[[share]]" in toml:
                    self.assertEqual(status, 0, said)
                else:
                    self.assertIn("nothing to serve", said)

    @unittest.skipUnless(shutil.which("testparm"), "no testparm")
    def test_nothing_that_testparm_prints_is_lost_untold(self):
        """Samba's own reading of the file gives the same configuration; only unknown parameters, which it leaves out, differ."""
        for name in self.confs():
            with self.subTest(name):
                got = subprocess.run(["testparm", "-s", os.path.join(FILES, name)], capture_output=True, text=True, check=False, cwd=FILES)
                path = os.path.join(self.dir, name)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(got.stdout)
                _, told = imported(path)
                self.assertEqual([line for line in told if line.endswith(": unknown")], [])
                status, said = self.check(imported(path)[0])
                self.assertTrue(status == 0 or "nothing to serve" in said, said)

    @unittest.skipUnless(shutil.which("testparm"), "no testparm")
    def test_every_parameter_of_samba_has_a_class(self):
        all_of_them = subprocess.run(["testparm", "-sv", "--show-all-parameters"], capture_output=True, text=True, check=True).stdout
        keys, section = {"[local]": [], "[global]": []}, None
        for line in all_of_them.splitlines():
            if line.startswith("["):
                section = line
            elif section in keys and "=" in line:
                keys[section].append(line.partition("=")[0])
        self.assertGreater(len(keys["[global]"]), 300)
        path = os.path.join(self.dir, "all.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[global]\n" + "".join("%s = a value\n" % key for key in keys["[global]"] if key_of(key) != "include") + "[share]\npath = /x\n" +
                    "".join("%s = a value\n" % key for key in keys["[local]"] if key_of(key) not in ("path", "directory", "copy", "include")))
        _, told = imported(path)
        self.assertEqual([line for line in told if line.endswith(": unknown") or line.endswith("is a setting of [global]")], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
