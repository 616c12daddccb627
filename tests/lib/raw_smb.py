"""A raw SMB2 client for hostile tests: it signs in properly and then sends any bytes one likes, signed or not.
It judges nothing: answers come back as values. Needs Debian's python3-impacket (NTLM only); run with /usr/bin/python3."""
import hashlib
import hmac
import os
import socket
import struct

from Cryptodome.Cipher import AES
from impacket import crypto, ntlm, spnego

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE, FLUSH, READ, WRITE, LOCK, IOCTL, \
    CANCEL, ECHO, QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO, SET_INFO, OPLOCK_BREAK = range(19)

SUCCESS, PENDING = 0, 0x103
BUFFER_OVERFLOW, NO_MORE_FILES = 0x80000005, 0x80000006
NOT_IMPLEMENTED, INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH = 0xC0000002, 0xC0000003, 0xC0000004
INVALID_PARAMETER, NO_SUCH_FILE, INVALID_DEVICE_REQUEST, END_OF_FILE = 0xC000000D, 0xC000000F, 0xC0000010, 0xC0000011
MORE_PROCESSING_REQUIRED, ACCESS_DENIED, BUFFER_TOO_SMALL = 0xC0000016, 0xC0000022, 0xC0000023
OBJECT_NAME_INVALID, OBJECT_NAME_NOT_FOUND = 0xC0000033, 0xC0000034
OBJECT_PATH_NOT_FOUND, OBJECT_PATH_SYNTAX_BAD = 0xC000003A, 0xC000003B
LOCK_NOT_GRANTED, LOGON_FAILURE, INVALID_LOCK_RANGE, DISK_FULL = 0xC0000055, 0xC000006D, 0xC00001A1, 0xC000007F
RANGE_NOT_LOCKED, INVALID_VIEW_SIZE, INSUFFICIENT_RESOURCES = 0xC000007E, 0xC000001F, 0xC000009A
FILE_IS_A_DIRECTORY, NOT_SUPPORTED, NETWORK_NAME_DELETED = 0xC00000BA, 0xC00000BB, 0xC00000C9
BAD_NETWORK_NAME, REQUEST_NOT_ACCEPTED, INVALID_OPLOCK_PROTOCOL = 0xC00000CC, 0xC00000D0, 0xC00000E3
NOT_A_DIRECTORY, CANCELLED, NAME_TOO_LONG, FILE_CLOSED = 0xC0000103, 0xC0000120, 0xC0000106, 0xC0000128
STOPPED_ON_SYMLINK, INVALID_DEVICE_STATE, USER_SESSION_DELETED = 0x8000002D, 0xC0000184, 0xC0000203

POSIX = bytes.fromhex("93AD25509CB411E7B42383DE968BCD7C")
SIGNED, RELATED = 8, 4
SAME_FILE = b"\xff" * 16
TIMEOUT = "no answer"
CLOSED = "disconnected"


class Answer:
    """One response; `raw` is the whole message, `body` starts behind the header."""

    def __init__(self, raw):
        self.raw = raw
        (_, self.charge, self.status, self.command, self.credits, self.flags, self.next, self.message_id, self.pid,
         self.tree, self.session) = struct.unpack("<4xHHIHHIIQIIQ", raw[:48])
        self.body = raw[64:]

    def __repr__(self):
        return "<answer to %d: 0x%08x>" % (self.command, self.status)


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def header(command, message_id=0, session=0, tree=0, flags=0, charge=1, credits=64, next_command=0, size=64,
           protocol=b"\xfeSMB"):
    return protocol + struct.pack("<HHIHHIIQIIQ", size, charge, 0, command, credits, flags, next_command, message_id,
                                  0xFEFF, tree, session) + b"\0" * 16


class Raw:
    """One connection. `key` is None until authenticate() has worked; `dialect` says how it signs."""

    def __init__(self, port, host="127.0.0.1", timeout=20):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.next_id = 0
        self.session = self.tree = 0
        self.key = None
        self.dialect = 0
        self.preauth = b"\0" * 64
        self.sent = []  # the valid messages that request() sent, for mutation

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # --- bytes

    def send_bytes(self, data):
        """True unless the server has ended the connection."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def receive_frame(self, timeout=None):
        """A frame's payload, CLOSED or TIMEOUT."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        try:
            size, = struct.unpack(">I", self._exactly(4))
            return self._exactly(size)
        except TimeoutError:
            return TIMEOUT
        except OSError:
            return CLOSED
        finally:
            self.socket.settimeout(self.timeout)

    def receive(self, timeout=None):
        """An Answer, CLOSED or TIMEOUT. Interim answers are skipped."""
        while True:
            got = self.receive_frame(timeout)
            if got in (TIMEOUT, CLOSED):
                return got
            answer = Answer(got)
            if answer.status != PENDING:
                return answer

    def outcome(self, payload, timeout=None):
        """Sends one frame; the status of the answer, CLOSED or TIMEOUT."""
        self.send_bytes(frame(payload))
        got = self.receive(timeout)
        return got if isinstance(got, str) else got.status

    # --- messages

    def take_id(self, charge=1):
        self.next_id += charge
        return self.next_id - charge

    def sign(self, message):
        """The message with its SIGNED flag and signature."""
        flags, = struct.unpack_from("<I", message, 16)
        clear = bytearray(message)
        struct.pack_into("<I", clear, 16, flags | SIGNED)
        clear[48:64] = b"\0" * 16
        if self.dialect < 0x300:
            signature = hmac.new(self.key, bytes(clear), hashlib.sha256).digest()[:16]
        else:
            signature = crypto.AES_CMAC(self.key, bytes(clear), len(clear))
        clear[48:64] = signature
        return bytes(clear)

    def message(self, command, body, sign=None, charge=1, **fields):
        fields.setdefault("session", self.session)
        fields.setdefault("tree", self.tree)
        message_id = fields.pop("message_id", None)
        if message_id is None:
            message_id = self.take_id(charge)
        made = header(command, message_id, charge=charge, **fields) + body
        if sign is None:
            sign = self.key is not None
        return self.sign(made) if sign else made

    def request(self, command, body, **fields):
        made = self.message(command, body, **fields)
        self.sent.append(made)
        self.send_bytes(frame(made))
        return self.receive()

    def status(self, command, body, **fields):
        got = self.request(command, body, **fields)
        return got if isinstance(got, str) else got.status

    def compound(self, parts, related=True, sign=None):
        """One frame of many requests; [(command, body)] in, the list of (command, status) of all answers out."""
        out = b""
        for i, (command, body) in enumerate(parts):
            body += b"\0" * (-len(body) % 8)
            part = header(command, self.take_id(), self.session, self.tree, RELATED if related and i else 0,
                          next_command=64 + len(body) if i + 1 < len(parts) else 0) + body
            out += self.sign(part) if sign is not False and self.key else part
        self.sent.append(out)
        self.send_bytes(frame(out))
        return self.receive_all(len(parts))

    def receive_all(self, count, timeout=None):
        answers = []
        while len(answers) < count:
            got = self.receive_frame(timeout)
            if isinstance(got, str):
                return answers + [(None, got)]
            while got:
                answer = Answer(got)
                if answer.status != PENDING:
                    answers.append((answer.command, answer.status))
                got = got[answer.next:] if answer.next else b""
        return answers

    # --- the way in

    def negotiate(self, dialect=0x0210, compression=None, cipher=0, guid=None, posix=False):
        """`compression`: (algorithms, chained) to offer; what was agreed on is in self.compression then. `cipher`: the
        one to offer (2: AES-128-GCM). `guid`: the ClientGuid; its own for every connection where none is given."""
        self.dialect = dialect
        self.compression = ([], False)
        self.posix = False
        more = []
        if compression:
            more.append((3, struct.pack("<HHI", len(compression[0]), 0, int(compression[1])) + b"".join(
                struct.pack("<H", a) for a in compression[0])))
        if posix:
            more.append((0x100, POSIX))
        if cipher:
            more.append((2, struct.pack("<HH", 1, cipher)))
        contexts = b""
        offset = 0
        if dialect == 0x0311:
            data = struct.pack("<HHH", 1, 32, 1) + os.urandom(32)
            contexts = struct.pack("<HHI", 1, len(data), 0) + data
            signing = struct.pack("<HHI", 8, 4, 0) + struct.pack("<HH", 1, 1)  # AES-CMAC
            contexts += b"\0" * (-len(contexts) % 8) + signing
            for kind, data in more:
                contexts += b"\0" * (-len(contexts) % 8) + struct.pack("<HHI", kind, len(data), 0) + data
            offset = 64 + 40
        body = struct.pack("<HHHHI", 36, 1, 1, 0, 0x7F) + (guid or os.urandom(16)) + struct.pack(
            "<IHHH", offset, 2 + len(more) if offset else 0, 0, dialect)
        body += b"\0" * (offset - 64 - len(body) if offset else 0) + contexts
        made = self.message(NEGOTIATE, body)
        self.send_bytes(frame(made))
        answer = self.receive()
        if isinstance(answer, Answer):
            self.mix(made)
            self.mix(answer.raw)
            if more and answer.status == SUCCESS:
                self.read_contexts(answer.raw)
        return answer

    def read_contexts(self, message):
        count, at = struct.unpack_from("<H", message, 64 + 6)[0], struct.unpack_from("<I", message, 64 + 60)[0]
        for _ in range(count):
            kind, size = struct.unpack_from("<HH", message, at)
            data = message[at + 8:at + 8 + size]
            if kind == 0x100:
                self.posix = data == POSIX
            if kind == 3:
                algorithms = struct.unpack_from("<%dH" % struct.unpack_from("<H", data)[0], data, 8)
                self.compression = ([a for a in algorithms if a], bool(struct.unpack_from("<I", data, 4)[0] & 1))
            at += 8 + size + -size % 8

    def mix(self, message):
        self.preauth = hashlib.sha512(self.preauth + message).digest()

    def session_setup(self, token, **fields):
        body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token
        made = self.message(SESSION_SETUP, body, tree=0, **fields)
        self.send_bytes(frame(made))
        answer = self.receive()
        self.mix(made)
        if isinstance(answer, Answer) and answer.status == MORE_PROCESSING_REQUIRED:
            self.mix(answer.raw)
        return answer

    def first_token(self):
        self.type1 = ntlm.getNTLMSSPType1("", "", True)
        blob = spnego.SPNEGO_NegTokenInit()
        blob["MechTypes"] = [spnego.TypesMech["NTLMSSP - Microsoft NTLM Security Support Provider"]]
        blob["MechToken"] = self.type1.getData()
        return blob.getData()

    def second_token(self, challenge, user="tester", password="Secret123"):
        """(token, session key) for the server's challenge, in SPNEGO or bare."""
        bare = challenge.startswith(b"NTLMSSP")  # a server answers as it was asked
        type2 = challenge if bare else spnego.SPNEGO_NegTokenResp(challenge)["ResponseToken"]
        type3, key = ntlm.getNTLMSSPType3(self.type1, type2, user, password, "")
        if bare:
            return type3.getData(), key
        blob = spnego.SPNEGO_NegTokenResp()
        blob["ResponseToken"] = type3.getData()
        return blob.getData(), key

    def authenticate(self, user="tester", password="Secret123"):
        """The final answer's status; session and key are set where it is SUCCESS."""
        got = self.session_setup(self.first_token(), session=0)
        if isinstance(got, str) or got.status != MORE_PROCESSING_REQUIRED:
            return got if isinstance(got, str) else got.status
        self.session = got.session
        token, key = self.second_token(got.body[8:], user, password)
        got = self.session_setup(token)
        if isinstance(got, str) or got.status != SUCCESS:
            self.session = 0
            return got if isinstance(got, str) else got.status
        if self.dialect >= 0x300:
            label, context = (b"SMBSigningKey\0", self.preauth) if self.dialect == 0x311 else (
                b"SMB2AESCMAC\0", b"SmbSign\0")
            if self.dialect == 0x311:
                self.sealing_keys = [crypto.KDF_CounterMode(key, name, context, 128)
                                     for name in (b"SMBC2SCipherKey\0", b"SMBS2CCipherKey\0")]
            key = crypto.KDF_CounterMode(key, label, context, 128)
        self.key = key
        return SUCCESS

    def connect_tree(self, share="data"):
        path = ("\\\\127.0.0.1\\" + share).encode("utf-16le")
        got = self.request(TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, len(path)) + path, tree=0)
        if isinstance(got, Answer) and got.status == SUCCESS:
            self.tree = got.tree
        return got if isinstance(got, str) else got.status

    # --- sealing, AES-128-GCM

    def seal(self, message):
        nonce = os.urandom(12)
        tail = nonce + b"\0" * 4 + struct.pack("<IHHQ", len(message), 0, 1, self.session)
        sealer = AES.new(self.sealing_keys[0], AES.MODE_GCM, nonce=nonce)
        sealer.update(tail)
        sealed, tag = sealer.encrypt_and_digest(message)
        return b"\xfdSMB" + tag + tail + sealed

    def unseal(self, packet):
        opener = AES.new(self.sealing_keys[1], AES.MODE_GCM, nonce=packet[20:32])
        opener.update(packet[20:52])
        return opener.decrypt_and_verify(packet[52:], packet[4:20])

    # --- files

    def open(self, name, **how):
        """(status, FileId or None)"""
        got = self.request(CREATE, create_body(name, **how))
        if isinstance(got, str) or got.status != SUCCESS:
            return (got if isinstance(got, str) else got.status), None
        return SUCCESS, got.body[64:80]


def client(port, dialect=0x0210, share="data", user="tester", guid=None, **how):
    """A connection that is authenticated and has a tree."""
    raw = Raw(port, **how)
    for step in (lambda: raw.negotiate(dialect, guid=guid).status, lambda: raw.authenticate(user),
                 lambda: raw.connect_tree(share)):
        status = step()
        if status != SUCCESS:
            raise AssertionError("no way in: %r" % (status if isinstance(status, str) else hex(status)))
    raw.sent.clear()
    return raw


def create_body(name, access=0x0012019F, disposition=1, options=0, share=7, contexts=b"", oplock=0):
    """`name` is text or the bytes of the Buffer as they are."""
    path = name if isinstance(name, bytes) else name.encode("utf-16le", "surrogatepass")
    padded = path + b"\0" * (-len(path) % 8)
    return struct.pack("<HBBIQQIIIIIHHII", 57, 0, oplock, 2, 0, 0, access, 0, share, disposition, options, 120,
                       len(path), 120 + len(padded) if contexts else 0, len(contexts)) + (
                           padded + contexts if contexts else path or b"\0")


def close_body(handle, flags=0):
    return struct.pack("<HHI", 24, flags, 0) + handle


def flush_body(handle):
    return struct.pack("<HHI", 24, 0, 0) + handle


def read_body(handle, offset, length, minimum=0, flags=0):
    return struct.pack("<HBBIQ", 49, 0x50, flags, length, offset) + handle + struct.pack("<IIIHHB", minimum, 0, 0, 0, 0, 0)


def write_body(handle, offset, data, data_offset=112, length=None):
    return struct.pack("<HHIQ", 49, data_offset, len(data) if length is None else length, offset) + handle + \
        struct.pack("<IIHHI", 0, 0, 0, 0, 0) + data


def lock_body(handle, locks, count=None):
    return struct.pack("<HHI", 48, len(locks) if count is None else count, 0) + handle + b"".join(
        struct.pack("<QQII", offset, length, flags, 0) for offset, length, flags in locks)


def ioctl_body(handle, code, data=b"", output=65536, flags=1, offset=120, length=None):
    return struct.pack("<HHI", 57, 0, code) + handle + struct.pack(
        "<IIIIIIII", offset, len(data) if length is None else length, 0, 0, 0, output, flags, 0) + (data or b"\0")


def query_directory_body(handle, pattern="*", output=65536, info_class=37, flags=0, offset=96, length=None):
    name = pattern.encode("utf-16le")
    return struct.pack("<HBBI", 33, info_class, flags, 0) + handle + struct.pack(
        "<HHI", offset, len(name) if length is None else length, output) + (name or b"\0")


def query_info_body(handle, kind, info_class, output=65536, data=b"", offset=104, length=None, additional=0):
    return struct.pack("<HBBIHHIII", 41, kind, info_class, output, offset, 0, len(data) if length is None else length,
                       additional, 0) + handle + (data or b"\0")


def set_info_body(handle, kind, info_class, data, offset=96, length=None, additional=0):
    return struct.pack("<HBBIHHI", 33, kind, info_class, len(data) if length is None else length, offset, 0,
                       additional) + handle + (data or b"\0")


def notify_body(handle, output=4096, flags=0, filter_=0x17):
    return struct.pack("<HHI", 32, flags, output) + handle + struct.pack("<II", filter_, 0)


def rename_body(handle, target, replace=True):
    name = target.encode("utf-16le")
    return set_info_body(handle, 1, 10, struct.pack("<B7xQI", replace, 0, len(name)) + name)
