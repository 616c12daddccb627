#!/usr/bin/env python3
"""Compressed requests and answers of SMB 3.1.1 against one node, the other side written apart in tests/lib/xca.py.
/usr/bin/python3 (impacket's NTLM)."""
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402
import xca  # noqa: E402

REQUEST_COMPRESSED = 2
COMPRESS_DATA = 0x00100000
AES_128_GCM = 2
ALL = [xca.PATTERN_V1, xca.LZ77, xca.LZ77_HUFFMAN, xca.LZNT1]
TEXT = b"".join(b"line %d of a file that repeats itself, as files do\n" % (i % 700) for i in range(1200))
ENDS = b"\0" * 9000 + TEXT[:3000] + b"\xff" * 5000


class Compression(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server()
        cls.server.__enter__()
        cls.noise = os.urandom(20000)
        for name, data in (("text", TEXT), ("ends", ENDS), ("noise", cls.noise), ("zeros", bytes(1 << 18)),
                           ("tiny", b"aaaa" * 100)):
            with open(os.path.join(cls.server.share, name), "wb") as f:
                f.write(data)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def client(self, algorithms, chained, cipher=0):
        raw = smb.Raw(self.server.port)
        self.addCleanup(raw.close)
        self.assertEqual(raw.negotiate(0x0311, (algorithms, chained), cipher).status, smb.SUCCESS)
        self.assertEqual(raw.authenticate(), smb.SUCCESS)
        self.assertEqual(raw.connect_tree(), smb.SUCCESS)
        return raw

    def handle(self, raw, name, **how):
        status, handle = raw.open(name, **how)
        self.assertEqual(status, smb.SUCCESS)
        return handle

    def read(self, raw, name, size, flags=REQUEST_COMPRESSED):
        """(data, the algorithms that the answer used, its size on the wire)"""
        handle = self.handle(raw, name)
        charge = 1 + (size - 1) // 65536
        raw.send_bytes(smb.frame(raw.message(smb.READ, smb.read_body(handle, 0, size, flags=flags), charge=charge)))
        packet = raw.receive_frame()
        message, used = xca.expand(packet)
        answer = smb.Answer(message)
        self.assertEqual(answer.status, smb.SUCCESS)
        if raw.key:
            clear = message[:48] + bytes(16) + message[64:]
            self.assertEqual(raw.sign(clear)[48:64], message[48:64], "the signature is of the plain message")
        return answer.body[16:], used, len(packet)

    def test_what_is_negotiated(self):
        for offered, chained, want in (
                (ALL, True, ([xca.LZ77, xca.LZ77_HUFFMAN, xca.LZNT1, xca.PATTERN_V1], True)),
                (ALL, False, ([xca.LZ77], False)),  # one: clients without chains know no list
                ([xca.LZNT1, 77], False, ([xca.LZNT1], False)),
                ([xca.PATTERN_V1], False, ([], False)),
                ([5, 99], True, ([], True))):
            raw = smb.Raw(self.server.port)
            self.assertEqual(raw.negotiate(0x0311, (offered, chained)).status, smb.SUCCESS)
            self.assertEqual(raw.compression, want)
            raw.close()
        raw = smb.Raw(self.server.port)
        self.assertEqual(raw.negotiate(0x0311, ([], False)).status, smb.INVALID_PARAMETER)
        raw.close()

    def test_reads_with_each_algorithm(self):
        for algorithm in (xca.LZNT1, xca.LZ77, xca.LZ77_HUFFMAN):
            for chained in (False, True):
                raw = self.client([algorithm], chained)
                data, used, size = self.read(raw, "text", len(TEXT))
                self.assertEqual(data, TEXT)
                self.assertEqual(used, [0, algorithm] if chained else [algorithm])
                self.assertLess(size, len(TEXT) / 2)
                self.assertEqual(self.read(raw, "zeros", 1 << 18)[0], bytes(1 << 18))

    def test_runs_at_the_ends_are_patterns(self):
        raw = self.client(ALL, True)
        data, used, size = self.read(raw, "ends", len(ENDS))
        self.assertEqual(data, ENDS)
        self.assertEqual(used, [0, xca.PATTERN_V1, xca.LZ77, xca.PATTERN_V1])
        data, used, size = self.read(raw, "zeros", 1 << 18)
        self.assertEqual((data, used), (bytes(1 << 18), [0, xca.PATTERN_V1]))
        self.assertLess(size, 200)

    def test_what_does_not_pay_or_was_not_asked_for_stays_plain(self):
        raw = self.client(ALL, True)
        self.assertEqual(self.read(raw, "noise", 20000)[:2], (self.noise, []))
        self.assertEqual(self.read(raw, "text", len(TEXT), flags=0)[:2], (TEXT, []))
        self.assertEqual(self.read(raw, "tiny", 400)[:2], (b"aaaa" * 100, []))
        raw = self.client([xca.PATTERN_V1], False)
        self.assertEqual(self.read(raw, "text", len(TEXT))[:2], (TEXT, []))

    def write(self, raw, name, data, pack):
        handle = self.handle(raw, name, disposition=5)
        message = raw.message(smb.WRITE, smb.write_body(handle, 0, data), charge=1 + (len(data) - 1) // 65536)
        raw.send_bytes(smb.frame(pack(message)))
        self.assertEqual(raw.receive().status, smb.SUCCESS)
        self.assertEqual(raw.status(smb.CLOSE, smb.close_body(handle)), smb.SUCCESS)
        with open(os.path.join(self.server.share, name), "rb") as f:
            self.assertEqual(f.read(), data)

    def test_compressed_writes(self):
        for algorithm in (xca.LZNT1, xca.LZ77, xca.LZ77_HUFFMAN):
            raw = self.client([algorithm], False)
            for offset in (0, 64, 112):
                self.write(raw, "written", TEXT, lambda m, a=algorithm, o=offset: xca.unchained(m, a, o))
        raw = self.client(ALL, True)
        head = 112
        for algorithm in (xca.LZNT1, xca.LZ77, xca.LZ77_HUFFMAN):
            self.write(raw, "written", ENDS, lambda m, a=algorithm: xca.chained(m, [
                (0, head), (xca.PATTERN_V1, 9000), (a, 3000), (xca.PATTERN_V1, 5000)]))

    def test_compressed_and_sealed(self):
        raw = self.client(ALL, True, AES_128_GCM)
        key, raw.key = raw.key, None  # what is sealed is not signed
        raw.send_bytes(smb.frame(raw.seal(raw.message(smb.CREATE, smb.create_body("text")))))
        handle = smb.Answer(raw.unseal(raw.receive_frame())).body[64:80]
        message = raw.message(smb.READ, smb.read_body(handle, 0, len(TEXT), flags=REQUEST_COMPRESSED))
        raw.send_bytes(smb.frame(raw.seal(xca.chained(message, [(xca.LZ77, len(message))]))))
        packet = raw.receive_frame()
        self.assertEqual(packet[:4], b"\xfdSMB", "compression comes first, the seal around it")
        plain, used = xca.expand(raw.unseal(packet))
        self.assertEqual(smb.Answer(plain).body[16:], TEXT)
        self.assertEqual(used, [0, xca.LZ77])
        raw.key = key

    def test_shares_say_that_they_compress(self):
        with flotilla.Server(share="compression = true") as other:
            for compression, want in (((ALL, True), COMPRESS_DATA), (None, 0)):
                raw = smb.Raw(other.port)
                raw.negotiate(0x0311, compression)
                raw.authenticate()
                answer = raw.request(smb.TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, 32) +
                                     "\\\\localhost\\data".encode("utf-16le"), tree=0)
                self.assertEqual(struct.unpack_from("<I", answer.body, 4)[0] & COMPRESS_DATA, want)
                raw.close()

    def test_bad_compressed_messages_end_the_connection(self):
        chain = (ALL, True)
        for what, packet, terms in (
                ("a bomb", xca.MAGIC + struct.pack("<IHHI", 0xFFFFFFFF, xca.LZ77, 0, 0) + bytes(64), (ALL, False)),
                ("a large offset", xca.MAGIC + struct.pack("<IHHI", 64, xca.LZ77, 0, 0xFFFFFF00) + bytes(64), (ALL, False)),
                ("a run that is too long", xca.MAGIC + struct.pack("<IHHIII", 100, 4, 1, 8, 0, 1 << 30), chain),
                ("too little", xca.MAGIC + struct.pack("<IHHI", 5000, 0, 1, 4) + b"abcd", chain),
                ("a chain, none agreed on", xca.MAGIC + struct.pack("<IHHI", 4, 0, 1, 4) + b"abcd", (ALL, False)),
                ("another algorithm", xca.unchained(smb.header(smb.ECHO) + bytes(100), xca.LZNT1), ([xca.LZ77], False)),
                ("damage", xca.MAGIC + struct.pack("<IHHI", 500, xca.LZ77, 0, 0) + b"\xff" * 40, (ALL, False)),
                ("a compressed seal", xca.chained(b"\xfdSMB" + bytes(200), [(xca.LZ77, 204)]), chain),
                ("a compressed compression", xca.chained(xca.MAGIC + bytes(200), [(xca.LZ77, 204)]), chain),
                ("only a magic", xca.MAGIC, chain)):
            raw = self.client(*terms)
            self.assertEqual(raw.outcome(packet), smb.CLOSED, what)
            raw.close()
        raw = smb.Raw(self.server.port)  # a stranger may not make the server take megabytes
        raw.negotiate(0x0311, chain)
        large = smb.header(smb.SESSION_SETUP, 1) + bytes(1 << 20)
        self.assertEqual(raw.outcome(xca.chained(large, [(0, 64), (xca.PATTERN_V1, 1 << 20)])), smb.CLOSED)
        raw.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
