#!/usr/bin/env python3
"""What a share's configuration promises, through smbclient, and `flotilla config import`. Runs as root: users act as
themselves."""
import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402

USER, OTHER = flotilla.USER, "tester2"
FORCED = "daemon"  # an account of every Debian: uid and gid 1


class Shares(unittest.TestCase):
    def serve(self, share, mode=0o777):
        server = flotilla.Server(share=share)
        os.chmod(server.share, mode)
        os.chmod(server.dir, 0o755)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def ok(self, server, commands, **how):
        status, output = server.smbclient(commands, **how)
        self.assertEqual(status, 0, output)
        return output

    def refused(self, server, commands, with_status="NT_STATUS_ACCESS_DENIED", **how):
        _, output = server.smbclient(commands, **how)
        self.assertIn(with_status, output)

    def test_valid_and_invalid_users(self):
        server = self.serve('valid_users = ["%s"]' % USER)
        self.ok(server, "ls")
        self.refused(server, "ls", user=OTHER)
        server = self.serve('invalid_users = ["%s"]' % USER)
        self.refused(server, "ls")
        self.ok(server, "ls", user=OTHER)

    def test_read_list_and_write_list(self):
        server = self.serve('read_list = ["%s"]' % OTHER)
        self.ok(server, "mkdir a")
        self.refused(server, "mkdir b", user=OTHER)
        self.ok(server, "ls a", user=OTHER)
        server = self.serve('read_only = true\nwrite_list = ["%s"]' % OTHER)
        self.refused(server, "mkdir a")
        self.ok(server, "mkdir b", user=OTHER)
        self.assertEqual(os.listdir(server.share), ["b"])

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_force_user_and_force_group(self):
        server = self.serve('force_user = "%s"' % FORCED)
        self.ok(server, "mkdir made; put flotilla.toml file")
        for name in ("made", "file"):
            got = os.stat(os.path.join(server.share, name))
            self.assertEqual((got.st_uid, got.st_gid), (pwd.getpwnam(FORCED).pw_uid, pwd.getpwnam(FORCED).pw_gid))
        closed = os.path.join(server.share, "roots")
        os.mkdir(closed, 0o700)
        self.refused(server, "ls roots/*")  # the forced user's rights, not the share owner's
        server = self.serve('force_group = "games"')
        self.ok(server, "put flotilla.toml file")
        self.assertEqual(os.stat(os.path.join(server.share, "file")).st_gid, grp.getgrnam("games").gr_gid)

    def test_masks_and_forced_modes(self):
        def modes(server):
            self.ok(server, "mkdir made; put flotilla.toml file")
            return [oct(stat.S_IMODE(os.stat(os.path.join(server.share, name)).st_mode)) for name in ("file", "made")]

        self.assertEqual(modes(self.serve("")), ["0o644", "0o755"])
        self.assertEqual(modes(self.serve('create_mask = "0600"\ndirectory_mask = "0700"')), ["0o600", "0o700"])
        self.assertEqual(modes(self.serve('create_mask = "0640"\nforce_create_mode = "0060"\n'
                                          'force_directory_mode = "2070"')), ["0o660", "0o2775"])

    def test_hidden_and_vetoed_files(self):
        server = self.serve('hide_files = ["*.ini"]\nveto_files = ["*.EXE", "secret"]')
        for name in ("desktop.ini", "plain", "virus.exe"):
            with open(os.path.join(server.share, name), "wb"):
                pass
        os.mkdir(os.path.join(server.share, "secret"))
        with open(os.path.join(server.share, "secret", "inside"), "wb"):
            pass
        listing = self.ok(server, "ls")
        self.assertRegex(listing, r"desktop\.ini\s+A?H")
        self.assertNotRegex(listing, r"plain\s+A?H")
        for hidden in ("virus.exe", "secret"):
            self.assertNotIn(hidden, listing)
        self.refused(server, "get virus.exe /dev/null", "NT_STATUS_OBJECT_NAME_NOT_FOUND")
        self.refused(server, "get secret/inside /dev/null", "NT_STATUS_OBJECT")
        self.refused(server, "put flotilla.toml new.exe")
        self.refused(server, "rename plain plain.exe")
        self.assertEqual(sorted(os.listdir(server.share)), ["desktop.ini", "plain", "secret", "virus.exe"])

    def test_homes_and_paths_with_variables(self):
        """Every user's directory under one name, and under his own; nobody's elsewhere."""
        place = tempfile.mkdtemp(prefix="flotilla-homes-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o755)
        for name in (USER, OTHER, "daemon", "team-" + USER):
            os.mkdir(os.path.join(place, name))
            os.chmod(os.path.join(place, name), 0o777)
        server = self.serve('[[share]]\nname = "homes"\nhomes = true\npath = "%s/%%S"\n'
                            '[[share]]\nname = "mine"\npath = "%s/team-%%U"\n' % (place, place))
        self.ok(server, "put flotilla.toml a", share=USER)
        self.ok(server, "put flotilla.toml b", share="homes")
        self.ok(server, "put flotilla.toml e", share="HOMES")
        self.ok(server, "put flotilla.toml c", share=OTHER, user=OTHER)
        self.ok(server, "put flotilla.toml d", share="mine")
        self.assertEqual([sorted(os.listdir(os.path.join(place, n))) for n in (USER, OTHER, "team-" + USER)],
                         [["a", "b", "e"], ["c"], ["d"]])
        self.refused(server, "ls", share="daemon")  # an account's, but another's
        self.refused(server, "ls", share=OTHER)
        self.refused(server, "ls", "NT_STATUS_BAD_NETWORK_NAME", share="nobody-of-that-name")
        self.refused(server, "ls", "NT_STATUS_BAD_NETWORK_NAME", share="mine", user=OTHER)  # has no directory
        for name in ("mine/" + USER, "..", "homes/" + USER):
            self.refused(server, "ls", "NT_STATUS_BAD_NETWORK_NAME", share=name, user=OTHER)
        listed = subprocess.run(["smbclient", "-L", "127.0.0.1", "-p", str(server.port), "-g", "-U",
                                 "%s%%%s" % (OTHER, flotilla.PASSWORD)], capture_output=True, text=True, timeout=60,
                                check=False).stdout
        self.assertIn("Disk|%s|Home of %s" % (OTHER, OTHER), listed)
        self.assertIn("Disk|mine|", listed)
        for hidden in ("Disk|%s|" % USER, "Disk|homes|"):
            self.assertNotIn(hidden, listed)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_a_home_is_where_the_machine_says(self):
        place = tempfile.mkdtemp(prefix="flotilla-homes-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o755)
        server = self.serve('[[share]]\nname = "Desk"\nhomes = true\n'
                            '[[share]]\nname = "mine"\npath = "%s/%%u"\nmake_directory = true\n' % place)
        subprocess.run([flotilla.BINARY, "user", "add", "games", "--users-file", os.path.join(server.dir, "users"),
                        "--password-file", "-"], input=flotilla.PASSWORD + "\n", text=True, check=True)
        home = pwd.getpwnam("games").pw_dir
        for share in ("games", "desk"):  # by his name, and by that of the pattern
            listing = self.ok(server, "ls", share=share, user="games")
            for name in os.listdir(home):
                self.assertIn(name, listing)
        self.ok(server, "mkdir inside", share="mine", user="games")
        made = os.stat(os.path.join(place, "games"))
        self.assertEqual((made.st_uid, stat.S_IMODE(made.st_mode)), (pwd.getpwnam("games").pw_uid, 0o700))
        self.refused(server, "ls", "NT_STATUS_BAD_NETWORK_NAME", share="desk")  # tester has no account, so no home

    def test_a_name_that_does_not_exist_is_told_at_the_start(self):
        for share in ('force_user = "nobody-of-that-name"', 'force_group = "nobody-of-that-name"'):
            server = flotilla.Server(share=share)
            with self.assertRaisesRegex(RuntimeError, "nobody-of-that-name"):
                server.__enter__()

    def test_config_import(self):
        with tempfile.TemporaryDirectory() as place:
            smb_conf, toml = os.path.join(place, "smb.conf"), os.path.join(place, "flotilla.toml")
            os.mkdir(os.path.join(place, "data"))
            with open(smb_conf, "w", encoding="ascii") as f:
                f.write("[global]\n workgroup = W\n hosts allow = 10.\n[homes]\n[data]\n path = %s/data\n"
                        " writable = yes\n veto files = /*.exe/\n" % place)
            command = [flotilla.BINARY, "config", "import", smb_conf, "--output", toml]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            self.assertIn("smb.conf:3: [global] hosts allow = 10.: ", done.stderr)
            self.assertIn("smb.conf:4: [homes] homes are their owners' alone", done.stderr)
            self.assertRegex(done.stderr, r"2 share\(s\), [23] line\(s\) to look at")  # one more without a Samba here
            checked = subprocess.run([flotilla.BINARY, "config", "check", toml], capture_output=True, text=True,
                                     check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            again = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(again.returncode, 1, "an existing file is not overwritten")


if __name__ == "__main__":
    unittest.main(verbosity=2)
