#!/usr/bin/env python3
"""What a disk does to a share: full, read-only, with quotas; and names, EAs and descriptors that no file can have.
/usr/bin/python3 (impacket's NTLM). Mounts need root."""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402
import samba  # noqa: E402

USER = flotilla.USER
ADDRESS_445 = "127.0.79.%d" % (os.getpid() % 250 + 1)
TOO_MANY_OPENED_FILES = 0xC000011F
EA_TOO_LARGE, INVALID_SECURITY_DESCR, MEDIA_WRITE_PROTECTED = 0xC0000050, 0xC0000079, 0xC00000A2
FULL_EA_INFORMATION, SECURITY = 15, 3
INDEX = "$Extend\\$Quota:$Q:$INDEX_ALLOCATION"


def quota(used, soft, hard):
    """What smbcquotas -v prints of a record, as a pattern."""
    return r"Used Space:\s*%s\s+Soft Limit:\s*%s\s+Hard Limit:\s*%s\b" % (used, soft, hard)


def run(*command, **how):
    return subprocess.run(list(command), check=True, capture_output=True, text=True, **how).stdout


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Disks(unittest.TestCase):
    def serve(self, *mounts):
        """A server on a share on which `mounts` were done: mount's arguments, but for the place."""
        server = flotilla.Server()
        os.chmod(server.share, 0o777)
        with open(os.path.join(server.share, "old"), "wb") as f:
            f.write(b"old" * 1000)
        for mount in mounts:
            try:
                run("mount", *mount, server.share)
            except subprocess.CalledProcessError as error:
                self.skipTest("no mounts here: " + error.stderr.strip())
            self.addCleanup(subprocess.run, ["umount", "-l", server.share], check=False)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def test_a_full_disk_is_told_and_loses_nothing(self):
        server = self.serve(("-t", "tmpfs", "-o", "size=2m,mode=777", "none"))
        small, large = os.path.join(server.dir, "small"), os.path.join(server.dir, "large")
        flotilla.random_file(small, 1 << 20)
        flotilla.random_file(large, 3 << 20)
        self.assertEqual(server.smbclient("put small")[0], 0)
        self.assertIn("NT_STATUS_DISK_FULL", server.smbclient("put large")[1])
        raw = smb.client(server.port)
        self.addCleanup(raw.close)
        # All that is left goes; then everything that takes room is refused, one way or another.
        status, handle = raw.open("filler", disposition=3)
        self.assertEqual(status, smb.SUCCESS)
        statuses = [raw.status(smb.WRITE, smb.write_body(handle, at << 16, b"x" * 65536)) for at in range(48)]
        self.assertEqual(statuses[-1], smb.DISK_FULL)
        self.assertEqual(raw.status(smb.SET_INFO, smb.set_info_body(handle, 1, 19, struct.pack("<Q", 1 << 30))),
                         smb.DISK_FULL)
        self.assertEqual(flotilla.sha256(os.path.join(server.share, "small")), flotilla.sha256(small))
        log = server.text_of_log()
        self.assertRegex(log, r'share data: Write of "large" for .*%s: DiskFull; the client was told' % USER)
        self.assertLess(len(re.findall("DiskFull", log)), 4, "a full disk does not fill the log")
        raw.status(smb.CLOSE, smb.close_body(handle))
        self.assertEqual(server.smbclient("del filler; del large; put small again")[0], 0)
        self.assertEqual(flotilla.sha256(os.path.join(server.share, "again")), flotilla.sha256(small))

    def test_a_read_only_disk_is_told_and_read(self):
        place = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o777)
        with open(os.path.join(place, "old"), "wb") as f:
            f.write(b"old" * 1000)
        server = self.serve(("--bind", place), ("-o", "remount,bind,ro"))
        for commands in ("put flotilla.toml old", "put flotilla.toml new", "mkdir d", "rename old other"):
            self.assertRegex(server.smbclient(commands)[1], "NT_STATUS_MEDIA_WRITE_PROTECTED", commands)
        raw = smb.client(server.port)
        self.addCleanup(raw.close)
        self.assertEqual(raw.open("old", access=0x00010000, options=0x1000)[0], MEDIA_WRITE_PROTECTED)
        status, handle = raw.open("old", access=0x00010000)
        self.assertEqual(status, smb.SUCCESS)
        self.assertEqual(raw.status(smb.SET_INFO, smb.set_info_body(handle, 1, 13, b"\1")), MEDIA_WRITE_PROTECTED)
        self.assertEqual(raw.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
        self.assertEqual(server.smbclient("get old copy")[0], 0)
        with open(os.path.join(server.dir, "copy"), "rb") as f:
            self.assertEqual(f.read(), b"old" * 1000)
        self.assertRegex(server.text_of_log(), r"share data: \w+ of .*: MediaWriteProtected")

    def test_a_deletion_that_fails_after_all_is_told_with_the_close(self):
        place = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o777)
        server = self.serve(("--bind", place))
        with open(os.path.join(place, "old"), "wb"):
            pass
        raw = smb.client(server.port)
        self.addCleanup(raw.close)
        status, handle = raw.open("old", access=0x00010000)
        self.assertEqual(status, smb.SUCCESS)
        self.assertEqual(raw.status(smb.SET_INFO, smb.set_info_body(handle, 1, 13, b"\1")), smb.SUCCESS)
        run("mount", "-o", "remount,bind,ro", server.share)
        self.assertEqual(raw.status(smb.CLOSE, smb.close_body(handle)), MEDIA_WRITE_PROTECTED)
        self.assertEqual(raw.open("old", access=0x00120089)[0], smb.SUCCESS)

    def test_what_is_immutable_is_not_deleted(self):
        server = self.serve()
        old = os.path.join(server.share, "old")
        if subprocess.run(["chattr", "+i", old], check=False, capture_output=True).returncode != 0:
            self.skipTest("no immutable files here")
        self.addCleanup(subprocess.run, ["chattr", "-i", old], check=False, capture_output=True)
        self.assertIn("NT_STATUS_CANNOT_DELETE", server.smbclient("del old")[1])
        subprocess.run(["chattr", "-i", old], check=True)
        self.assertEqual(server.smbclient("del old")[0], 0)
        self.assertFalse(os.path.exists(old))


class Descriptors(unittest.TestCase):
    """An open takes a descriptor: where they end, CREATE says so, and nothing else suffers."""
    LIMIT = 400

    def setUp(self):
        wrapper = tempfile.NamedTemporaryFile("w", suffix=".sh", dir="/var/tmp", delete=False)
        with wrapper as f:
            f.write('#!/bin/sh\nulimit -n %d && exec "%s" "$@"\n' % (self.LIMIT, flotilla.BINARY))
        os.chmod(wrapper.name, 0o755)
        self.addCleanup(os.unlink, wrapper.name)
        binary, flotilla.BINARY = flotilla.BINARY, wrapper.name
        try:
            self.server = flotilla.Server()
            os.chmod(self.server.share, 0o777)
            self.server.__enter__()
        finally:
            flotilla.BINARY = binary
        self.addCleanup(self.server.__exit__)

    def test_opens_end_before_descriptors_do(self):
        raw = smb.client(self.server.port)
        self.addCleanup(raw.close)
        handles = []
        while len(handles) <= self.LIMIT:
            status, handle = raw.open("file%d" % (len(handles) % 7), disposition=3)
            if status != smb.SUCCESS:
                break
            handles.append(handle)
        self.assertEqual(status, TOO_MANY_OPENED_FILES)
        self.assertEqual(len(handles), self.LIMIT - 128 - self.LIMIT // 8)
        # New clients still get in, and are told the same.
        with smb.client(self.server.port) as other:
            self.assertEqual(other.open("file0")[0], TOO_MANY_OPENED_FILES)
            raw.status(smb.CLOSE, smb.close_body(handles.pop()))
            self.assertEqual(other.open("file0")[0], smb.SUCCESS)
        self.assertEqual(self.server.smbclient("ls")[0], 0)
        self.assertRegex(self.server.text_of_log(), r"opens_max = \d+ cannot be reached: .* may have 400;")

    def test_connections_without_descriptors_are_refused_and_those_that_are_stay(self):
        raw = smb.client(self.server.port)
        self.addCleanup(raw.close)
        status, handle = raw.open("file", disposition=3)
        self.assertEqual(status, smb.SUCCESS)
        crowd = []
        self.addCleanup(lambda: [it.close() for it in crowd])
        refused = False
        while len(crowd) < self.LIMIT + 20 and not refused:
            try:
                crowd.append(socket.create_connection((self.server.host, self.server.port), 20))
                if len(crowd) > self.LIMIT - 128:
                    crowd[-1].settimeout(0.05)
                    refused = crowd[-1].recv(1) == b""
            except ConnectionResetError:
                refused = True
            except TimeoutError:
                pass
        self.assertTrue(refused, "nobody was refused by a server with %d descriptors" % self.LIMIT)
        self.assertEqual(raw.status(smb.WRITE, smb.write_body(handle, 0, b"goes on")), smb.SUCCESS)
        self.assertEqual(raw.open("other", disposition=3)[0], TOO_MANY_OPENED_FILES)
        for it in crowd:
            it.close()
        crowd.clear()
        end = time.monotonic() + 20
        while raw.open("other", disposition=3)[0] != smb.SUCCESS and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.server.smbclient("put flotilla.toml again")[0], 0)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server()
        os.chmod(cls.server.share, 0o777)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.raw = smb.client(self.server.port)
        self.addCleanup(self.raw.close)

    def make(self, name):
        status, handle = self.raw.open(name, access=0x001F01FF & ~0x01000000, disposition=3)
        self.assertEqual(status, smb.SUCCESS)
        return handle

    def test_stream_names_with_slashes_and_other_types(self):
        self.raw.status(smb.CLOSE, smb.close_body(self.make("file")))
        for name in ("file:a/b", "file:a\\b", "file:a\0b", "file:../../etc/passwd", "file:a:$BOGUS", "file:a:b:$DATA",
                     "file:", "file:" + "n" * 256, "\\..\\..\\x:y", "file:a/../b:$DATA"):
            status, _ = self.raw.open(name, disposition=3)
            self.assertIn(status, {smb.OBJECT_NAME_INVALID, smb.INVALID_PARAMETER, smb.OBJECT_PATH_SYNTAX_BAD,
                                   smb.OBJECT_PATH_NOT_FOUND}, name)
        self.assertEqual(sorted(n for n in os.listdir(self.server.share) if n.startswith("file")), ["file"])
        self.assertEqual([x for x in os.listxattr(os.path.join(self.server.share, "file")) if "DosStream" in x], [])

    def test_eas_past_the_limit(self):
        handle = self.make("eas")

        def set_ea(name, value):
            data = struct.pack("<IBBH", 0, 0, len(name), len(value)) + name + b"\0" + value
            return self.raw.status(smb.SET_INFO, smb.set_info_body(handle, 1, FULL_EA_INFORMATION, data), charge=2)

        self.raw.request(smb.ECHO, struct.pack("<HH", 4, 0))
        self.assertEqual(set_ea(b"KEPT", b"value"), smb.SUCCESS)
        # ext4 keeps 4 KiB in all, others 64 KiB each.
        self.assertIn(set_ea(b"LARGE", b"x" * 65535), {EA_TOO_LARGE, smb.DISK_FULL})
        for name in (b"", b"n" * 255, b"with/slash\n"):
            self.assertNotEqual(set_ea(name, b"v" * 10), smb.TIMEOUT, name)
        for data in (b"\0" * 7, struct.pack("<IBBH", 0, 0, 200, 10) + b"A\0",
                     struct.pack("<IBBH", 4, 0, 1, 1) + b"A\0v\0", struct.pack("<IBBH", 0xFFFFFFF0, 0, 1, 1) + b"A\0v\0"):
            got = self.raw.status(smb.SET_INFO, smb.set_info_body(handle, 1, FULL_EA_INFORMATION, data))
            self.assertIn(got, {smb.INVALID_PARAMETER, smb.INFO_LENGTH_MISMATCH, 0x80000014}, data)
        self.assertEqual(os.getxattr(os.path.join(self.server.share, "eas"), "user.KEPT").rstrip(b"\0"), b"value")

    def test_descriptors_of_wild_lengths(self):
        handle = self.make("acl")

        def descriptor():
            answer = self.raw.request(smb.QUERY_INFO, smb.query_info_body(handle, SECURITY, 0, additional=7))
            self.assertEqual(answer.status, smb.SUCCESS)
            return answer.body[8:]

        before = descriptor()
        sid = bytes([1, 1, 0, 0, 0, 0, 0, 1]) + b"\0" * 4
        ace = struct.pack("<BBHI", 0, 0, 8 + len(sid), 0x1F01FF) + sid

        def with_dacl(acl_size, count, aces, dacl_at=20):
            return struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, dacl_at) + struct.pack(
                "<BBHHH", 2, 0, acl_size, count, 0) + aces

        many = bytes([1, 255, 0, 0, 0, 0, 0, 5]) + b"\1\0\0\0" * 20
        for data in (b"", b"\1\0\4\x80", with_dacl(0xFFFF, 1, ace), with_dacl(8 + len(ace), 0xFFFF, ace),
                     with_dacl(4, 1, ace), with_dacl(8 + len(ace), 1, ace, 0xFFFFFFF0),
                     with_dacl(8 + len(ace), 1, ace, 21), with_dacl(16, 1, struct.pack("<BBHI", 0, 0, 0, 1)),
                     with_dacl(16, 1, struct.pack("<BBHI", 0, 0, 0xFFFF, 1)),
                     with_dacl(8 + 8 + len(many), 1, struct.pack("<BBHI", 0, 0, 8 + len(many), 1) + many),
                     struct.pack("<BBHIIII", 1, 0, 0x8000, 0x7FFFFFFF, 0xFFFFFFFF, 0, 0)):
            got = self.raw.status(smb.SET_INFO, smb.set_info_body(handle, SECURITY, 0, data, additional=5))
            self.assertIn(got, {INVALID_SECURITY_DESCR, smb.INVALID_PARAMETER, 0xC0000077, 0xC0000078}, data)
        self.assertEqual(descriptor(), before)

    def test_an_unknown_group_that_is_to_be_kept_out_keeps_all_out(self):
        with flotilla.Server(share='invalid_users = ["@no-such-group"]') as server:
            self.assertIn("NT_STATUS_ACCESS_DENIED", server.smbclient("ls")[1])
            self.assertRegex(server.text_of_log(), r'share data: invalid_users names the group "no-such-group"')


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Quotas(unittest.TestCase):
    """With tests/lib/quota_shim.c in place of the kernel's quotas: smbcquotas against Flotilla, and against smbd."""
    @classmethod
    def setUpClass(cls):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not shutil.which("smbcquotas") or not compiler:
            raise unittest.SkipTest("no smbcquotas or no C compiler")
        cls.place = tempfile.mkdtemp(dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.shim, cls.table = os.path.join(cls.place, "shim.so"), os.path.join(cls.place, "table")
        run(compiler, "-shared", "-fPIC", "-O1", "-o", cls.shim, os.path.join(flotilla.ROOT, "tests/lib/quota_shim.c"))

    def setUp(self):
        with open(self.table, "wb") as f:
            f.write(struct.pack("<QQQQ", 1, 4096, 0, 0))  # uid 0
            f.write(struct.pack("<QQQQ", 1 + 1, 5 << 20, 8 << 20, 16 << 20))  # uid 1: daemon
            f.write(b"\0" * (62 * 32))
        os.chmod(self.table, 0o666)
        os.environ.update(LD_PRELOAD=self.shim, QUOTA_SHIM=self.table)
        self.addCleanup(lambda: [os.environ.pop(name, None) for name in ("LD_PRELOAD", "QUOTA_SHIM")])

    def limits(self, uid):
        with open(self.table, "rb") as f:
            for _ in range(64):
                own, used, soft, hard = struct.unpack("<QQQQ", f.read(32))
                if own == uid + 1:
                    return used, soft, hard
        return None

    def ask(self, host, user, *what):
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        got = subprocess.run(["smbcquotas", "//%s/data" % host, "-U", "%s%%%s" % (user, flotilla.PASSWORD),
                              *what], capture_output=True, text=True, timeout=60, check=False, env=environment)
        return got.stdout + got.stderr

    def serve(self, administrator):
        server = flotilla.Server(extra=["--listen", ADDRESS_445 + ":445"])  # smbcquotas knows no other port
        os.chmod(server.share, 0o777)
        server.__enter__()
        self.addCleanup(server.__exit__)
        if administrator:
            run(flotilla.BINARY, "group", "add", "Administrators", "--member", USER, "--users-file",
                os.path.join(server.dir, "users"))
        return server

    def test_an_administrator_lists_and_sets(self):
        server = self.serve(True)
        listed = self.ask(ADDRESS_445, USER, "-L", "-v")
        self.assertRegex(listed, r"daemon\s" + quota(5 << 20, 8 << 20, 16 << 20))
        self.assertRegex(listed, r"root\s" + quota(4096, -1 & (1 << 64) - 1, -1 & (1 << 64) - 1))
        one = self.ask(ADDRESS_445, USER, "-u", "daemon", "-v")
        self.assertRegex(one, r"daemon\s" + quota(5 << 20, 8 << 20, 16 << 20))
        self.ask(ADDRESS_445, USER, "-S", "UQLIM:daemon:1048576/2097152")
        self.assertEqual(self.limits(1), (5 << 20, 1 << 20, 2 << 20))
        self.ask(ADDRESS_445, USER, "-S", "UQLIM:daemon:0/0")
        self.assertEqual(self.limits(1), (5 << 20, 0, 0), "0 is no limit, as smbd has it")
        volume = self.ask(ADDRESS_445, USER, "-F", "-v")
        self.assertRegex(volume, r"(?i)enabled|enforce|deny")
        self.assertRegex(server.text_of_log(), r"quota of uid 1: soft 1048576 bytes, hard 2097152 bytes")

    def test_others_neither_set_nor_see_others(self):
        server = self.serve(False)
        self.assertNotIn("8388608", self.ask(ADDRESS_445, USER, "-L", "-v"))
        self.assertIn("ACCESS_DENIED", self.ask(ADDRESS_445, USER, "-u", "daemon", "-v"))
        self.assertIn("ACCESS_DENIED", self.ask(ADDRESS_445, USER, "-S", "UQLIM:daemon:1/2"))
        self.assertEqual(self.limits(1), (5 << 20, 8 << 20, 16 << 20))

    @unittest.skipIf(samba.missing(), samba.missing())
    def test_smbd_says_the_same(self):
        place = os.path.join(self.place, "data")
        os.makedirs(place, exist_ok=True)
        server = self.serve(True)
        numbers = re.compile(quota(*[r"(\d+|NO LIMIT)"] * 3))
        with samba.Smbd(place, "root", name="OTHER") as smbd:
            for user in ("daemon", "root"):
                theirs = self.ask(smbd.address, "root", "-u", user, "-v")
                if not numbers.search(theirs):
                    self.skipTest("smbd has no quotas here: " + theirs.strip())
                ours = self.ask(ADDRESS_445, USER, "-u", user, "-v")
                # No limit is -1 on the wire ([MS-FSCC] 2.4.40), which smbcquotas prints as it is; smbd sends 0.
                ours = ours.replace(str((1 << 64) - 1), "NO LIMIT")
                self.assertEqual(numbers.search(ours).groups(), numbers.search(theirs).groups(), ours + theirs)


if __name__ == "__main__":
    unittest.main(verbosity=2)
