#!/usr/bin/env python3
"""Rights that one Unix user gives another by a security descriptor, through smbcacls and smbclient: they work with the
other's own kernel credentials, and what is changed on the machine counts. Administrators own and give away. Needs root."""
import os
import pwd
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402

OWNER, FRIEND, STRANGER = "games", "news", "mail"  # accounts of every Debian
ADDRESS = "127.0.80.%d" % (os.getpid() % 250 + 1)  # smbcacls knows no other port than 445


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Rights(unittest.TestCase):
    def setUp(self):
        self.server = flotilla.Server(extra=["--listen", ADDRESS + ":445"])
        os.chmod(self.server.dir, 0o755)
        os.chmod(self.server.share, 0o777)
        self.users = os.path.join(self.server.dir, "users")
        for user in (OWNER, FRIEND, STRANGER):
            self.flotilla("user", "add", user, "--password-file", "-", text=flotilla.PASSWORD + "\n")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        with open(os.path.join(self.server.dir, "note"), "w") as f:
            f.write("what the owner wrote")
        self.ok(OWNER, "put note")

    def flotilla(self, *words, text=None):
        subprocess.run([flotilla.BINARY, *words, "--users-file", self.users], input=text, text=True, check=True,
                       capture_output=True)

    def path(self, name):
        return os.path.join(self.server.share, name)

    def smbclient(self, user, commands):
        return flotilla.smbclient(ADDRESS, 445, commands, user=user, cwd=self.server.dir)

    def ok(self, user, commands):
        status, output = self.smbclient(user, commands)
        self.assertEqual(status, 0, output)
        self.assertNotIn("NT_STATUS", output)
        return output

    def refused(self, user, commands):
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.smbclient(user, commands)[1])

    def smbcacls(self, user, name, *options):
        return subprocess.run(["smbcacls", "//%s/data" % ADDRESS, name, "-U", "%s%%%s" % (user, flotilla.PASSWORD),
                               *options], capture_output=True, text=True, check=False, timeout=60)

    def changed(self, user, name, *options):
        got = self.smbcacls(user, name, *options)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        return got.stdout

    def test_who_is_given_a_right_can_use_it(self):
        self.refused(FRIEND, "put flotilla.toml note")
        self.changed(OWNER, "note", "--add", "ACL:%s:ALLOWED/0x0/FULL" % FRIEND)
        self.ok(FRIEND, "put flotilla.toml note; get note out")
        self.refused(STRANGER, "put flotilla.toml note")
        self.assertIn("%s:ALLOWED/0x0/FULL" % FRIEND, self.changed(OWNER, "note"))
        self.assertEqual(os.stat(self.path("note")).st_uid, pwd.getpwnam(OWNER).pw_uid)
        self.changed(OWNER, "note", "--delete", "ACL:%s:ALLOWED/0x0/FULL" % FRIEND)
        self.refused(FRIEND, "put flotilla.toml note")

    def test_everyone_loses_a_right_on_the_machine_too(self):
        os.chmod(self.path("note"), 0o644)
        self.changed(OWNER, "note", "--set", "ACL:%s:ALLOWED/0x0/FULL,ACL:%s:ALLOWED/0x0/READ" % (OWNER, FRIEND))
        self.ok(FRIEND, "get note out")
        self.refused(STRANGER, "get note out")
        as_stranger = subprocess.run(["setpriv", "--reuid", STRANGER, "--regid", STRANGER, "--clear-groups", "cat",
                                      self.path("note")], capture_output=True, check=False)
        self.assertNotEqual(as_stranger.returncode, 0)

    def test_a_directory_gives_its_rights_to_what_is_made_in_it(self):
        self.ok(OWNER, "mkdir box")
        self.changed(OWNER, "box", "--set", "ACL:%s:ALLOWED/OI|CI/FULL,ACL:%s:ALLOWED/OI|CI/CHANGE" % (OWNER, FRIEND))
        self.ok(OWNER, "cd box; put note")
        self.ok(FRIEND, "cd box; put flotilla.toml note; put note other; mkdir below")
        self.ok(OWNER, "cd box; put note other")
        self.refused(STRANGER, "cd box; ls")

    def test_a_changed_mode_counts_more_than_a_stored_descriptor(self):
        self.changed(OWNER, "note", "--add", "ACL:%s:ALLOWED/0x0/FULL" % FRIEND)
        subprocess.run(["setfacl", "-b", self.path("note")], check=True)
        os.chmod(self.path("note"), 0o600)
        self.refused(FRIEND, "get note out")
        self.assertNotIn(FRIEND, self.changed(OWNER, "note"))

    def test_an_acl_of_the_file_system_is_shown(self):
        subprocess.run(["setfacl", "-m", "u:%s:r" % FRIEND, self.path("note")], check=True)
        self.assertIn("%s:ALLOWED/0x0/R\n" % FRIEND, self.changed(OWNER, "note"))

    def test_only_administrators_give_files_away(self):
        self.changed(OWNER, "note", "--add", "ACL:%s:ALLOWED/0x0/FULL" % FRIEND)
        self.assertNotEqual(self.smbcacls(FRIEND, "note", "--chown", STRANGER).returncode, 0)
        self.assertEqual(os.stat(self.path("note")).st_uid, pwd.getpwnam(OWNER).pw_uid)
        self.flotilla("group", "add", "Administrators", "--member", FRIEND)
        self.changed(FRIEND, "note", "--chown", STRANGER)
        self.assertEqual(os.stat(self.path("note")).st_uid, pwd.getpwnam(STRANGER).pw_uid)
        self.assertIn("OWNER:FLOTILLA\\%s" % STRANGER, self.changed(FRIEND, "note"))

    def test_who_may_take_ownership_owns_the_file(self):
        self.changed(OWNER, "note", "--add", "ACL:%s:ALLOWED/0x0/FULL" % FRIEND)
        self.changed(FRIEND, "note", "--chown", FRIEND)
        self.assertEqual(os.stat(self.path("note")).st_uid, pwd.getpwnam(FRIEND).pw_uid)


if __name__ == "__main__":
    unittest.main(verbosity=2)
