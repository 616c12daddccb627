#!/usr/bin/env python3
"""A tree of files moves from smbd to Flotilla and back: descriptors, attributes, streams and EAs stay what they were,
as smbcacls and smbclient show them on either side. Needs root and smbd."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import samba  # noqa: E402

USER = "games"  # a Unix account of every Debian
SAMBA_SHARE = """  vfs objects = acl_xattr streams_xattr
  store dos attributes = yes
  ea support = yes
  inherit acls = yes
  map archive = no
  create mask = 0644"""
ADDRESS = "127.0.79.%d" % (os.getpid() % 250 + 1)  # smbcacls knows no other port than 445
STRANGER = "S-1-5-21-11-22-33-1234"
EVERYONE = "S-1-1-0"
GROUP = "S-1-5-21-11-22-33-777"


class Side:
    """One server, as clients see it."""

    def __init__(self, address, where):
        self.address = address
        self.where = where

    def smbclient(self, commands, user=USER):
        output = self.tried(commands, user)
        if "NT_STATUS" in output:
            raise AssertionError("%s: %s" % (commands, output))
        return output

    def tried(self, commands, user):
        return flotilla.smbclient(self.address, 445, commands, user=user, cwd=self.where)[1]

    def smbcacls(self, name, *options):
        got = subprocess.run(["smbcacls", "//%s/data" % self.address, name, "-U",
                              "%s%%%s" % (USER, flotilla.PASSWORD), "--numeric", *options], capture_output=True, text=True,
                             check=False, timeout=60)
        if got.returncode != 0:
            raise AssertionError("smbcacls %s %s: %s" % (name, options, got.stdout + got.stderr))
        return got.stdout

    def facts(self, names):
        """What must be the same on both sides."""
        facts = {}
        for name in names:
            listing = self.smbclient('allinfo "%s"' % name)
            facts[name] = {
                "descriptor": self.smbcacls(name),
                "attributes": re.search(r"attributes: (.*)", listing).group(1),
                "created": re.search(r"create_time:\s*(.*)", listing).group(1),
                "streams": sorted(re.findall(r"stream: \[(.*)\], (\d+) bytes", listing)),
                "eas": sorted(self.smbclient('geteas "%s"' % name).splitlines()) if name == "file" else None}
        for stream in ("file:one", "file:two"):
            self.smbclient("get %s out" % stream)
            with open(os.path.join(self.where, "out"), "rb") as f:
                facts[stream] = f.read()
        return facts


@unittest.skipIf(samba.missing(), samba.missing())
class Move(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.server = flotilla.Server(extra=["--listen", ADDRESS + ":445"])
        os.chmod(self.server.dir, 0o755)
        os.chown(self.server.share, *self.ids())
        users = os.path.join(self.server.dir, "users")
        subprocess.run([flotilla.BINARY, "user", "add", USER, "--users-file", users, "--password-file", "-"],
                       input=flotilla.PASSWORD + "\n", text=True, check=True, capture_output=True)
        with open(os.path.join(self.server.dir, "small"), "wb") as f:
            f.write(b"contents of a stream")
        with open(os.path.join(self.server.dir, "longer"), "wb") as f:
            f.write(b"more than there was in it before")

        # A user is known by its SID in descriptors: it must be the same on both sides.
        self.sid = self.with_flotilla(lambda side: re.search(r"OWNER:(S-[-\d]+)", side.smbcacls("")).group(1))

    @staticmethod
    def ids():
        import pwd
        entry = pwd.getpwnam(USER)
        return entry.pw_uid, entry.pw_gid

    def with_samba(self, work):
        with samba.Smbd(self.server.share, USER, SAMBA_SHARE, sid=self.sid) as smbd:
            return work(Side(smbd.address, self.server.dir))

    def with_flotilla(self, work):
        self.server.__enter__()
        try:
            return work(Side(ADDRESS, self.server.dir))
        finally:
            self.server.process.terminate()
            self.assertEqual(self.server.process.wait(60), 0)

    def furnish(self, side):
        side.smbclient("put small file; put small file:one; put small file:two; mkdir dir; put small plain; "
                       "setmode file +h; setmode plain +r; setea file colour green")
        side.smbcacls("file", "-a", "ACL:%s:ALLOWED/0x0/READ" % STRANGER)
        side.smbcacls("file", "-a", "ACL:%s:DENIED/0x0/0x00000002" % GROUP)
        side.smbcacls("dir", "-a", "ACL:%s:ALLOWED/OI|CI/CHANGE" % STRANGER)
        side.smbcacls("dir", "-a", "ACL:%s:ALLOWED/OI|CI/FULL" % EVERYONE)
        side.smbclient("put small dir\\below; mkdir dir\\deep; put small dir\\deep\\bottom")
        return side.facts(self.NAMES)

    NAMES = ["file", "dir", "dir\\below", "dir\\deep", "dir\\deep\\bottom"]

    def change(self, side):
        """What the other server does to the tree; then what it shows."""
        side.smbcacls("file", "-D", "ACL:%s:DENIED/0x0/0x00000002" % GROUP)
        side.smbcacls("dir\\below", "-a", "ACL:%s:ALLOWED/0x0/FULL" % GROUP)
        side.smbclient("setmode dir\\below +s; put small dir\\later; mkdir dir\\deep\\after; "
                       "put longer dir\\below:three; setea file colour blue")
        return side.facts(self.NAMES + ["dir\\later", "dir\\deep\\after"])

    def test_from_samba_and_back(self):
        there = self.with_samba(self.furnish)
        self.assertIn(STRANGER, there["dir\\deep\\bottom"]["descriptor"], "it is inherited")
        here, changed = self.with_flotilla(lambda side: (side.facts(self.NAMES), self.change(side)))
        self.assertEqual(here, there)
        self.assertNotEqual(changed["file"], here["file"])
        self.assertIn(STRANGER, changed["dir\\deep\\after"]["descriptor"], "it is inherited here too")
        back = self.with_samba(lambda side: side.facts(list(n for n in changed if not n.startswith("file:"))))
        self.assertEqual(back, changed)

    def test_from_flotilla_and_back(self):
        here = self.with_flotilla(self.furnish)
        there, changed = self.with_samba(lambda side: (side.facts(self.NAMES), self.change(side)))
        self.assertEqual(there, here)
        back = self.with_flotilla(lambda side: side.facts(list(n for n in changed if not n.startswith("file:"))))
        self.assertEqual(back, changed)

    def tearDown(self):
        shutil.rmtree(self.server.dir, ignore_errors=True)


OTHER, THIRD, GROUP_OF_THIRD = "backup", "news", "news"  # more accounts of every Debian


@unittest.skipIf(samba.missing(), samba.missing())
class MoveWithImport(unittest.TestCase):
    """smbd chose its domain and its users' RIDs by itself; `flotilla config import` brings them here."""
    maxDiff = None

    def setUp(self):
        self.server = flotilla.Server()
        self.addCleanup(shutil.rmtree, self.server.dir, True)
        os.chmod(self.server.dir, 0o755)
        # The tree is root's, and anybody may write into it: ACLs alone say who may do what below.
        os.chmod(self.server.share, 0o777)
        with open(os.path.join(self.server.dir, "small"), "wb") as f:
            f.write(b"contents")
        self.smbd = samba.Smbd(self.server.share, USER, SAMBA_SHARE, name="OLDBOX", others=[OTHER, THIRD])
        self.addCleanup(self.smbd.__exit__)
        self.smbd.prepare()
        self.smbd.run("net", "-s", self.smbd.conf, "groupmap", "add", "ntgroup=team", "unixgroup=" + GROUP_OF_THIRD, "type=local")
        self.side = Side(self.smbd.address, self.server.dir)

    def import_it(self):
        """What an administrator does: import, look, serve."""
        users = os.path.join(self.server.dir, "users")
        toml = os.path.join(self.server.dir, "flotilla.toml")
        got = subprocess.run([flotilla.BINARY, "config", "import", self.smbd.conf, "--output", toml, "--users-file", users],
                             capture_output=True, text=True, check=True)
        self.assertIn("3 user(s), 1 group(s)", got.stderr)
        with open(toml, encoding="utf-8") as f:
            text = f.read()
        self.assertIn('name = "OLDBOX"\n', text)
        sid = re.search(r"S-1-5-21-[-\d]+", self.smbd.run("net", "-s", self.smbd.conf, "getlocalsid")).group(0)
        self.assertIn('domain_sid = "%s"\n' % sid, text)
        with open(toml, "w", encoding="utf-8") as f:
            f.write(text.replace("[server]\n", '[server]\nusers_file = "%s"\nruntime_dir = "%s"\n' % (users, self.server.dir)))
        subprocess.run([flotilla.BINARY, "config", "check", toml], check=True, capture_output=True)
        self.server.host, self.server.port = self.smbd.address, 445

    def names(self, name):
        """The ACL with names instead of SIDs; Samba and Windows disagree on "Creator Owner"'s capitals."""
        got = subprocess.run(["smbcacls", "//%s/data" % self.side.address, name, "-U", "%s%%%s" % (USER, flotilla.PASSWORD)],
                             capture_output=True, text=True, check=True, timeout=60)
        return got.stdout.replace("CREATOR OWNER", "Creator Owner").replace("CREATOR GROUP", "Creator Group")

    def rights(self):
        """Who may do what: the ACLs' meaning, not their text."""
        out = {}
        for name in ("mine", "others", "teams", "closed"):
            for user in (USER, OTHER, THIRD):
                out[name, user, "read"] = "NT_STATUS_ACCESS_DENIED" not in self.side.tried("get %s %s.got" % (name, name), user)
                out[name, user, "write"] = "NT_STATUS_ACCESS_DENIED" not in self.side.tried("put small %s" % name, user)
        return out

    def facts(self, names):
        return {name: (self.side.smbcacls(name), self.names(name)) for name in names}

    NAMES = ["mine", "others", "teams", "closed", "dir", "dir\\below"]

    def furnish(self):
        self.side.smbclient("put small mine; put small others; put small teams; put small closed; mkdir dir")
        # Nobody but those who are named: the ACL is written anew.
        for name, extra in (("mine", ""), ("others", ",ACL:%s:ALLOWED/0x0/CHANGE" % OTHER),
                            ("teams", ",ACL:team:ALLOWED/0x0/READ"), ("closed", ",ACL:%s:DENIED/0x0/FULL,ACL:Everyone:ALLOWED/0x0/READ" % OTHER)):
            self.side.smbcacls(name, "-S", "REVISION:1,OWNER:%s,GROUP:None,ACL:%s:ALLOWED/0x0/FULL%s" % (USER, USER, extra))
        self.side.smbcacls("dir", "-a", "ACL:%s:ALLOWED/OI|CI/FULL" % OTHER)
        self.side.smbclient("put small dir\\below", OTHER)

    def test_there_and_back_with_the_sids_that_samba_chose(self):
        self.smbd.start()
        self.furnish()
        there, allowed = self.facts(self.NAMES), self.rights()
        self.assertEqual((allowed["others", OTHER, "write"], allowed["others", THIRD, "read"]), (True, False))
        self.assertEqual((allowed["teams", THIRD, "read"], allowed["teams", OTHER, "read"]), (True, False))
        self.assertEqual((allowed["closed", OTHER, "read"], allowed["closed", THIRD, "read"]), (False, True))
        self.assertIn("OLDBOX\\" + OTHER, there["others"][1])
        self.smbd.stop()

        self.import_it()
        self.server.spawn()
        here = self.facts(self.NAMES)
        self.assertEqual(here, there)
        self.assertEqual(self.rights(), allowed)
        # New files of others, and ACLs by names: what they become must mean the same there.
        self.side.smbclient("mkdir new; put small new\\made", OTHER)
        self.side.smbcacls("dir", "-a", "ACL:%s:ALLOWED/OI|CI/READ" % THIRD)
        self.side.smbclient("put small dir\\later", USER)
        names = self.NAMES + ["new", "new\\made", "dir\\later"]
        changed = self.facts(names)
        self.assertIn("OWNER:OLDBOX\\" + OTHER, changed["new\\made"][1])
        self.assertNotEqual(changed["dir"], here["dir"])
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(60), 0)

        self.smbd.start()
        back = self.facts(names)
        for name in set(names) - {"new", "new\\made"}:
            self.assertEqual(back[name], changed[name], name)
        # Without a stored descriptor each server makes one of the mode; the owner is the same.
        self.assertIn("OWNER:OLDBOX\\" + OTHER, back["new\\made"][1])
        self.assertEqual(self.rights(), allowed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
