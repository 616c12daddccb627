#!/usr/bin/env python3
"""Quotas of a real file system: flotilla on an ext4 with user and project quotas in a virtual machine, asked by Samba's
smbcquotas and smbclient there. tests/kernel/quota.sh says what is asked."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import flotilla  # noqa: E402
from guest import Guest  # noqa: E402

SECONDS = int(os.environ.get("FLOTILLA_VM_SECONDS", 300))
USERS = {"root": 0, "alice": 1001, "bob": 1002}


def libraries_of(binary):
    text = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


class Quota(unittest.TestCase):
    def put(self, source, target):
        place = os.path.join(self.tree, target.lstrip("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(source, place)

    def write(self, target, text):
        place = os.path.join(self.tree, target.lstrip("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as f:
            f.write(text)

    def disk(self, name, *options):
        image = os.path.join(self.place, name)
        with open(image, "wb") as f:
            f.truncate(400 << 20 if name == "tools" else 100 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", *options, image], check=True)
        return image

    @unittest.skipUnless(shutil.which("smbcquotas") and shutil.which("cc"), "no Samba clients or C compiler")
    def test_quotas_of_an_ext4(self):
        self.place = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.place)
        self.tree = os.path.join(self.place, "tree")
        for each in ("share", "tmp", "proc", "sys", "dev", "run"):
            os.makedirs(os.path.join(self.tree, each))
        self.put(flotilla.BINARY, "/bin/flotilla")
        for tool in ("smbcquotas", "smbclient"):
            self.put(shutil.which(tool), "/usr/bin/" + tool)
        for binary in (flotilla.BINARY, shutil.which("smbcquotas"), shutil.which("smbclient")):
            for library in libraries_of(binary):
                self.put(library, library)
        subprocess.run(["cc", "-static", "-O1", "-Wall", "-o", os.path.join(self.tree, "bin/project"),
                        os.path.join(HERE, "project.c")], check=True)
        self.write("/etc/passwd", "".join("%s:x:%d:%d::/:/bin/false\n" % (n, i, i) for n, i in USERS.items()))
        self.write("/etc/group", "".join("%s:x:%d:\n" % (n, i) for n, i in USERS.items()))
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")
        self.write("/etc/samba/smb.conf", "[global]\ndos charset = ASCII\n")
        users = os.path.join(self.tree, "etc/users")
        for name in USERS:
            subprocess.run([flotilla.BINARY, "user", "add", name, "--users-file", users, "--password-file", "-"],
                           input="Secret123\n", text=True, check=True, capture_output=True)
        self.write("/etc/flotilla.toml", '[server]\nusers_file = "/etc/users"\nruntime_dir = "/tmp"\n'
                   '[[share]]\nname = "data"\npath = "/share"\n')
        disks = [self.disk("tools", "-d", self.tree), self.disk("share", "-O", "quota,project")]
        guest = Guest(SECONDS, 1, os.path.join(HERE, "quota.sh"), FLOTILLA_VM_DISKS=" ".join(disks))
        guest.check(self, "ok quota: all are listed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
