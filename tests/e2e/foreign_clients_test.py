#!/usr/bin/env python3
"""What clients of other makes ask for: macOS' AAPL context and listings, DFS referrals, a directory of 100,000 entries.
/usr/bin/python3 (impacket's NTLM)."""
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402

ID_BOTH_DIRECTORY = 37
ENTRIES = int(os.environ.get("FLOTILLA_ENTRIES", 100000))


def context(name, data):
    name_room = len(name) + -len(name) % 8
    return struct.pack("<IHHHHI", 0, 16, len(name), 0, 16 + name_room, len(data)) + name.ljust(name_room, b"\0") + data


def contexts_of(answer):
    at, length = struct.unpack_from("<II", answer.raw, 64 + 80)
    found = {}
    while length:
        following, name_at, name_size, _, data_at, data_size = struct.unpack_from("<IHHHHI", answer.raw, at)
        found[answer.raw[at + name_at:at + name_at + name_size]] = answer.raw[at + data_at:at + data_at + data_size]
        if not following:
            break
        at += following
    return found


def entries_of(answer):
    """{name: the entry's bytes} of FileIdBothDirectoryInformation"""
    at, size = struct.unpack_from("<HI", answer.raw, 64 + 2)
    data, found, i = answer.raw[at:at + size], {}, 0
    while True:
        following, = struct.unpack_from("<I", data, i)
        name_size, = struct.unpack_from("<I", data, i + 60)
        found[data[i + 104:i + 104 + name_size].decode("utf-16le")] = data[i:i + 104]
        if not following:
            return found
        i += following


class MacOs(unittest.TestCase):
    QUERY = struct.pack("<IIQQ", 1, 0, 7, 1)  # server query: all three answers; the client knows listings

    def client(self, server):
        raw = smb.client(server.port)
        self.addCleanup(raw.close)
        return raw

    def test_the_context_and_listings(self):
        with flotilla.Server() as server:
            raw = self.client(server)
            status, handle = raw.open("song", disposition=5)
            self.assertEqual(status, smb.SUCCESS)
            finder = b"TYPECREA" + b"\x40\x00" + bytes(14) + b"\x80\x01" + bytes(6)
            for stream, data in (("song:AFP_AfpInfo", b"AFP\0" + struct.pack(">III", 0x10000, 0, 0) + finder + bytes(12)),
                                 ("song:AFP_Resource", b"fork" * 100)):
                status, fork = raw.open(stream, disposition=5)
                self.assertEqual(status, smb.SUCCESS)
                self.assertEqual(raw.status(smb.WRITE, smb.write_body(fork, 0, data)), smb.SUCCESS)
                raw.status(smb.CLOSE, smb.close_body(fork))
            plain = self.listing(raw)
            self.assertNotEqual(plain["song"][68], 24)

            answer = raw.request(smb.CREATE, smb.create_body("", access=0x120089, options=1,
                                                             contexts=context(b"AAPL", self.QUERY)))
            self.assertEqual(answer.status, smb.SUCCESS)
            told = contexts_of(answer)[b"AAPL"]
            command, _, asked, capabilities, volume, _, size = struct.unpack_from("<IIQQQII", told)
            self.assertEqual((command, asked, capabilities & 1, volume), (1, 7, 1, 4))
            self.assertEqual(told[40:40 + size].decode("utf-16le"), "Xserve")

            entry = self.listing(raw)["song"]
            access, short, fork_size = struct.unpack_from("<IHQ", entry, 64)
            self.assertEqual((short, fork_size), (24, 400))
            self.assertEqual(access & 0x120089, 0x120089)
            self.assertEqual(entry[78:90], b"TYPECREA\x40\x00\x80\x01")
            # Another connection's tree knows nothing of it.
            self.assertNotEqual(self.listing(self.client(server))["song"][68], 24)

    def listing(self, raw):
        status, handle = raw.open("", access=0x120089, options=1)
        self.assertEqual(status, smb.SUCCESS)
        answer = raw.request(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, info_class=ID_BOTH_DIRECTORY))
        self.assertEqual(answer.status, smb.SUCCESS)
        raw.status(smb.CLOSE, smb.close_body(handle))
        return entries_of(answer)

    def test_switched_off_and_malformed(self):
        with flotilla.Server("macos = false") as server:
            raw = self.client(server)
            answer = raw.request(smb.CREATE, smb.create_body("", access=0x120089, options=1,
                                                             contexts=context(b"AAPL", self.QUERY)))
            self.assertEqual((answer.status, contexts_of(answer)), (smb.SUCCESS, {}))
        with flotilla.Server() as server:
            raw = self.client(server)
            for query in (b"", self.QUERY[:20], b"\x02" + self.QUERY[1:]):
                answer = raw.request(smb.CREATE, smb.create_body("", access=0x120089, options=1,
                                                                 contexts=context(b"AAPL", query)))
                self.assertEqual((answer.status, contexts_of(answer)), (smb.SUCCESS, {}))


class Posix(unittest.TestCase):
    POSIX_INFORMATION = 100

    def client(self, server, posix=True):
        raw = smb.Raw(server.port)
        self.addCleanup(raw.close)
        self.assertEqual(raw.negotiate(0x0311, posix=posix).status, smb.SUCCESS)
        self.assertEqual((raw.authenticate(), raw.connect_tree()), (smb.SUCCESS, smb.SUCCESS))
        return raw

    def make(self, raw, name, mode, options=0):
        answer = raw.request(smb.CREATE, smb.create_body(name, access=0x001F01FF, disposition=3, options=options,
                                                         contexts=context(smb.POSIX, struct.pack("<I", mode))))
        self.assertEqual(answer.status, smb.SUCCESS)
        return answer

    def mode_of(self, server, name):
        return oct(os.stat(os.path.join(server.share, name)).st_mode & 0o7777)

    @staticmethod
    def sid(text):
        numbers = [int(n) for n in text.split("-")[2:]]
        return bytes([1, len(numbers) - 1]) + numbers[0].to_bytes(6, "big") + b"".join(
            struct.pack("<I", n) for n in numbers[1:])

    def test_modes_owners_and_names(self):
        with flotilla.Server() as server:
            raw = self.client(server)
            self.assertTrue(raw.posix)
            answer = self.make(raw, "dir", 0o2750, options=1)
            self.assertEqual(self.mode_of(server, "dir"), "0o2750")
            # Who has a directory open for DELETE keeps new names out of it.
            self.assertEqual(raw.status(smb.CLOSE, smb.close_body(answer.body[64:80])), smb.SUCCESS)
            odd = "dir/a:b*c?\"<>|"
            answer = self.make(raw, odd, 0o640)
            self.assertEqual(self.mode_of(server, odd), "0o640")
            stat = os.stat(os.path.join(server.share, odd))
            told = contexts_of(answer)[smb.POSIX]
            sids = self.sid("S-1-22-1-%d" % stat.st_uid) + self.sid("S-1-22-2-%d" % stat.st_gid)
            self.assertEqual(told, struct.pack("<III", 1, 0, 0o640) + sids)
            handle = answer.body[64:80]

            answer = raw.request(smb.QUERY_INFO, smb.query_info_body(handle, 1, self.POSIX_INFORMATION))
            self.assertEqual(answer.status, smb.SUCCESS)
            data = answer.body[8:]
            self.assertEqual(struct.unpack_from("<Q", data, 52)[0], stat.st_ino)
            self.assertEqual(data[68:80] + data[80:80 + len(sids)], struct.pack("<III", 1, 0, 0o640) + sids)

            # chmod, as the kernel's client says it: an ACE of S-1-5-88-3-MODE, or three ordinary ones.
            self.set_dacl(raw, handle, [("S-1-5-88-3-%d" % 0o4711, 0)])
            self.assertEqual(self.mode_of(server, odd), "0o4711")
            answer = raw.request(smb.QUERY_INFO, smb.query_info_body(handle, 2, self.POSIX_INFORMATION))
            self.assertEqual((answer.status, len(answer.body) - 8), (smb.SUCCESS, 56))

            status, directory = raw.open("dir", access=0x120089, options=1)
            self.assertEqual(status, smb.SUCCESS)
            answer = raw.request(smb.QUERY_DIRECTORY, smb.query_directory_body(directory,
                                                                              info_class=self.POSIX_INFORMATION))
            self.assertEqual(answer.status, smb.SUCCESS)
            data, names, at = answer.body[8:], {}, 0
            while True:
                following, = struct.unpack_from("<I", data, at)
                behind = at + 88
                mode, = struct.unpack_from("<I", data, behind - 4)
                for _ in range(2):
                    behind += 8 + 4 * data[behind + 1]
                size, = struct.unpack_from("<I", data, behind)
                names[data[behind + 4:behind + 4 + size].decode("utf-16le")] = oct(mode)
                if not following:
                    break
                at += following
            self.assertEqual(names[odd[4:]], "0o4711")
            self.assertEqual(sorted(names)[:2], [".", ".."])

            self.assertEqual(raw.status(smb.SET_INFO, smb.rename_body(handle, "dir/new:name")), smb.SUCCESS)
            self.assertEqual(os.listdir(os.path.join(server.share, "dir")), ["new:name"])
            for bad in ("dir/../dir", "dir//x", "./dir", "dir/..", ".."):
                self.assertNotEqual(raw.open(bad, disposition=3)[0], smb.SUCCESS, bad)

    def ioctl(self, raw, handle, code, data=b""):
        return raw.request(smb.IOCTL, smb.ioctl_body(handle, code, data))

    def test_links_and_names_by_case(self):
        get, put = 0x000900A8, 0x000900A4
        open_itself, delete_on_close = 0x00200000, 0x1000
        with flotilla.Server() as server:
            raw = self.client(server)
            os.symlink("/etc/passwd", os.path.join(server.share, "out"))
            self.assertEqual(raw.open("out")[0], smb.ACCESS_DENIED)  # agreed on, but not used yet
            first = self.make(raw, "first", 0o600).body[64:80]  # a mount's own first CREATE has the context too
            self.assertEqual(raw.status(smb.CLOSE, smb.close_body(first)), smb.SUCCESS)
            os.unlink(os.path.join(server.share, "first"))
            # A link of the disk's is shown, not followed, wherever it leads.
            self.assertEqual(raw.open("out")[0], 0x8000002D)
            self.assertEqual(raw.open("out/x")[0], 0x8000002D)
            status, link = raw.open("out", access=0x120080, options=open_itself)
            self.assertEqual(status, smb.SUCCESS)
            data = self.ioctl(raw, link, get).body[48:]
            self.assertEqual(struct.unpack_from("<I", data)[0], 0xA000000C)
            self.assertEqual(data[20:].decode("utf-16le"), "/etc/passwd" * 2)
            self.assertEqual(raw.status(smb.CLOSE, smb.close_body(link)), smb.SUCCESS)
            # A link that a client makes is none to anybody on this machine.
            handle = self.make(raw, "made", 0o777, options=open_itself).body[64:80]
            target = "../../etc/passwd".encode("utf-16le")
            buffer = struct.pack("<IHHQ", 0x80000014, 8 + len(target), 0, 0x014B4E4C) + target
            self.assertEqual(self.ioctl(raw, handle, put, buffer).status, smb.SUCCESS)
            self.assertEqual(self.ioctl(raw, handle, get).body[48:], buffer)
            self.assertEqual(raw.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
            local = os.path.join(server.share, "made")
            self.assertFalse(os.path.islink(local))
            self.assertEqual(os.getxattr(local, "user.SmbReparse"), buffer)
            self.assertEqual(raw.open("made")[0], 0xC0000279)
            # Each by its own name, and removed while somebody has it open.
            held = self.make(raw, "Name", 0o600).body[64:80]
            self.make(raw, "name", 0o600)
            for name in ("Name", "out", "made"):
                status, handle = raw.open(name, access=0x10080, options=open_itself | delete_on_close)
                self.assertEqual(status, smb.SUCCESS, name)
                self.assertEqual(raw.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
            self.assertEqual(os.listdir(server.share), ["name"])
            self.assertTrue(os.path.exists("/etc/passwd"))
            self.assertEqual(raw.status(smb.CLOSE, smb.close_body(held)), smb.SUCCESS)

    def set_dacl(self, raw, handle, aces):
        acl = b""
        for sid, mask in aces:
            sid = self.sid(sid)
            acl += struct.pack("<BBHI", 0, 0, 8 + len(sid), mask) + sid
        descriptor = struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHH", 2, 0, 8 + len(acl),
                                                                                    len(aces), 0) + acl
        self.assertEqual(raw.status(smb.SET_INFO, smb.set_info_body(handle, 3, 0, descriptor, additional=4)), smb.SUCCESS)

    def test_only_where_agreed_on(self):
        with flotilla.Server() as server:
            raw = self.client(server, posix=False)
            answer = self.make(raw, "file", 0o600)
            self.assertEqual(contexts_of(answer), {})
            self.assertEqual(self.mode_of(server, "file"), "0o644")
            self.assertEqual(raw.status(smb.QUERY_INFO, smb.query_info_body(answer.body[64:80], 1, 100)),
                             smb.INVALID_INFO_CLASS)
            self.assertEqual(raw.open("a/b", disposition=3)[0], smb.OBJECT_PATH_NOT_FOUND)
        with flotilla.Server("posix = false") as server:
            self.assertFalse(self.client(server).posix)


class Dfs(unittest.TestCase):
    GET_REFERRALS = 0x00060194

    def test_smbclient_follows_a_referral(self):
        with flotilla.Server(share="# the share that is there") as there:
            with open(os.path.join(there.share, "found"), "wb") as f:
                f.write(b"it is here")
            here = flotilla.Server(
                share="[[share]]\nname = \"moved\"\ndfs_referral = ['\\\\127.0.0.1\\data']\n")
            here.port, here.host = there.port, "127.0.0.2"
            with here:
                status, output = flotilla.smbclient("127.0.0.2", here.port, "ls", share="moved")
                self.assertEqual(status, 0, output)
                self.assertIn("found", output)
                # The other share is where it was, and what is nowhere is nowhere.
                self.assertNotIn("found", flotilla.smbclient("127.0.0.2", here.port, "ls")[1])
                self.assertIn("BAD_NETWORK_NAME", flotilla.smbclient("127.0.0.2", here.port, "ls", share="nowhere")[1])
                self.raw_referrals(here)

    def raw_referrals(self, server):
        raw = smb.client(server.port, share="IPC$", host=server.host)
        self.addCleanup(raw.close)

        def ask(path, level=4, output=4096):
            request = struct.pack("<H", level) + (path + "\0").encode("utf-16le")
            return raw.request(smb.IOCTL, smb.ioctl_body(smb.SAME_FILE, self.GET_REFERRALS, request, output))

        answer = ask("\\127.0.0.2\\MOVED\\deep\\down")
        self.assertEqual(answer.status, smb.SUCCESS)
        consumed, count, _, version = struct.unpack_from("<HHIH", answer.body, 48)
        self.assertEqual((consumed, count, version), (2 * len("\\127.0.0.2\\MOVED"), 1, 4))
        self.assertEqual(struct.unpack_from("<H", ask("\\h\\moved", level=3).body, 48 + 8)[0], 3)
        for path, level, output, status in (("\\h\\data", 4, 4096, 0xC0000225), ("\\h\\none", 4, 4096, 0xC0000225),
                                            ("\\h", 4, 4096, 0xC0000225), ("h\\moved", 4, 4096, smb.INVALID_PARAMETER),
                                            ("\\h\\moved", 2, 4096, smb.NOT_SUPPORTED),
                                            ("\\h\\moved", 4, 20, smb.BUFFER_OVERFLOW)):
            self.assertEqual(hex(ask(path, level, output).status), hex(status), path)

    def test_without_referrals_it_is_no_dfs_server(self):
        with flotilla.Server() as server:
            raw = smb.client(server.port, share="IPC$")
            request = struct.pack("<H", 4) + "\\h\\data\0".encode("utf-16le")
            self.assertEqual(raw.status(smb.IOCTL, smb.ioctl_body(smb.SAME_FILE, self.GET_REFERRALS, request)), 0xC000019C)
            raw.close()


class LargeDirectory(unittest.TestCase):
    def memory_kib(self, server):
        with open("/proc/%d/status" % server.process.pid, encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])

    def test_memory_does_not_grow_with_what_was_listed(self):
        with flotilla.Server() as server:
            os.mkdir(os.path.join(server.share, "large"))
            for number in range(ENTRIES):
                os.close(os.open(os.path.join(server.share, "large", "entry-%06d" % number), os.O_CREAT | os.O_WRONLY))
            raw = smb.client(server.port)
            self.addCleanup(raw.close)
            at_first = self.memory_kib(server)
            peaks = []
            for _ in range(4):
                count, most = self.count(raw, server, "large")
                self.assertEqual(count, ENTRIES + 2)
                peaks.append(most)
            # One lookup in another case makes the directory's index: within its budget (64 MiB a share), once.
            self.assertEqual(raw.open("LARGE\\ENTRY-%06d" % (ENTRIES // 2))[0], smb.SUCCESS)
            indexed = self.memory_kib(server)
            self.assertEqual(raw.open("LARGE\\ENTRY-%06d" % (ENTRIES // 3))[0], smb.SUCCESS)
            again = self.memory_kib(server)
            print("%d entries: %d KiB before, four listings: %s KiB, lookups: %d, %d KiB" % (
                ENTRIES, at_first, peaks, indexed, again), flush=True)
            self.assertLess(peaks[0] - at_first, 6144)
            self.assertLess(peaks[-1] - peaks[0], 2048)
            self.assertLess(indexed - peaks[-1], 24 << 10)
            self.assertLess(again - indexed, 1024)

    def count(self, raw, server, name):
        """(how many entries, the most memory seen)"""
        status, handle = raw.open(name, access=0x120089, options=1)
        self.assertEqual(status, smb.SUCCESS)
        count, most = 0, 0
        while True:
            answer = raw.request(smb.QUERY_DIRECTORY, smb.query_directory_body(handle, info_class=ID_BOTH_DIRECTORY))
            if answer.status == smb.NO_MORE_FILES:
                raw.status(smb.CLOSE, smb.close_body(handle))
                return count, most
            self.assertEqual(answer.status, smb.SUCCESS)
            count += len(entries_of(answer))
            most = max(most, self.memory_kib(server))


if __name__ == "__main__":
    unittest.main(verbosity=2)
