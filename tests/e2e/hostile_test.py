#!/usr/bin/env python3
"""Clients that mean harm, against one node: every answer is a status of [MS-SMB2] or a disconnect with one log line,
never a crash, never a byte from outside the share, and nothing of them stays. /usr/bin/python3 (impacket's NTLM)."""
import ctypes
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402

SEED = int(os.environ.get("FLOTILLA_SEED", random.SystemRandom().randrange(1 << 32)))
MUTATION_SECONDS = float(os.environ.get("FLOTILLA_MUTATION_SECONDS", 20))
RACE_OPENS = int(os.environ.get("FLOTILLA_RACE_OPENS", 4000))
SECRET = b"OUTSIDE-THE-SHARE"
UNAUTHENTICATED_TIMEOUT_S = 2
NO_HANDLE = b"\x11" * 16
# What a path that must not be followed may give; none of them tells what is outside.
NO_WAY_OUT = {smb.ACCESS_DENIED, smb.OBJECT_NAME_NOT_FOUND, smb.OBJECT_PATH_NOT_FOUND, smb.STOPPED_ON_SYMLINK,
              smb.OBJECT_NAME_INVALID}
BAD_NAME = {smb.OBJECT_NAME_INVALID, smb.OBJECT_PATH_SYNTAX_BAD, smb.INVALID_PARAMETER, smb.OBJECT_PATH_NOT_FOUND,
            smb.NAME_TOO_LONG}


def hexed(values):
    return {hex(v) if isinstance(v, int) else v for v in values}


def exchange(one, other):
    """renameat2(RENAME_EXCHANGE): there is no moment without either."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("seed %d" % SEED, flush=True)
        cls.server = flotilla.Server("unauthenticated_timeout_s = %d" % UNAUTHENTICATED_TIMEOUT_S)
        cls.server.__enter__()
        cls.outside = os.path.join(cls.server.dir, "outside")
        os.mkdir(cls.outside)
        cls.write(os.path.join(cls.outside, "secret"), SECRET)
        cls.furnish()
        # What the first client of each thread makes once (pools, caches) is no leak.
        for _ in range(8):
            cls.one_visit()
        cls.settle()
        cls.descriptors = cls.descriptors_now()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    @classmethod
    def furnish(cls):
        """What is in the share when an attack begins."""
        for name in os.listdir(cls.server.share):
            subprocess.run(["rm", "-rf", "--", cls.path(name)], check=True)
        os.mkdir(cls.path("inside"))
        cls.write(cls.path("inside/secret"), b"inside-the-share!")
        cls.write(cls.path("file"), b"0123456789" * 1000)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.server.share, name)

    @staticmethod
    def write(path, data):
        with open(path, "wb") as f:
            f.write(data)

    @classmethod
    def one_visit(cls):
        with smb.client(cls.server.port) as c:
            status, handle = c.open("file")
            assert status == smb.SUCCESS, hex(status)
            got = c.request(smb.READ, smb.read_body(handle, 0, 10))
            assert got.body[16:] == b"0123456789", got
            assert c.status(smb.CLOSE, smb.close_body(handle)) == smb.SUCCESS

    @classmethod
    def status_of_server(cls):
        got = subprocess.run([flotilla.BINARY, "status", "--json", "--runtime-dir", cls.server.dir],
                             capture_output=True, text=True, timeout=30, check=True)
        return json.loads(got.stdout)

    @classmethod
    def descriptors_now(cls):
        return len(os.listdir("/proc/%d/fd" % cls.server.process.pid))

    @classmethod
    def settle(cls):
        """Waits until the server has no client; its last status."""
        end = time.monotonic() + 15
        while True:
            now = cls.status_of_server()
            if not any(now[key] for key in ("connections", "sessions", "trees", "opens")) or time.monotonic() > end:
                return now
            time.sleep(0.05)

    def setUp(self):
        self.made = []
        self.furnish()

    def tearDown(self):
        """After every attack: alive, serving others, and nothing left of it."""
        for made in self.made:
            made.close()
        self.assertIsNone(self.server.process.poll(), self.server.text_of_log()[-4000:])
        self.one_visit()
        now = self.settle()
        for key in ("connections", "sessions", "trees", "opens"):
            self.assertEqual(now[key], 0, "%s left: %s" % (key, now))
        end = time.monotonic() + 5
        while self.descriptors_now() > self.descriptors and time.monotonic() < end:
            time.sleep(0.05)
        self.assertLessEqual(self.descriptors_now(), self.descriptors, "descriptors leaked")
        self.assertEqual(os.listdir(self.outside), ["secret"])
        with open(os.path.join(self.outside, "secret"), "rb") as f:
            self.assertEqual(f.read(), SECRET)

    def log_lines(self):
        return self.server.text_of_log().splitlines()

    def new_lines(self, before, text):
        return [line for line in self.log_lines()[before:] if text in line]

    def client(self, **how):
        self.made.append(smb.client(self.server.port, **how))
        return self.made[-1]

    def raw(self, **how):
        self.made.append(smb.Raw(self.server.port, **how))
        return self.made[-1]

    def is_in(self, got, allowed, about=None):
        self.assertIn(got, allowed, "%s: got %s, expected one of %s" % (
            about, hex(got) if isinstance(got, int) else got, hexed(allowed)))

    def still_works(self, c):
        self.assertEqual(c.status(smb.ECHO, struct.pack("<HH", 4, 0)), smb.SUCCESS)

    # --- before and in NEGOTIATE

    def test_bytes_that_are_no_negotiate_end_the_connection_with_one_line(self):
        bad = {
            "NetBIOS type": b"\x81\0\0\x44" + b"\0" * 68,
            "empty frame": b"\0\0\0\0",
            "three bytes": smb.frame(b"\xfeSM"),
            "no protocol id": smb.frame(b"GET / HTTP/1.1\r\n" + b"\0" * 64),
            "header only": smb.frame(b"\xfeSMB"),
            "truncated header": smb.frame(smb.header(smb.NEGOTIATE)[:63]),
            "wrong header size": smb.frame(smb.header(smb.NEGOTIATE, size=63) + b"\0" * 40),
            "16 MiB frame": b"\0\xff\xff\xff" + b"\xfeSMB" + b"\0" * 100,
            "128 KiB + 1": struct.pack(">I", (128 << 10) + 1) + b"\xfeSMB" + b"\0" * 100,
            "command before NEGOTIATE": smb.frame(smb.header(smb.ECHO) + struct.pack("<HH", 4, 0)),
            "session setup first": smb.frame(smb.header(smb.SESSION_SETUP) + b"\x19\0" + b"\0" * 30),
            "unknown command": smb.frame(smb.header(0x77) + b"\0" * 40),
            "a response": smb.frame(smb.header(smb.NEGOTIATE, flags=1) + b"\0" * 64),
            "sealed": smb.frame(b"\xfdSMB" + b"\0" * 100),
            "compressed": smb.frame(b"\xfcSMB" + b"\0" * 100),
            "SMB1 garbage": smb.frame(b"\xffSMB" + b"\x72" + b"\xff" * 60),
            "SMB1 other command": smb.frame(b"\xffSMB\x25" + b"\0" * 27 + b"\0" * 20),
            "SMB1 endless dialects": smb.frame(b"\xffSMB\x72" + b"\0" * 27 + b"\0" + b"\xff\xff" + b"\x02A" * 300),
        }
        for what, data in bad.items():
            with self.subTest(what):
                before = len(self.log_lines())
                raw = self.raw()
                raw.send_bytes(data)
                got = raw.receive_frame(10)
                self.assertEqual(got, smb.CLOSED)
                time.sleep(0.02)
                self.assertEqual(len(self.new_lines(before, "disconnected")), 1, self.log_lines()[before:])

    def test_malformed_negotiate_is_invalid_parameter_or_a_disconnect(self):
        def body(size=36, count=1, dialects=b"\x10\x02", contexts=(0, 0), tail=b""):
            return struct.pack("<HHHHI", size, count, 1, 0, 0x7F) + b"\1" * 16 + struct.pack(
                "<IHH", contexts[0], contexts[1], 0) + dialects + tail

        salt = struct.pack("<HHI", 1, 38, 0) + struct.pack("<HHH", 1, 32, 1) + b"\0" * 32
        bad = {
            "no dialects": body(count=0, dialects=b""),
            "count past the end": body(count=0xFFFF),
            "wrong StructureSize": body(size=35),
            "empty body": b"",
            "cut body": body()[:20],
            "3.1.1 without contexts": body(dialects=b"\x11\x03"),
            "context offset past the end": body(dialects=b"\x11\x03", contexts=(0xFFFFFFF0, 2)),
            "context offset into the header": body(dialects=b"\x11\x03", contexts=(4, 2)),
            "65535 contexts": body(dialects=b"\x11\x03\0\0", contexts=(104, 0xFFFF), tail=salt),
            "context length past the end": body(dialects=b"\x11\x03\0\0", contexts=(104, 1),
                                                tail=struct.pack("<HHI", 1, 0xFFFF, 0)),
            "two preauth contexts": body(dialects=b"\x11\x03\0\0", contexts=(104, 2), tail=salt + b"\0\0" + salt),
            "hash algorithms past the end": body(dialects=b"\x11\x03\0\0", contexts=(104, 1), tail=struct.pack(
                "<HHI", 1, 6, 0) + struct.pack("<HHH", 0xFFFF, 0xFFFF, 1)),
        }
        for what, data in bad.items():
            with self.subTest(what):
                raw = self.raw()
                self.is_in(raw.outcome(smb.header(smb.NEGOTIATE) + data, 10), {smb.INVALID_PARAMETER, smb.CLOSED}, what)
        with self.subTest("unknown dialect"):
            self.is_in(self.raw().outcome(smb.header(smb.NEGOTIATE) + body(dialects=b"\x99\x09")),
                       {smb.NOT_SUPPORTED})

    def test_second_negotiate_ends_the_connection(self):
        """[MS-SMB2] 3.3.5.3.1"""
        for get in (self.raw, self.client):
            c = get()
            if get == self.raw:
                c.negotiate()
            made = c.message(smb.NEGOTIATE, struct.pack("<HHHHI", 36, 1, 1, 0, 0) + b"\0" * 24 + b"\x10\x02")
            self.assertEqual(c.outcome(made), smb.CLOSED)

    def test_requests_without_a_session_are_user_session_deleted(self):
        """[MS-SMB2] 3.3.5.2.9"""
        raw = self.raw()
        raw.negotiate()
        for command in list(range(2, 19)):
            if command in (smb.CANCEL, smb.ECHO):
                continue
            self.is_in(raw.status(command, b"\x09\0" + b"\0" * 62, session=0),
                       {smb.USER_SESSION_DELETED, smb.INVALID_PARAMETER}, command)
        for session in (1, 0xFFFFFFFFFFFFFFFF, 0x0001000000000001):
            self.is_in(raw.status(smb.TREE_CONNECT, b"\x09\0" + b"\0" * 62, session=session),
                       {smb.USER_SESSION_DELETED}, session)

    # --- session setup

    def test_random_tokens_in_session_setup(self):
        rng = random.Random(SEED)
        expected = {smb.LOGON_FAILURE, smb.INVALID_PARAMETER, smb.MORE_PROCESSING_REQUIRED, smb.ACCESS_DENIED,
                    smb.REQUEST_NOT_ACCEPTED, smb.USER_SESSION_DELETED, smb.NOT_SUPPORTED, smb.CLOSED,
                    smb.INSUFFICIENT_RESOURCES}
        raw = None
        for i in range(400):
            if raw is None or i % 7 == 0 or raw.socket.fileno() < 0:
                raw = self.raw()
                raw.negotiate(rng.choice((0x0202, 0x0210, 0x0300, 0x0302, 0x0311)))
            good = raw.first_token()
            kind = rng.randrange(6)
            if kind == 0:
                token = rng.randbytes(rng.randrange(200))
            elif kind == 1:
                token = self.mutated(rng, good)
            elif kind == 2:
                token = b"NTLMSSP\0" + struct.pack("<I", rng.choice((0, 1, 2, 3, 0xFFFFFFFF))) + rng.randbytes(
                    rng.randrange(100))
            elif kind == 3:
                token = b"\x60\x84\xff\xff\xff\xff" + good[2:]
            elif kind == 4:  # a deep nest of constructed values
                token = b"".join(b"\xa0\x82" + struct.pack(">H", 4 * (2000 - k)) for k in range(2000))
            else:
                token = good[:rng.randrange(len(good))]
            session = rng.choice((0, raw.session))
            got = raw.session_setup(token, session=session)
            status = got if isinstance(got, str) else got.status
            self.is_in(status, expected, "token %d of kind %d" % (i, kind))
            if status == smb.MORE_PROCESSING_REQUIRED:
                raw.session = got.session
                if rng.random() < 0.7:
                    # Another name each time: guesses at one user are answered ever later.
                    token, _ = raw.second_token(got.body[8:], "guess%d" % i, "wrong")
                    got = raw.session_setup(self.mutated(rng, token) if rng.random() < 0.8 else token)
                    status = got if isinstance(got, str) else got.status
                    self.is_in(status, expected, "second leg %d" % i)
            if status == smb.CLOSED:
                raw = None

    def test_wild_buffers_in_session_setup(self):
        for what, offset, length in (("past the end", 88, 0xFFFF), ("in the header", 0, 60), ("far", 0xFFFF, 4),
                                     ("wraps", 0xFFFF, 0xFFFF), ("empty", 88, 0)):
            with self.subTest(what):
                raw = self.raw()
                raw.negotiate()
                body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, offset, length, 0) + b"\x60" * 8
                self.is_in(raw.status(smb.SESSION_SETUP, body, session=0),
                           {smb.INVALID_PARAMETER, smb.LOGON_FAILURE, smb.MORE_PROCESSING_REQUIRED}, what)

    def test_commands_in_the_middle_of_session_setup(self):
        """A session that is not there yet gives nothing, signed or not."""
        raw = self.raw()
        raw.negotiate()
        got = raw.session_setup(raw.first_token(), session=0)
        self.assertEqual(got.status, smb.MORE_PROCESSING_REQUIRED)
        for command in range(2, 19):
            if command in (smb.CANCEL, smb.ECHO):
                continue
            for flags in (0, smb.SIGNED):
                self.is_in(raw.status(command, b"\x09\0" + b"\0" * 62, session=got.session, flags=flags),
                           {smb.USER_SESSION_DELETED, smb.INVALID_PARAMETER, smb.ACCESS_DENIED}, command)

    def test_a_wrong_password_leaves_no_session(self):
        raw = self.raw()
        raw.negotiate()
        self.assertEqual(raw.authenticate(password="wrong"), smb.LOGON_FAILURE)
        self.assertEqual(raw.authenticate(user="nobody-here"), smb.LOGON_FAILURE)
        self.assertEqual(raw.authenticate(), smb.SUCCESS)

    # --- signatures, ids, credits

    def test_bad_and_missing_signatures_are_access_denied(self):
        """[MS-SMB2] 3.3.5.2.4: the request fails, the connection stays."""
        for dialect in (0x0202, 0x0210, 0x0300, 0x0311):
            with self.subTest(dialect=hex(dialect)):
                c = self.client(dialect=dialect)
                good = c.message(smb.ECHO, struct.pack("<HH", 4, 0))
                self.assertEqual(c.outcome(good), smb.SUCCESS)
                for at in (48, 63, 66):  # in the signature, and in what it covers
                    bad = bytearray(c.message(smb.TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, 2) + b"\\\0", tree=0))
                    bad[at] ^= 0x40
                    self.is_in(c.outcome(bytes(bad)), {smb.ACCESS_DENIED}, at)
                self.is_in(c.status(smb.CREATE, smb.create_body("file"), sign=False), {smb.ACCESS_DENIED})
                self.is_in(c.status(smb.LOGOFF, struct.pack("<HH", 4, 0), sign=False), {smb.ACCESS_DENIED})
                key, c.key = c.key, b"\0" * 16
                self.is_in(c.status(smb.CREATE, smb.create_body("file")), {smb.ACCESS_DENIED})
                c.key = key
                self.assertEqual(c.open("file")[0], smb.SUCCESS)

    def test_message_ids_used_twice_or_far_ahead_end_the_connection(self):
        """[MS-SMB2] 3.3.5.2.3"""
        for what in ("again", "far", "last", "behind"):
            with self.subTest(what):
                c = self.client()
                self.still_works(c)
                message_id = {"again": c.next_id - 1, "far": c.next_id + (1 << 20), "last": (1 << 64) - 1,
                              "behind": 0}[what]
                before = len(self.log_lines())
                self.assertEqual(c.outcome(c.message(smb.ECHO, struct.pack("<HH", 4, 0), message_id=message_id)),
                                 smb.CLOSED)
                time.sleep(0.02)
                self.assertEqual(len(self.new_lines(before, "disconnected")), 1, self.log_lines()[before:])

    def test_more_requests_than_credits(self):
        """A client that takes more than it was granted is served or ended; the server's memory stays."""
        c = self.client()
        burst = b"".join(smb.frame(c.message(smb.ECHO, struct.pack("<HH", 4, 0), credits=1)) for _ in range(20000))
        sender = threading.Thread(target=c.send_bytes, args=(burst,))
        sender.start()
        for _ in range(20000):
            if isinstance(c.receive(), str):
                break
        c.socket.shutdown(socket.SHUT_RDWR)
        sender.join()

    def test_wrong_credit_charge(self):
        """[MS-SMB2] 3.3.5.2.5: a payload larger than the CreditCharge covers is INVALID_PARAMETER."""
        c = self.client()
        _, handle = c.open("file")
        self.is_in(c.status(smb.READ, smb.read_body(handle, 0, 1 << 20)), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.WRITE, smb.write_body(handle, 0, b"x" * 70000)), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, output=1 << 20)),
                   {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.READ, smb.read_body(handle, 0, 0xFFFFFFFF), charge=16),
                   {smb.INVALID_PARAMETER})

    def test_oversized_reads_and_writes(self):
        c = self.client()
        _, handle = c.open("file")
        for _ in range(64):  # credits for a large charge
            self.still_works(c)
        self.is_in(c.status(smb.READ, smb.read_body(handle, 0, 64 << 20), charge=1024),
                   {smb.INVALID_PARAMETER, smb.CLOSED})
        c = self.client()
        c.send_bytes(b"\0\xff\xff\xff" + c.message(smb.WRITE, smb.write_body(NO_HANDLE, 0, b"")))
        self.assertEqual(c.receive(5), smb.CLOSED)

    # --- structure

    def test_every_command_with_wrong_sizes(self):
        """Each StructureSize off, each body cut at every length: INVALID_PARAMETER, never more."""
        allowed = {smb.INVALID_PARAMETER, smb.FILE_CLOSED, smb.USER_SESSION_DELETED}
        rng = random.Random(SEED)
        c = self.client()
        _, handle = c.open("file")
        for command, body in self.bodies(handle):
            size, = struct.unpack_from("<H", body)
            for wrong in (0, size - 1, size + 1, size + 2, 0xFFFF):
                made = struct.pack("<H", wrong) + body[2:]
                self.is_in(c.status(command, made), {smb.INVALID_PARAMETER}, (command, wrong))
            for length in sorted({0, 1, 2, size // 2, (size & ~1) - 1} | {rng.randrange(size & ~1) for _ in range(4)}):
                self.is_in(c.status(command, body[:length]), allowed, (command, "cut at %d" % length))
        self.still_works(c)

    def bodies(self, handle):
        """A good request of each command behind a tree."""
        return [
            (smb.LOGOFF, struct.pack("<HH", 4, 0)), (smb.TREE_DISCONNECT, struct.pack("<HH", 4, 0)),
            (smb.TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, 2) + b"\\\0"), (smb.CREATE, smb.create_body("file")),
            (smb.CLOSE, smb.close_body(handle)), (smb.FLUSH, smb.flush_body(handle)),
            (smb.READ, smb.read_body(handle, 0, 10)), (smb.WRITE, smb.write_body(handle, 0, b"0123")),
            (smb.LOCK, smb.lock_body(handle, [(0, 1, 0x12)])), (smb.IOCTL, smb.ioctl_body(handle, 0x0009009C)),
            (smb.QUERY_DIRECTORY, smb.query_directory_body(handle)), (smb.CHANGE_NOTIFY, smb.notify_body(handle)),
            (smb.QUERY_INFO, smb.query_info_body(handle, 1, 4)),
            (smb.SET_INFO, smb.set_info_body(handle, 1, 4, b"\0" * 40)),
            (smb.OPLOCK_BREAK, struct.pack("<HBBI", 24, 0, 0, 0) + handle),
            (smb.ECHO, struct.pack("<HH", 4, 0)),
        ]

    def test_wild_offsets_in_every_command(self):
        """An offset or length that leaves the message is INVALID_PARAMETER; none is followed."""
        c = self.client()
        _, handle = c.open("file")
        _, directory = c.open("", access=0x00100081)
        good = {smb.INVALID_PARAMETER, smb.OBJECT_NAME_INVALID, smb.BAD_NETWORK_NAME, smb.INFO_LENGTH_MISMATCH,
                smb.INVALID_INFO_CLASS, smb.INVALID_DEVICE_REQUEST, smb.NOT_SUPPORTED, smb.INVALID_DEVICE_STATE,
                smb.OBJECT_NAME_NOT_FOUND, smb.BUFFER_TOO_SMALL, smb.FILE_CLOSED}
        wild = [(offset, length) for offset in (0, 1, 63, 0x7FF8, 0xFFF8, 0xFFFF) for length in (8, 0x7FFE, 0xFFFE)]
        for offset, length in wild:
            where = "offset %x length %x" % (offset, length)
            self.is_in(c.status(smb.TREE_CONNECT, struct.pack("<HHHH", 9, 0, offset, length) + b"\\\0", tree=0), good,
                       "TREE_CONNECT " + where)
            body = bytearray(smb.create_body("file"))
            struct.pack_into("<HH", body, 44, offset, length)
            self.is_in(c.status(smb.CREATE, bytes(body)), good, "CREATE name " + where)
            body = bytearray(smb.create_body("file"))
            struct.pack_into("<II", body, 48, offset << 16, length << 16)
            self.is_in(c.status(smb.CREATE, bytes(body)), good, "CREATE contexts " + where)
            self.is_in(c.status(smb.WRITE, smb.write_body(handle, 0, b"1234", offset, length)), good, "WRITE " + where)
            for high in (0, 0x7FFF0000, 0xFFFF0000):
                self.is_in(c.status(smb.IOCTL, smb.ioctl_body(b"\xff" * 16, 0x00140204, b"1234", 24, offset=high | offset,
                                                              length=high | length)), good, "IOCTL " + where)
                self.is_in(c.status(smb.SET_INFO, smb.set_info_body(handle, 1, 4, b"1" * 40, offset, high | length)),
                           good, "SET_INFO " + where)
            self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(directory, "*", 65536, 37, 0, offset,
                                                                              length)), good, "QD " + where)
            self.is_in(c.status(smb.QUERY_INFO, smb.query_info_body(handle, 1, 15, 65536, b"1234", offset, length)),
                       good | {smb.SUCCESS}, "QI " + where)
        self.still_works(c)

    def test_wild_create_contexts(self):
        c = self.client()

        def context(name=b"MxAc", data=b"", following=0, name_at=16, name_length=None, data_at=None, length=None):
            return struct.pack("<IHHHHI", following, name_at, len(name) if name_length is None else name_length, 0,
                               24 if data_at is None else data_at, len(data) if length is None else length) + \
                name + b"\0" * (8 - len(name)) + data

        for what, bytes_ in {
                "next past the end": context(following=0x10000), "next into itself": context(following=8),
                "next unaligned": context(following=25) + context(), "next wraps": context(following=0xFFFFFFF8),
                "name past the end": context(name_length=0xFFFF), "name before": context(name_at=0xFFF0),
                "data past the end": context(length=0x100000), "data far": context(data_at=0xFFF8, length=8),
                "lease too short": context(b"RqLs", b"\0" * 31), "lease too long": context(b"RqLs", b"\0" * 33),
                "durable too short": context(b"DHnQ", b"\0" * 3), "cut": context()[:10],
                "ten thousand": context(following=24) * 2500 + context(),
        }.items():
            got, handle = c.open("file", contexts=bytes_)
            self.is_in(got, {smb.INVALID_PARAMETER, smb.SUCCESS, smb.CLOSED}, what)
            if what.startswith(("next", "cut", "name past", "data past")):
                self.is_in(got, {smb.INVALID_PARAMETER}, what)
            if handle:
                c.status(smb.CLOSE, smb.close_body(handle))

    # --- compounds

    def test_compounds_with_wild_next_command(self):
        echo = struct.pack("<HH", 4, 0) + b"\0" * 4
        for what, following in {"unaligned": 73, "past the end": 0x1000, "into the header": 8, "two thirds": 60,
                                "huge": 0xFFFFFFF8, "the end": 144}.items():
            with self.subTest(what):
                c = self.client()
                before = len(self.log_lines())
                one = c.message(smb.ECHO, echo, next_command=following)
                two = c.message(smb.ECHO, echo)
                c.send_bytes(smb.frame(one + two))
                answers = [got for _, got in c.receive_all(2, 5)]
                for got in answers:
                    self.is_in(got, {smb.CLOSED, smb.INVALID_PARAMETER, smb.ACCESS_DENIED}, what)
                time.sleep(0.05)
                self.assertEqual(len(self.new_lines(before, "disconnected")), answers.count(smb.CLOSED), what)

    def test_a_compound_of_thousands(self):
        for count in (65, 2000):
            c = self.client()
            answers = c.compound([(smb.ECHO, struct.pack("<HH", 4, 0))] * count, related=False)
            self.assertEqual({got for _, got in answers} - {smb.SUCCESS, smb.CLOSED, smb.INVALID_PARAMETER}, set())
        raw = self.raw()
        raw.negotiate()
        answers = raw.compound([(smb.SESSION_SETUP, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, 4, 0) + b"abcd")] * 60,
                               related=False)
        self.assertNotIn(smb.SUCCESS, [got for _, got in answers])

    def test_related_without_a_first_handle(self):
        """[MS-SMB2] 3.3.5.2.7.2"""
        c = self.client()
        got = c.compound([(smb.READ, smb.read_body(smb.SAME_FILE, 0, 10)), (smb.CLOSE, smb.close_body(smb.SAME_FILE))])
        self.is_in(got[0][1], {smb.FILE_CLOSED, smb.INVALID_PARAMETER})
        self.is_in(got[1][1], {smb.FILE_CLOSED, smb.INVALID_PARAMETER})
        got = c.compound([(smb.CREATE, smb.create_body("not there")), (smb.READ, smb.read_body(smb.SAME_FILE, 0, 10)),
                          (smb.CLOSE, smb.close_body(smb.SAME_FILE))])
        self.assertEqual([status for _, status in got], [smb.OBJECT_NAME_NOT_FOUND] * 3)
        first = smb.header(smb.ECHO, c.take_id(), c.session, c.tree, smb.RELATED) + struct.pack("<HH", 4, 0)
        self.is_in(c.outcome(c.sign(first)), {smb.INVALID_PARAMETER, smb.CLOSED})
        c = self.client()
        got = c.compound([(smb.CREATE, smb.create_body("file")), (smb.LOGOFF, struct.pack("<HH", 4, 0)),
                          (smb.READ, smb.read_body(smb.SAME_FILE, 0, 10))])
        self.assertNotEqual(got[2][1], smb.SUCCESS)
        c = self.client()
        got = c.compound([(smb.CREATE, smb.create_body("file")), (smb.TREE_DISCONNECT, struct.pack("<HH", 4, 0)),
                          (smb.READ, smb.read_body(smb.SAME_FILE, 0, 10)),
                          (smb.CLOSE, smb.close_body(smb.SAME_FILE))])
        self.assertNotIn(smb.SUCCESS, [status for _, status in got[2:]])
        self.still_works(c)

    # --- names and the way out of the share

    def test_names_that_are_none(self):
        c = self.client()
        for name in ("..", "..\\outside\\secret", "inside\\..\\..\\outside\\secret", "a\\..\\..\\..\\etc\\passwd",
                     "../outside/secret", "inside/../../outside/secret", "\\file", "\\\\server\\share", "\\..\\outside",
                     ".\\..\\outside\\secret", "inside\\\\secret", "fi\0le", "file\0", "\0", "fi*le", "fi?le", "fi<le",
                     "fi>le", "fi|le", 'fi"le', "x" * 256, "x" * 32767, "d\\" * 8000 + "x", "/etc/passwd", "file:", "file::",
                     "file:stream:$BOGUS", "file::$DATA:x", "\x01file", b"f", b"fil", b"\xff" * 3):
            for disposition in (1, 3):
                status, handle = c.open(name, disposition=disposition)
                if status == smb.CLOSED and len(name) > 30000:
                    c = self.client()
                    continue
                self.is_in(status, BAD_NAME | NO_WAY_OUT, repr(name[:60]))
                self.assertIsNone(handle)
        self.assertEqual(sorted(os.listdir(self.server.share)), ["file", "inside"])

    def test_unpaired_surrogates(self):
        """Refused, or kept as they are; never somebody else's file."""
        c = self.client()
        for name in (b"\x00\xd8", b"\x00\xdc", b"\x00\xdc\x00\xd8", b"f\0\x00\xd8", b"\xff\xff", b"\xfe\xff"):
            status, handle = c.open(name, disposition=3, options=0x1000, access=0x0013019F)  # delete on close
            self.is_in(status, {smb.SUCCESS} | BAD_NAME, name)
            if handle:
                self.assertEqual(c.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
        self.assertEqual(sorted(os.listdir(self.server.share)), ["file", "inside"])

    def test_symlinks_out_of_the_share(self):
        links = {"absolute": self.outside, "relative": "../outside", "root": "/", "proc": "/proc/self/root",
                 "dots": "inside/../../outside", "secret-file": os.path.join(self.outside, "secret"),
                 "hop": "relative", "loop": "loop", "inside/up": "../../outside"}
        for name, target in links.items():
            os.symlink(target, self.path(name))
            self.addCleanup(os.unlink, self.path(name))
        c = self.client()
        for name in ("absolute\\secret", "relative\\secret", "root\\etc\\passwd", "proc\\etc\\passwd", "dots\\secret",
                     "secret-file", "hop\\secret", "loop\\x", "loop", "inside\\up\\secret", "ABSOLUTE\\SECRET"):
            for disposition, options in ((1, 0), (3, 0), (5, 0), (0, 0)):
                status, handle = c.open(name, disposition=disposition, options=options)
                self.is_in(status, NO_WAY_OUT, name)
                self.assertIsNone(handle)
        for name in ("absolute\\new", "relative\\new", "hop\\new", "inside\\up\\new"):
            for disposition, options in ((2, 0), (3, 0), (5, 0), (2, 1), (3, 1)):
                status, handle = c.open(name, disposition=disposition, options=options)
                self.is_in(status, NO_WAY_OUT, name)
            _, handle = c.open("moved", disposition=3, access=0x0013019F)
            self.is_in(c.status(smb.SET_INFO, smb.rename_body(handle, name)), NO_WAY_OUT, "rename to " + name)
            self.is_in(c.status(smb.SET_INFO, smb.rename_body(handle, "..\\outside\\new")), NO_WAY_OUT | BAD_NAME)
            self.is_in(c.status(smb.SET_INFO, smb.rename_body(handle, "\\..\\outside\\new")), NO_WAY_OUT | BAD_NAME)
            link = smb.rename_body(handle, name)
            self.is_in(c.status(smb.SET_INFO, link[:3] + b"\x0b" + link[4:]),
                       NO_WAY_OUT | {smb.NOT_SUPPORTED, smb.INVALID_INFO_CLASS}, "link to " + name)
            c.status(smb.CLOSE, smb.close_body(handle))
        os.unlink(self.path("moved"))
        for name in ("absolute", "relative", "hop", "dots"):  # a listing through the link
            status, handle = c.open(name, access=0x00100081)
            if handle:
                got = c.request(smb.QUERY_DIRECTORY, smb.query_directory_body(handle))
                self.assertNotIn("secret".encode("utf-16le"), got.raw)
                c.status(smb.CLOSE, smb.close_body(handle))

    def test_a_directory_that_turns_into_a_symlink_while_it_is_opened(self):
        """Thousands of tries: what is opened is inside, and nothing is made outside."""
        os.mkdir(self.path("swap"))
        self.write(self.path("swap/secret"), b"inside-the-share!")
        os.symlink("../outside", self.path("swap-link"))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.path("swap"), self.path("swap-link")], check=True)
        done = threading.Event()

        def swap():
            while not done.is_set():
                exchange(self.path("swap"), self.path("swap-link"))

        swapper = threading.Thread(target=swap)
        swapper.start()
        seen = {}
        try:
            c = self.client()
            for i in range(RACE_OPENS):
                name = ("swap\\secret", "SWAP\\Secret", "swap\\made", "swap\\dir%d" % (i % 9))[i % 4]
                how = {"disposition": (1, 1, 5, 3)[i % 4], "options": (0, 0, 0x1000, 0x1001)[i % 4],
                       "access": 0x0013019F}
                status, handle = c.open(name, **how)
                seen[status] = seen.get(status, 0) + 1
                self.is_in(status, NO_WAY_OUT | {smb.SUCCESS}, name)
                if not handle:
                    continue
                if i % 4 < 2:
                    got = c.request(smb.READ, smb.read_body(handle, 0, 17))
                    self.assertEqual(got.body[16:], b"inside-the-share!")
                elif i % 4 == 2:
                    self.is_in(c.status(smb.SET_INFO, smb.rename_body(handle, "swap\\renamed")),
                               NO_WAY_OUT | {smb.SUCCESS})
                self.is_in(c.status(smb.CLOSE, smb.close_body(handle)), {smb.SUCCESS} | NO_WAY_OUT)
                if i % 100 == 0:
                    status, handle = c.open("swap", access=0x00100081, options=1)
                    if handle:
                        c.request(smb.QUERY_DIRECTORY, smb.query_directory_body(handle))
                        c.status(smb.CLOSE, smb.close_body(handle))
                    self.assertEqual(os.listdir(self.outside), ["secret"])
        finally:
            done.set()
            swapper.join()
        self.assertGreater(seen.get(smb.SUCCESS, 0), 0, seen)
        self.assertGreater(sum(seen.values()) - seen.get(smb.SUCCESS, 0), 0, "the race was never met: %s" % seen)

    # --- values of handles

    def test_reads_and_writes_at_the_edge_of_the_world(self):
        c = self.client()
        _, handle = c.open("edge", disposition=5, options=0x1000, access=0x0013019F)
        edges = [(1 << 63) - 2, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 10, (1 << 64) - 2, (1 << 64) - 1]
        for offset in edges:
            for length in (0, 1, 10, 65536):
                self.is_in(c.status(smb.READ, smb.read_body(handle, offset, length)),
                           {smb.END_OF_FILE, smb.INVALID_PARAMETER, smb.SUCCESS}, "read %x %d" % (offset, length))
            self.is_in(c.status(smb.WRITE, smb.write_body(handle, offset, b"0123456789")),
                       {smb.INVALID_PARAMETER, smb.DISK_FULL}, "write %x" % offset)
            for info_class in (19, 20, 14):  # allocation, end of file, position
                self.is_in(c.status(smb.SET_INFO, smb.set_info_body(handle, 1, info_class, struct.pack("<Q", offset))),
                           {smb.INVALID_PARAMETER, smb.DISK_FULL} | ({smb.SUCCESS} if info_class == 14 else set()),
                           "set %d to %x" % (info_class, offset))
        self.assertEqual(os.path.getsize(self.path("edge")), 0)
        self.assertEqual(c.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)

    def test_listing_into_tiny_buffers(self):
        c = self.client()
        _, handle = c.open("", access=0x00100081)
        for output in list(range(0, 130)) + [0xFFFF]:
            for info_class in (1, 2, 3, 12, 37, 38):
                self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, "*", output, info_class, 1)),
                           {smb.INFO_LENGTH_MISMATCH, smb.BUFFER_OVERFLOW, smb.SUCCESS, smb.INVALID_PARAMETER,
                            smb.BUFFER_TOO_SMALL, smb.NO_MORE_FILES}, (output, info_class))
        for info_class in (0, 4, 39, 61, 255):
            self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, "*", 4096, info_class, 1)),
                       {smb.INVALID_INFO_CLASS}, info_class)
        for pattern in ("..\\*", "a\\b", "\\*", "x" * 300, "\0", "*\0"):
            self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, pattern, 4096, 37, 1)),
                       {smb.OBJECT_NAME_INVALID, smb.NO_SUCH_FILE, smb.INVALID_PARAMETER}, repr(pattern))
        _, file = c.open("file")
        self.is_in(c.status(smb.QUERY_DIRECTORY, smb.query_directory_body(file)), {smb.INVALID_PARAMETER})

    def test_info_of_every_class_and_size(self):
        c = self.client()
        rng = random.Random(SEED)
        _, handle = c.open("info", disposition=5, options=0x1000, access=0x001F01FF)
        for kind in range(6):
            for info_class in list(range(72)) + [255]:
                for output in (0, 1, 7, 24, 4096):
                    got = c.status(smb.QUERY_INFO, smb.query_info_body(handle, kind, info_class, output,
                                                                       additional=rng.randrange(1 << 32)))
                    self.assertIsInstance(got, int, (kind, info_class, output))
                if kind == 1 and info_class in (10, 11, 13, 64, 65):
                    continue  # rename, link, disposition: they would mean it
                data = rng.randbytes(rng.choice((0, 1, 7, 8, 24, 40, 100)))
                got = c.status(smb.SET_INFO, smb.set_info_body(handle, kind, info_class, data))
                self.assertIsInstance(got, int, (kind, info_class, data))
        c.status(smb.CLOSE, smb.close_body(handle))

    def test_wild_lock_arrays(self):
        """[MS-SMB2] 3.3.5.14"""
        c = self.client()
        _, handle = c.open("file")
        top = (1 << 64) - 1
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, 0x12)], count=0)), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, 0x12)], count=0xFFFF)), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, 0x12)], count=2)), {smb.INVALID_PARAMETER})
        for offset, length in ((top, 2), (top - 5, 10), (1 << 63, top)):
            self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(offset, length, 0x12)])),
                       {smb.INVALID_LOCK_RANGE, smb.INVALID_PARAMETER}, (offset, length))
        for flags in (0, 0xFFFFFFFF, 0x20, 0x14, 0x06, 0x07, 3):
            self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, flags)])), {smb.INVALID_PARAMETER}, flags)
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, 0x12), (9, 1, 4)])), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(0, 1, 2), (9, 1, 2)])), {smb.INVALID_PARAMETER})
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(5, 5, 4)])), {smb.RANGE_NOT_LOCKED})
        many = [(2 * i, 1, 0x12) for i in range(2500)]
        got = c.status(smb.LOCK, smb.lock_body(handle, many))
        self.is_in(got, {smb.SUCCESS, smb.INVALID_PARAMETER, smb.INSUFFICIENT_RESOURCES})
        # All or nothing: the last of these conflicts, so the first must be free again.
        other = self.client()
        _, theirs = other.open("file")
        self.assertEqual(other.status(smb.LOCK, smb.lock_body(theirs, [(90001, 1, 0x12)])), smb.SUCCESS)
        self.is_in(c.status(smb.LOCK, smb.lock_body(handle, [(90000, 1, 0x12), (90001, 1, 0x12)])),
                   {smb.LOCK_NOT_GRANTED})
        self.assertEqual(other.status(smb.LOCK, smb.lock_body(theirs, [(90000, 1, 0x12)])), smb.SUCCESS)

    def test_random_ioctls(self):
        rng = random.Random(SEED)
        c = self.client()
        ipc = self.client(share="IPC$")
        _, handle = c.open("ioctl", disposition=5, options=0x1000, access=0x001F01FF)
        _, pipe = ipc.open("srvsvc", access=0x0012019F)
        known = (0x00060194, 0x000601B0, 0x0011400C, 0x0011C017, 0x00110018, 0x00140078, 0x001401D4, 0x001401FC, 0x00140204,
                 0x000900A4, 0x000900A8, 0x0009009C, 0x000900C0, 0x00098208, 0x000980C8, 0x000940CF, 0x00144064,
                 0x001440F2, 0x001480F2, 0x00098344)
        for i in range(1500):
            who, on = (c, handle) if i % 3 else (ipc, pipe)
            code = rng.choice(known) if rng.random() < 0.7 else rng.randrange(1 << 32)
            target = rng.choice((on, on, b"\xff" * 16, rng.randbytes(16)))
            data = rng.randbytes(rng.choice((0, 1, 4, 16, 24, 32, 100, 1000)))
            got = who.outcome(who.message(smb.IOCTL, smb.ioctl_body(target, code, data, rng.choice((0, 1, 16, 65536)),
                                                                    rng.choice((1, 1, 1, 0)))), 1)
            if isinstance(got, str):
                # [MS-SMB2] 3.3.5.15.12: a VALIDATE_NEGOTIATE_INFO that lies; a pipe that waits for the rest of a PDU.
                self.assertEqual(code, 0x00140204 if got == smb.CLOSED else 0x0011C017)
                if who is c:
                    c = self.client()
                    _, handle = c.open("ioctl", disposition=5, options=0x1000, access=0x001F01FF)
                else:
                    ipc = self.client(share="IPC$")
                    _, pipe = ipc.open("srvsvc", access=0x0012019F)
            else:
                self.assertIsInstance(got, int, "code %x" % code)
        c.status(smb.CLOSE, smb.close_body(handle))

    def test_bytes_that_are_no_rpc_in_a_pipe(self):
        rng = random.Random(SEED)
        bind = bytes.fromhex("05000b0310000000480000000100000010b810b800000000010000000000010"
                             "0c84f324b7016d30112785a47bf6ee18803000000045d888aeb1cc9119fe808002b10486002000000")
        for i in range(150):
            c = self.client(share="IPC$")
            _, pipe = c.open("srvsvc")
            data = rng.randbytes(rng.randrange(1, 200)) if i % 3 == 0 else self.mutated(rng, bind)
            self.assertIsInstance(c.status(smb.WRITE, smb.write_body(pipe, 0, data)), int)
            request = struct.pack("<BBBBIHHIIHH", 5, 0, 0, 3, 16, rng.choice((24, 80, 0xFFFF)), 0, 2, 1000, 0,
                                  rng.choice((15, 16, 77))) + rng.randbytes(56)
            c.status(smb.WRITE, smb.write_body(pipe, 0, bind))
            c.timeout = 1  # what announced more bytes than it has is waited for, and so is its answer
            c.status(smb.IOCTL, smb.ioctl_body(pipe, 0x0011C017, request, 1024))
            c.close()

    def test_acknowledgments_nobody_asked_for(self):
        """[MS-SMB2] 3.3.5.22.1 and .2"""
        c = self.client(dialect=0x0300)
        for oplock in (0, 1, 8, 9):
            _, handle = c.open("file", oplock=oplock)
            for level in (0, 1, 8, 9, 0xFF, 0x77):
                self.is_in(c.status(smb.OPLOCK_BREAK, struct.pack("<HBBI", 24, level, 0, 0) + handle),
                           {smb.INVALID_OPLOCK_PROTOCOL, smb.INVALID_DEVICE_STATE, smb.INVALID_PARAMETER}, (oplock, level))
                if c.status(smb.FLUSH, smb.flush_body(handle)) != smb.SUCCESS:
                    self.fail("the file went away")
            c.status(smb.CLOSE, smb.close_body(handle))
        self.is_in(c.status(smb.OPLOCK_BREAK, struct.pack("<HBBI", 24, 0, 0, 0) + NO_HANDLE), {smb.FILE_CLOSED})
        for state in (0, 1, 7, 0xFFFFFFFF):
            self.is_in(c.status(smb.OPLOCK_BREAK, struct.pack("<HHI", 36, 0, 0) + b"K" * 16 + struct.pack("<IQ", state, 0)),
                       {smb.OBJECT_NAME_NOT_FOUND, smb.INVALID_PARAMETER}, state)

    def test_another_clients_session_tree_and_file(self):
        """Ids of others are worth nothing."""
        victim = self.client()
        _, handle = victim.open("file")
        for attacker in (self.client(), self.client(user="tester2"), self.raw()):
            if not attacker.session:
                attacker.negotiate()
            own = attacker.tree
            for session in {victim.session, victim.session + 1, victim.session ^ 1}:
                for sign in (False, True) if attacker.key else (False,):
                    self.is_in(attacker.status(smb.READ, smb.read_body(handle, 0, 10), session=session, tree=victim.tree,
                                               sign=sign), {smb.USER_SESSION_DELETED, smb.ACCESS_DENIED}, "READ")
                    self.is_in(attacker.status(smb.LOGOFF, struct.pack("<HH", 4, 0), session=session, sign=sign),
                               {smb.USER_SESSION_DELETED, smb.ACCESS_DENIED}, "LOGOFF")
                    self.is_in(attacker.status(smb.SESSION_SETUP, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, 4, 0) +
                                               b"abcd", session=session, sign=sign),
                               {smb.USER_SESSION_DELETED, smb.ACCESS_DENIED}, "SETUP")
            if not attacker.key:
                continue
            for command, body in self.bodies(handle):
                if command in (smb.LOGOFF, smb.TREE_DISCONNECT, smb.TREE_CONNECT, smb.CREATE, smb.ECHO):
                    continue
                self.is_in(attacker.status(command, body, tree=own), {smb.FILE_CLOSED}, command)
                self.is_in(attacker.status(command, body, tree=own + 77), {smb.NETWORK_NAME_DELETED, smb.FILE_CLOSED},
                           command)
            # A previous session id is a wish that only its own user has granted.
        other = self.raw()
        other.negotiate()
        got = other.session_setup(other.first_token(), session=0)
        other.session = got.session
        token, key = other.second_token(got.body[8:], "tester2")
        body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), victim.session) + token
        self.assertEqual(other.status(smb.SESSION_SETUP, body, tree=0), smb.SUCCESS)
        got = victim.request(smb.READ, smb.read_body(handle, 0, 10))
        self.assertEqual(got.body[16:], b"0123456789")

    def test_sealed_bytes_that_no_key_opens_end_the_connection(self):
        """[MS-SMB2] 3.3.5.2.1.1: wherever the session is, whoever has it."""
        rng = random.Random(SEED)
        victim = self.client(dialect=0x0300)
        for dialect in (0x0210, 0x0300, 0x0302, 0x0311):
            for session in ("own", "victim", "none", "zero"):
                for size, said in ((64, 64), (0, 0), (16, 0xFFFFFFFF), (200, 16), (63, 63)):
                    c = self.client(dialect=dialect)
                    which = {"own": c.session, "victim": victim.session, "none": c.session ^ 0x5555, "zero": 0}[session]
                    before = len(self.log_lines())
                    sealed = b"\xfdSMB" + rng.randbytes(32) + struct.pack("<IHHQ", said, 0, 1, which) + rng.randbytes(size)
                    self.assertEqual(c.outcome(sealed, 5), smb.CLOSED, (hex(dialect), session, size))
                    c.close()
                    self.assertLessEqual(len(self.new_lines(before, "disconnected")), 1)
        self.still_works(victim)

    # --- what costs memory and time

    def memory_kib(self):
        with open("/proc/%d/status" % self.server.process.pid, encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS:")).split()[1])

    def test_idle_connections_are_cheap_and_end_with_one_line_each(self):
        count = 300
        resting = self.memory_kib()
        before = len(self.log_lines())
        idle = [self.raw() for _ in range(count)]
        for i, raw in enumerate(idle):  # some say nothing, some half a frame, some stop in the middle of it all
            if i % 4 == 1:
                raw.send_bytes(b"\0\0")
            elif i % 4 == 2:
                raw.negotiate()
                raw.send_bytes(struct.pack(">I", 60000) + b"\xfeSMB" + b"\x40")
            elif i % 4 == 3:
                raw.negotiate()
                raw.session_setup(raw.first_token(), session=0)
        each = (self.memory_kib() - resting) / count
        start = time.monotonic()
        for raw in idle:
            self.assertEqual(raw.receive_frame(UNAUTHENTICATED_TIMEOUT_S + 5), smb.CLOSED)
        self.assertLess(time.monotonic() - start, UNAUTHENTICATED_TIMEOUT_S + 3)
        self.settle()
        self.assertEqual(len(self.new_lines(before, "disconnected")), count)
        if not os.environ.get("FLOTILLA_SANITIZED"):  # a sanitizer's own memory is not ours
            self.assertLess(each, 64, "KiB for each connection")

    def test_the_default_timeout_is_30_s(self):
        with open(os.path.join(flotilla.ROOT, "src/ports/config.hpp"), encoding="ascii") as f:
            self.assertIn("unauthenticated_timeout{30000}", f.read())

    def test_slow_loris(self):
        """A byte now and then does not keep an unauthenticated connection alive."""
        drip = smb.frame(smb.header(smb.NEGOTIATE) + b"\x24\0" + b"\0" * 60000)
        clients = [self.raw() for _ in range(20)]
        start = time.monotonic()
        at = 0
        while time.monotonic() - start < UNAUTHENTICATED_TIMEOUT_S + 1.5:
            for c in clients:
                c.send_bytes(drip[at:at + 1])
            at += 1
            time.sleep(0.1)
        for c in clients:
            self.assertEqual(c.receive_frame(2), smb.CLOSED)

    def test_a_client_that_does_not_read_its_answers(self):
        """The server stops reading from it: its memory stays."""
        c = self.client()
        _, handle = c.open("file")
        before = self.memory_kib()
        c.socket.settimeout(0.5)
        made = 0
        try:
            for _ in range(20000):
                c.socket.sendall(smb.frame(c.message(smb.READ, smb.read_body(handle, 0, 10000))))
                made += 1
        except OSError:
            pass
        if not os.environ.get("FLOTILLA_SANITIZED"):
            self.assertLess(self.memory_kib() - before, 64 << 10, made)

    def test_resets_in_the_middle_of_everything(self):
        rng = random.Random(SEED)
        for i in range(150):
            raw = self.raw()
            stage = i % 6
            if stage >= 1:
                raw.negotiate()
            if stage >= 2:
                got = raw.session_setup(raw.first_token(), session=0)
                raw.session = got.session
                if stage == 2:
                    token, _ = raw.second_token(got.body[8:])
                    raw.send_bytes(smb.frame(raw.message(smb.SESSION_SETUP, struct.pack(
                        "<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token)))
            if stage >= 3:
                raw.session = 0
                self.assertEqual(raw.authenticate(), smb.SUCCESS)
                self.assertEqual(raw.connect_tree(), smb.SUCCESS)
                _, handle = raw.open("file", oplock=9)
                sent = [raw.message(smb.READ, smb.read_body(handle, 0, 10000)) for _ in range(20)]
                if stage == 4:
                    sent = [raw.message(smb.CREATE, smb.create_body("made%d" % k, disposition=3, options=0x1000,
                                                                    access=0x0013019F)) for k in range(10)]
                elif stage == 5:
                    _, directory = raw.open("", access=0x00100081)
                    sent = [raw.message(smb.CHANGE_NOTIFY, smb.notify_body(directory)),
                            raw.message(smb.LOCK, smb.lock_body(handle, [(0, 10, 2)])),
                            raw.message(smb.LOCK, smb.lock_body(handle, [(0, 10, 2)]))]
                raw.send_bytes(b"".join(smb.frame(m) for m in sent))
            else:
                raw.send_bytes(smb.frame(smb.header(smb.NEGOTIATE))[:rng.randrange(1, 60)])
            if rng.random() < 0.5:
                time.sleep(rng.random() * 0.01)
            raw.close(reset=rng.random() < 0.8)
        self.settle()
        for name in os.listdir(self.server.share):  # a CREATE overtaken by the end of its session
            if name.startswith("made"):
                self.fail("%s was delete on close, and is there" % name)

    def test_a_thousand_connections_come_and_go(self):
        for i in range(1000):
            with smb.Raw(self.server.port) as raw:
                if i % 3:
                    raw.negotiate()
        for _ in range(100):
            self.client().close(reset=True)

    def test_cancels_of_what_is_not_there(self):
        c = self.client()
        for message_id in (0, 1, 5, (1 << 64) - 1):
            c.send_bytes(smb.frame(c.message(smb.CANCEL, struct.pack("<HH", 4, 0), message_id=message_id)))
            c.send_bytes(smb.frame(c.message(smb.CANCEL, struct.pack("<HH", 4, 0), message_id=message_id, flags=2)))
            c.send_bytes(smb.frame(c.message(smb.CANCEL, b"", message_id=message_id)))
        self.still_works(c)
        # Somebody else's wait cannot be cancelled.
        _, directory = c.open("", access=0x00100081)
        wait = c.message(smb.CHANGE_NOTIFY, smb.notify_body(directory))
        c.send_bytes(smb.frame(wait))
        message_id, = struct.unpack_from("<Q", wait, 24)
        self.assertEqual(smb.Answer(c.receive_frame()).status, smb.PENDING)
        other = self.client()
        for session in (other.session, c.session):
            other.send_bytes(smb.frame(other.message(smb.CANCEL, struct.pack("<HH", 4, 0), message_id=message_id,
                                                     session=session)))
        c.send_bytes(smb.frame(c.message(smb.CANCEL, struct.pack("<HH", 4, 0), message_id=message_id, sign=False)))
        self.assertEqual(c.receive(0.3), smb.TIMEOUT)
        c.send_bytes(smb.frame(c.message(smb.CANCEL, struct.pack("<HH", 4, 0), message_id=message_id)))
        self.assertEqual(c.receive().status, smb.CANCELLED)

    # --- mutation

    @staticmethod
    def mutated(rng, data):
        data = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            if not data:
                return b"\0"
            kind, at = rng.randrange(6), rng.randrange(len(data))
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif kind == 2:
                del data[at:]
            elif kind == 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            elif kind == 4:
                width = rng.choice((2, 4, 8))
                edge = rng.choice((0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1))
                data[at:at + width] = (edge & ((1 << 8 * width) - 1)).to_bytes(width, "little")
            else:
                data[at:at] = data[at:at + rng.randrange(64)]
        return bytes(data)

    def valid_frames(self, c):
        """Messages of every kind, with fresh ids: what the mutations start from."""
        _, handle = c.open("mutant", disposition=3, access=0x0013019F)
        _, directory = c.open("", access=0x00100081)
        handle, directory = handle or NO_HANDLE, directory or NO_HANDLE
        lease = struct.pack("<IHHHHI", 0, 16, 4, 0, 24, 32) + b"RqLs\0\0\0\0" + b"K" * 16 + struct.pack("<IIQ", 7, 0, 0)
        out = [pair for pair in self.bodies(handle) if pair[0] not in (smb.LOGOFF, smb.TREE_DISCONNECT)]
        out += [(smb.CREATE, smb.create_body("mutant", oplock=0xFF, contexts=lease)),
                (smb.CREATE, smb.create_body("mutant-dir", disposition=3, options=1)),
                (smb.QUERY_DIRECTORY, smb.query_directory_body(directory)),
                (smb.CHANGE_NOTIFY, smb.notify_body(directory)),
                (smb.SET_INFO, smb.rename_body(handle, "mutant2")),
                (smb.SET_INFO, smb.set_info_body(handle, 1, 15, struct.pack("<IBBH", 0, 0, 1, 1) + b"A\0v")),
                (smb.QUERY_INFO, smb.query_info_body(handle, 3, 0, additional=7)),
                (smb.IOCTL, smb.ioctl_body(handle, 0x001440F2, struct.pack("<16s8xII", b"k", 1, 0) + b"\0" * 24))]
        return out

    def test_mutations_of_valid_frames(self):
        """Bit flips, cuts, edges and repeats in signed messages, in sealed envelopes of the wrong size, in compounds."""
        rng = random.Random(SEED)
        end = time.monotonic() + MUTATION_SECONDS
        c = None
        count = dropped = 0
        while time.monotonic() < end:
            if c is None:
                c = smb.client(self.server.port, dialect=rng.choice((0x0202, 0x0210, 0x0210, 0x0210)), timeout=5)
                bodies = self.valid_frames(c)
            if rng.random() < 0.15:  # the whole message, header and all
                command, body = rng.choice(bodies)
                data = self.mutated(rng, c.message(command, body))
                data = c.sign(data) if len(data) >= 64 and rng.random() < 0.8 else data
            elif rng.random() < 0.2:
                parts = []
                for i in range(rng.randrange(2, 6)):
                    command, body = rng.choice(bodies)
                    body = self.mutated(rng, body) if rng.random() < 0.5 else body
                    body += b"\0" * (-len(body) % 8)
                    parts.append(c.sign(smb.header(command, c.take_id(), c.session, c.tree,
                                                   rng.choice((0, smb.RELATED)) if i else 0,
                                                   next_command=64 + len(body)) + body))
                parts[-1] = c.sign(parts[-1][:20] + b"\0\0\0\0" + parts[-1][24:])
                data = b"".join(parts)
            else:
                command, body = rng.choice(bodies)
                data = c.message(command, self.mutated(rng, body))
            alive = c.send_bytes(smb.frame(data))
            count += 1
            if rng.random() < 0.3:
                alive = alive and c.receive(0.02 if rng.random() < 0.2 else 0.002) != smb.CLOSED
            if not alive or rng.random() < 0.004:
                c.close(reset=rng.random() < 0.5)
                c = None
                dropped += 1
        if c:
            c.close()
        self.assertGreater(count, 100)
        self.settle()
        self.furnish()  # mutants may have made anything, but inside

class Stop(unittest.TestCase):
    """The server that is told to end in the middle of things ends, with status 0."""

    def busy(self, port, turn):
        """Clients that wait, read, open and are only half there."""
        holder = smb.client(port)
        self.assertEqual(holder.open("held%d" % turn, disposition=3, oplock=9)[0], smb.SUCCESS)
        waiter = smb.client(port)  # for an acknowledgment that never comes
        waiter.send_bytes(smb.frame(waiter.message(smb.CREATE, smb.create_body("held%d" % turn))))
        other = smb.client(port)
        _, mine = other.open("locked%d" % turn, disposition=3)
        _, again = other.open("locked%d" % turn)
        _, directory = other.open("", access=0x00100081)
        self.assertEqual(other.status(smb.LOCK, smb.lock_body(mine, [(0, 10, 2)])), smb.SUCCESS)
        for body in (smb.lock_body(again, [(5, 10, 2)]), smb.lock_body(again, [(0, 1, 2)])):
            other.send_bytes(smb.frame(other.message(smb.LOCK, body)))
        other.send_bytes(smb.frame(other.message(smb.CHANGE_NOTIFY, smb.notify_body(directory))))
        for k in range(20):
            other.send_bytes(smb.frame(other.message(smb.CREATE, smb.create_body("made%d" % k, disposition=3))))
        ipc = smb.client(port, share="IPC$")
        _, pipe = ipc.open("srvsvc")
        ipc.send_bytes(smb.frame(ipc.message(smb.READ, smb.read_body(pipe, 0, 100))))
        half = smb.Raw(port)
        half.negotiate()
        half.session_setup(half.first_token(), session=0)
        return [holder, waiter, other, ipc, half, smb.Raw(port)]

    def test_it_ends_with_waiting_clients(self):
        for settled in (True, False):
            with self.subTest(settled=settled):
                with flotilla.Server("break_timeout_s = 60\nunauthenticated_timeout_s = 60") as server:
                    clients = [c for turn in range(4) for c in self.busy(server.port, turn)]
                    if settled:
                        time.sleep(0.5)
                    start = time.monotonic()
                self.assertLess(time.monotonic() - start, 20)
                for c in clients:
                    c.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
