#!/usr/bin/env python3
"""Rights that one Unix user gives another by a security descriptor, through smbcacls and smbclient: they work with the
other's own kernel credentials, and what is changed on the machine counts. Administrators own and give away. Needs root."""
import json
import os
import pwd
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402

OWNER, FRIEND, STRANGER = "games", "news", "mail"  # accounts of every Debian
ADDRESS = "127.0.80.%d" % (os.getpid() % 250 + 1)  # smbcacls knows no other port than 445


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Rights(unittest.TestCase):
    def setUp(self):
        self.server = flotilla.Server(extra=["--listen", ADDRESS + ":445"])
        self.audit = os.path.join(self.server.dir, "audit.json")
        self.server.share_config = '[audit]\nfile = "%s"\n' % self.audit
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

    def test_what_is_made_on_the_machine_inherits_too(self):
        self.ok(OWNER, "mkdir box")
        self.changed(OWNER, "box", "--set", "ACL:%s:ALLOWED/OI|CI/FULL,ACL:%s:ALLOWED/OI|CI/CHANGE" % (OWNER, FRIEND))
        subprocess.run(["sh", "-c", "umask 077; echo local > box/local; mkdir box/below; echo two > box/below/two"],
                       cwd=self.server.share, check=True)
        self.ok(FRIEND, "cd box; get local out; put note local; put note below/two")
        self.refused(STRANGER, "cd box; get local out")
        self.changed(OWNER, "box", "--set", "ACL:%s:ALLOWED/OI|CI/FULL" % OWNER)
        subprocess.run(["sh", "-c", "umask 022; echo local > box/later"], cwd=self.server.share, check=True)
        acl = subprocess.run(["getfacl", "-cEp", self.path("box/later")], capture_output=True, text=True, check=True)
        self.assertNotIn(FRIEND, acl.stdout)

    def test_backup_operators_open_what_they_may_not(self):
        os.mkdir(self.path("vault"), 0o700)
        with open(self.path("vault/secret"), "w") as f:
            f.write("the secret")
        os.chmod(self.path("vault/secret"), 0o600)
        self.flotilla("group", "add", "Backup Operators", "--member", FRIEND)
        backup, directory, create = 0x4000, 1, 2
        stranger, friend = [smb.client(self.server.port, user=user) for user in (STRANGER, FRIEND)]
        self.addCleanup(stranger.close)
        self.addCleanup(friend.close)
        self.assertEqual(stranger.open("vault\\secret", access=0x00120089, options=backup)[0], smb.ACCESS_DENIED)
        self.assertEqual(friend.open("vault\\secret", access=0x00120089)[0], smb.ACCESS_DENIED)
        status, handle = friend.open("vault\\secret", access=0x01120089, options=backup)
        self.assertEqual(status, smb.SUCCESS)
        self.assertIn(b"the secret", friend.request(smb.READ, smb.read_body(handle, 0, 100)).raw)
        self.assertEqual(friend.status(smb.WRITE, smb.write_body(handle, 0, b"x")), smb.ACCESS_DENIED)
        friend.status(smb.CLOSE, smb.close_body(handle))
        status, handle = friend.open("vault", access=0x00100081, options=backup | directory)
        self.assertEqual(status, smb.SUCCESS)
        self.assertIn("secret".encode("utf-16le"),
                      friend.request(smb.QUERY_DIRECTORY, smb.query_directory_body(handle)).raw)
        # Restored: by whom, with which times, and gone again.
        status, handle = friend.open("vault\\restored", access=0x000D0116, options=backup, disposition=create)
        self.assertEqual(status, smb.SUCCESS)
        self.assertEqual(friend.status(smb.WRITE, smb.write_body(handle, 0, b"restored")), smb.SUCCESS)
        written = 132223104000000000  # 2020-01-01
        basic = struct.pack("<QQQQII", 0, 0, written, 0, 0, 0)
        self.assertEqual(friend.status(smb.SET_INFO, smb.set_info_body(handle, 1, 4, basic)), smb.SUCCESS)
        friend.status(smb.CLOSE, smb.close_body(handle))
        made = os.stat(self.path("vault/restored"))
        self.assertEqual((made.st_uid, made.st_mtime), (pwd.getpwnam(FRIEND).pw_uid, 1577836800))
        status, handle = friend.open("vault\\secret", access=0x00010000, options=backup | 0x1000)
        self.assertEqual(status, smb.SUCCESS)
        self.assertEqual(friend.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
        self.assertFalse(os.path.exists(self.path("vault/secret")))
        with open(self.audit, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        used = [(line["reason"], line["path"]) for line in lines if line.get("reason", "").startswith("Se")]
        self.assertEqual(used, [("SeBackupPrivilege", "vault\\secret"), ("SeBackupPrivilege", "vault"),
                                ("SeRestorePrivilege", "vault\\restored"), ("SeRestorePrivilege", "vault\\secret")])

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
