"""An SMB2 client that keeps several requests under way and hears breaks, over raw_smb: what tests of state need. One
Session may have several Connections (channels). Statuses are values. /usr/bin/python3 (impacket)."""
import collections
import os
import select
import socket
import struct
import time

import raw_smb as smb
from Cryptodome.Cipher import AES
from Cryptodome.Hash import CMAC
from durable import contexts
from impacket import crypto

R, H, W = 1, 2, 4
SHARING_VIOLATION, DELETE_PENDING, FILE_LOCK_CONFLICT = 0xC0000043, 0xC0000056, 0xC0000054
NOTIFY_ENUM_DIR, NOTIFY_CLEANUP, FILE_NOT_AVAILABLE = 0x10C, 0x10B, 0xC0000467
DUPLICATE_OBJECTID, CONNECTION_GONE = 0xC000022A, "disconnected"
REPLAY = 0x20000000
ASYNC = 2

Opened = collections.namedtuple("Opened", "status handle oplock lease action size contexts")
Break = collections.namedtuple("Break", "kind key before after epoch flags")
NOTHING = Opened(None, None, None, None, None, None, {})


def lease_context(key, state, parent=None, version=2, epoch=0, flags=0):
    data = key + struct.pack("<IIQ", state, flags | (4 if parent else 0), 0)
    if version == 2:
        data += (parent or bytes(16)) + struct.pack("<HH", epoch, 0)
    return b"RqLs", data


def read_contexts(data):
    found, at = {}, 0
    while data[at:]:
        more, name_at, name_size, _, data_at, size = struct.unpack_from("<IHHHHI", data, at)
        found[data[at + name_at:at + name_at + name_size]] = data[at + data_at:at + data_at + size]
        if not more:
            break
        at += more
    return found


class Connection(smb.Raw):
    """send() gives a message id, wait() its final answer; interim answers and breaks that come meanwhile are kept."""

    def __init__(self, host, port=445, dialect=0x0302, guid=None, user="tester", share="data", login=True,
                 previous=0, timeout=20, password="Secret123"):
        super().__init__(port, host=host, timeout=timeout)
        self.guid = guid or os.urandom(16)
        self.user, self.password = user, password
        self.answers, self.interim, self.breaks = {}, {}, []
        self.buffer = b""
        self.gone = False
        self.channel_sequence = 0
        self.trees = {}
        got = self.negotiate(dialect, guid=self.guid)
        assert not isinstance(got, str) and got.status == 0, got
        if login:
            status = self.log_in(previous)
            assert status == 0, hex(status)
            status = self.connect_tree(share)
            assert status == 0, (share, hex(status))

    # --- signing in: raw_smb's own, with PreviousSessionId and binding

    def setup_message(self, token, previous=0, binding=False, session=None, key=None):
        body = struct.pack("<HBBIIHHQ", 25, 1 if binding else 0, 1, 0, 0, 88, len(token), previous) + token
        made = smb.header(smb.SESSION_SETUP, self.take_id(), self.session if session is None else session, 0)
        made += body
        if key:
            own, self.key = self.key, key
            made = self.sign(made)
            self.key = own
        return made

    def log_in(self, previous=0, user=None, password=None):
        """The status. A session that is there is authenticated anew."""
        again = self.session != 0
        preauth, key = self.preauth, self.key
        signing = key if again else None
        status, session_key = self.exchange(previous, user or self.user, password or self.password, signing=signing)
        if status != 0:
            if not again:
                self.session = 0
            return status
        if not again:
            self.session_key = session_key
            self.key = self.signing_key(session_key)
            self.master = self.key
        self.preauth = preauth
        return 0

    def exchange(self, previous, user, password, binding=False, signing=None):
        preauth = self.preauth
        made = self.setup_message(self.first_token(), previous, binding, key=signing)
        got = self.ask(made)
        self.mix(made)
        if isinstance(got, str) or got.status != smb.MORE_PROCESSING_REQUIRED:
            self.preauth = preauth
            return got if isinstance(got, str) else got.status, None
        self.mix(got.raw)
        self.session = got.session
        token, key = self.second_token(got.body[8:], user, password)
        made = self.setup_message(token, previous, binding, key=signing)
        got = self.ask(made)
        self.mix(made)
        return got if isinstance(got, str) else got.status, key

    def ask(self, made):
        self.send_bytes(smb.frame(made))
        return self.wait(struct.unpack_from("<Q", made, 24)[0])

    def signing_key(self, session_key):
        if self.dialect < 0x300:
            return session_key
        label, context = (b"SMBSigningKey\0", self.preauth) if self.dialect == 0x311 else (
            b"SMB2AESCMAC\0", b"SmbSign\0")
        return crypto.KDF_CounterMode(session_key, label, context, 128)

    def bind(self, other, user=None, password=None, key=None):
        """Makes this connection a channel of `other`'s session; the status."""
        self.session = other.session
        status, own = self.exchange(0, user or other.user, password or other.password, binding=True,
                                    signing=key or other.master)
        if status != 0:
            self.session = 0
            return status
        self.key = self.signing_key(own)
        self.session_key, self.master, self.tree = other.session_key, other.master, other.tree
        return 0

    def sign(self, message):
        if self.dialect < 0x300:
            return super().sign(message)
        flags, = struct.unpack_from("<I", message, 16)
        clear = bytearray(message)
        struct.pack_into("<I", clear, 16, flags | smb.SIGNED)
        clear[48:64] = bytes(16)
        maker = CMAC.new(self.key, ciphermod=AES)
        maker.update(bytes(clear))
        clear[48:64] = maker.digest()
        return bytes(clear)

    # --- requests

    def send(self, command, body, flags=0, charge=1, tree=None, sequence=None):
        message_id = self.take_id(charge)
        made = bytearray(smb.header(command, message_id, self.session, self.tree if tree is None else tree, flags,
                                    charge if self.dialect > 0x202 else 0) + body)
        struct.pack_into("<H", made, 8, self.channel_sequence if sequence is None else sequence)
        made = self.sign(bytes(made)) if self.key else bytes(made)
        if not self.send_bytes(smb.frame(made)):
            self.gone = True
        return message_id

    def cancel(self, message_id):
        answer = self.interim.get(message_id)
        flags = ASYNC if answer else 0
        made = bytearray(smb.header(smb.CANCEL, message_id, self.session, self.tree, flags, 0) + struct.pack("<HH", 4, 0))
        if answer:
            made[32:40] = answer.raw[32:40]
        self.send_bytes(smb.frame(self.sign(bytes(made))))

    def pump(self, seconds=0):
        """Takes in what arrives until `seconds` have passed without anything; False when the connection is gone."""
        while not self.gone:
            ready, _, _ = select.select([self.socket], [], [], seconds)
            if not ready:
                return True
            try:
                part = self.socket.recv(1 << 20)
            except OSError:
                part = b""
            if not part:
                self.gone = True
                break
            self.buffer += part
            while len(self.buffer) >= 4:
                size, = struct.unpack_from(">I", self.buffer)
                if len(self.buffer) < 4 + size:
                    break
                self.take(self.buffer[4:4 + size])
                self.buffer = self.buffer[4 + size:]
            seconds = 0
        return False

    def take(self, message):
        while message:
            more, = struct.unpack_from("<I", message, 20)
            answer = smb.Answer(message[:more] if more else message)
            message = message[more:] if more else b""
            if answer.message_id == 0xFFFFFFFFFFFFFFFF:
                self.breaks.append(read_break(answer))
            elif answer.status == smb.PENDING:
                self.interim[answer.message_id] = answer
            else:
                self.answers[answer.message_id] = answer

    def until(self, done, seconds):
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            if self.gone or left <= 0:
                return False
            self.pump(min(left, 0.2))
        return True

    def wait(self, message_id, seconds=None):
        """The final Answer, CLOSED or TIMEOUT."""
        self.until(lambda: message_id in self.answers, self.timeout if seconds is None else seconds)
        if message_id in self.answers:
            return self.answers.pop(message_id)
        return smb.CLOSED if self.gone else smb.TIMEOUT

    def request(self, command, body, **how):
        return self.wait(self.send(command, body, **how))

    def status(self, command, body, **how):
        return status_of(self.request(command, body, **how))

    def connect_tree(self, share="data"):
        path = ("\\\\server\\" + share).encode("utf-16le")
        got = self.request(smb.TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, len(path)) + path, tree=0)
        if not isinstance(got, str) and got.status == 0:
            self.tree = got.tree
        return status_of(got)

    def settled(self, message_id, seconds=5):
        """Until it is answered or known to wait; the final answer's status, or PENDING."""
        self.until(lambda: message_id in self.answers or message_id in self.interim, seconds)
        if message_id in self.answers:
            return status_of(self.answers[message_id])
        return smb.PENDING if message_id in self.interim else (smb.CLOSED if self.gone else smb.TIMEOUT)

    def next_break(self, seconds=5):
        self.until(lambda: self.breaks, seconds)
        return self.breaks.pop(0) if self.breaks else None

    def no_break(self, seconds=0.3):
        self.until(lambda: self.breaks, seconds)
        return not self.breaks

    # --- files

    def start_open(self, name, access=0x0012019F, share=7, disposition=3, options=0, oplock=0, asks=(), flags=0,
                   sequence=None):
        """`asks`: create contexts, as (tag, data)."""
        asks = list(asks)
        if any(tag == b"RqLs" for tag, _ in asks) and oplock == 0:
            oplock = 0xFF
        body = smb.create_body(name, access, disposition, options, share, contexts(*asks) if asks else b"", oplock)
        return self.send(smb.CREATE, body, flags=flags, sequence=sequence)

    def opened(self, message_id, seconds=None):
        got = self.wait(message_id, seconds)
        if isinstance(got, str) or got.status != 0:
            return NOTHING._replace(status=status_of(got))
        body = got.body
        at, size = struct.unpack_from("<II", body, 80)
        told = read_contexts(body[at - 64:at - 64 + size]) if size else {}
        lease = None
        if b"RqLs" in told:
            data = told[b"RqLs"]
            state, flags = struct.unpack_from("<II", data, 16)
            lease = (state, flags, struct.unpack_from("<H", data, 48)[0] if len(data) >= 52 else None)
        return Opened(0, body[64:80], body[2], lease, struct.unpack_from("<I", body, 4)[0],
                      struct.unpack_from("<Q", body, 48)[0], told)

    def open(self, name, **how):
        return self.opened(self.start_open(name, **how))

    def close_file(self, handle, flags=0):
        return self.status(smb.CLOSE, smb.close_body(handle, flags))

    def lock(self, handle, *locks, sequence=0, **how):
        return status_of(self.wait(self.start_lock(handle, *locks, sequence=sequence, **how)))

    def start_lock(self, handle, *locks, sequence=0, **how):
        body = bytearray(smb.lock_body(handle, locks))
        struct.pack_into("<I", body, 4, sequence)
        return self.send(smb.LOCK, bytes(body), **how)

    def read(self, handle, offset=0, length=10, **how):
        got = self.request(smb.READ, smb.read_body(handle, offset, length), **how)
        return (status_of(got), got.body[16:] if not isinstance(got, str) and got.status == 0 else b"")

    def write(self, handle, offset=0, data=b"x", **how):
        return self.status(smb.WRITE, smb.write_body(handle, offset, data), **how)

    def set_info(self, handle, info_class, data, **how):
        return self.status(smb.SET_INFO, smb.set_info_body(handle, 1, info_class, data), **how)

    def dispose(self, handle, yes=1):
        return self.set_info(handle, 13, struct.pack("<B", yes))

    def set_size(self, handle, size):
        return self.set_info(handle, 20, struct.pack("<Q", size))

    def start_rename(self, handle, to, replace=False):
        return self.send(smb.SET_INFO, smb.rename_body(handle, to, replace))

    def rename(self, handle, to, replace=False):
        return status_of(self.wait(self.start_rename(handle, to, replace)))

    def ioctl(self, handle, code, data=b"", output=65536, **how):
        got = self.request(smb.IOCTL, smb.ioctl_body(handle, code, data, output), **how)
        return status_of(got), got

    def start_notify(self, handle, filter_=0xFFF, tree=False, output=4096):
        return self.send(smb.CHANGE_NOTIFY, smb.notify_body(handle, output, 1 if tree else 0, filter_),
                         charge=min(1 + max(output - 1, 0) // 65536, 128))

    def acknowledge_oplock(self, handle, level):
        got = self.request(smb.OPLOCK_BREAK, struct.pack("<HBBI", 24, level, 0, 0) + handle)
        return status_of(got), got.body[2] if not isinstance(got, str) and got.status == 0 else None

    def acknowledge(self, key, state):
        return self.status(smb.OPLOCK_BREAK, struct.pack("<HHI", 36, 0, 0) + key + struct.pack("<IQ", state, 0))

    def echo(self):
        return self.status(smb.ECHO, struct.pack("<HH", 4, 0))


def status_of(got):
    return got if isinstance(got, str) else got.status


def read_break(answer):
    body = answer.body
    size, = struct.unpack_from("<H", body)
    if size == 24:
        return Break("oplock", body[8:24], None, body[2], None, None)
    epoch, flags = struct.unpack_from("<HI", body, 2)
    before, after = struct.unpack_from("<II", body, 24)
    return Break("lease", body[8:24], before, after, epoch, flags)


def notified(answer):
    """[(action, name)] of a CHANGE_NOTIFY's answer."""
    at, size = struct.unpack_from("<HI", answer.body, 2)
    data, found = answer.body[at - 64:at - 64 + size], []
    while data:
        more, action, length = struct.unpack_from("<III", data)
        found.append((action, data[12:12 + length].decode("utf-16le")))
        data = data[more:] if more else b""
    return found


def reset(connection):
    """Ends it without a word to SMB."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()
    connection.gone = True
