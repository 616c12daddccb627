"""A thin SMB2 client over Debian's python3-impacket: what the pool tests need and it does not offer (byte-range
locks, leases with their breaks, statuses as values). Run it with /usr/bin/python3."""
import os
import random
import struct
import time

from impacket import smb3, smb3structs as s
from impacket.smbconnection import SMBConnection, SessionError

USER, PASSWORD = "tester", "Secret123"
SUCCESS, PENDING = 0, 0x103
SHARING_VIOLATION, FILE_LOCK_CONFLICT, LOCK_NOT_GRANTED = 0xC0000043, 0xC0000054, 0xC0000055
DELETE_PENDING, FILE_CLOSED, ACCESS_DENIED, RANGE_NOT_LOCKED = 0xC0000056, 0xC0000128, 0xC0000022, 0xC000007E
READ, WRITE, DELETE = 0x00120089, 0x00120116, 0x00010000
SHARE_READ, SHARE_WRITE, SHARE_DELETE = 1, 2, 4
OPEN, CREATE, OPEN_IF, OVERWRITE_IF = 1, 2, 3, 5
LEASE_R, LEASE_H, LEASE_W = 1, 2, 4
LOCK_SHARED, LOCK_EXCLUSIVE, LOCK_UNLOCK, LOCK_FAIL_NOW = 1, 2, 4, 16


class Client:
    """One connection with one session and one tree. Statuses come back as numbers, never as exceptions."""

    def __init__(self, host, port=445, share="data", dialect=s.SMB2_DIALECT_30, user=USER, password=PASSWORD,
                 timeout=60, directory_leases=False, same_client=None):
        """`same_client`: connections with one number have one ClientGuid. `directory_leases`: offered in NEGOTIATE
        (impacket's own CREATE cannot cope with them; ours does not use it)."""
        smb3.SMB2_GLOBAL_CAP_ENCRYPTION = 0x60 if directory_leases else 0x40
        if same_client is not None:
            random.seed(same_client)  # impacket makes the ClientGuid of it
        self.connection = SMBConnection(host, host, sess_port=port, preferredDialect=dialect, timeout=timeout)
        self.connection.login(user, password)
        self.smb = self.connection.getSMBServer()
        self.tree = self.connection.connectTree(share)
        self.breaks = []

    @property
    def session_id(self):
        return self.smb._Session["SessionID"]

    def send(self, command, body, payload=0):
        """`payload`: bytes of data either way, for the CreditCharge of dialects that have one."""
        packet = self.smb.SMB_PACKET()
        if payload > 65536 and self.smb._Connection["Dialect"] > s.SMB2_DIALECT_002:
            packet["CreditCharge"] = 1 + (payload - 1) // 65536
        packet["Command"] = command
        packet["TreeID"] = self.tree
        packet["Data"] = body
        return self.smb.sendSMB(packet)

    def receive(self):
        """The next answer; a break that comes instead is kept in self.breaks, and None returned."""
        window = self.smb._Connection["SequenceWindow"]
        answer = self.smb.recvSMB(None)
        if answer["MessageID"] != 0xFFFFFFFFFFFFFFFF:
            return answer
        # A break has no CreditCharge; impacket would move its window back by one for it.
        self.smb._Connection["SequenceWindow"] = window
        self.breaks.append(bytes(answer["Data"]))
        return None

    def wait(self, message_id):
        """The final answer to a request."""
        while True:
            answer = self.receive()
            if answer and answer["MessageID"] == message_id:
                return answer
            if answer:
                self.smb._Connection["OutstandingResponses"][answer["MessageID"]] = answer

    def start_open(self, name, access=READ, share=SHARE_READ | SHARE_WRITE | SHARE_DELETE, disposition=OPEN_IF,
                   options=0, oplock=0, lease=None):
        path = name.encode("utf-16le")
        contexts = b""
        if lease:
            key, state = lease[:2]
            oplock = 0xFF
            contexts = struct.pack("<IHHHHI", 0, 16, 4, 0, 24, 32) + b"RqLs" + b"\0" * 4 + key + struct.pack(
                "<IIQ", state, 0, 0)
            if len(lease) == 3:  # version 2: the third is the parent's key, or None
                parent = lease[2]
                contexts = struct.pack("<IHHHHI", 0, 16, 4, 0, 24, 52) + b"RqLs" + b"\0" * 4 + key + struct.pack(
                    "<IIQ", state, 4 if parent else 0, 0) + (parent or bytes(16)) + struct.pack("<HH", 0, 0)
        offset = 64 + 56
        padded = path + b"\0" * (-len(path) % 8)
        body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, oplock, 2, 0, 0, access, 0, share, disposition, options,
                           offset, len(path), offset + len(padded) if contexts else 0, len(contexts))
        return self.send(s.SMB2_CREATE, body + (padded + contexts if contexts else path or b"\0"))

    def finish_open(self, message_id):
        """(status, file id, granted lease state or None, oplock level)"""
        answer = self.wait(message_id)
        if answer["Status"] != SUCCESS:
            return answer["Status"], None, None, None
        data = bytes(answer["Data"])
        state = None
        at, length = struct.unpack("<II", data[80:88])
        if length:
            context = data[at - 64:at - 64 + length]
            data_at, = struct.unpack("<H", context[10:12])
            state, = struct.unpack("<I", context[data_at + 16:data_at + 20])
        return SUCCESS, data[64:80], state, data[2]

    def open(self, name, **how):
        return self.finish_open(self.start_open(name, **how))

    def status_of_open(self, name, **how):
        status, handle, _, _ = self.open(name, **how)
        if handle:
            self.close(handle)
        return status

    def close(self, handle):
        return self.wait(self.send(s.SMB2_CLOSE, struct.pack("<HHI", 24, 0, 0) + handle))["Status"]

    def lock(self, handle, offset, length, flags):
        body = struct.pack("<HHI", 48, 1, 0) + handle + struct.pack("<QQII", offset, length, flags, 0)
        return self.wait(self.send(s.SMB2_LOCK, body))["Status"]

    def read(self, handle, offset, length):
        body = struct.pack("<HBBIQ", 49, 0x50, 0, length, offset) + handle + struct.pack("<IIIHHB", 1, 0, 0, 0, 0, 0)
        answer = self.wait(self.send(s.SMB2_READ, body, length))
        data = bytes(answer["Data"])
        return answer["Status"], data[16:] if answer["Status"] == SUCCESS else b""

    def rename(self, handle, to):
        name = to.encode("utf-16le")
        info = struct.pack("<B7xQI", 0, 0, len(name)) + name
        body = struct.pack("<HBBIHHI", 33, 1, 10, len(info), 96, 0, 0) + handle + info
        return self.send(s.SMB2_SET_INFO, body)

    def write(self, handle, offset, data):
        body = struct.pack("<HHIQ", 49, 112, len(data), offset) + handle + struct.pack("<IIHHI", 0, 0, 0, 0, 0)
        return self.wait(self.send(s.SMB2_WRITE, body + data, len(data)))["Status"]

    def next_break(self):
        """(lease key, from, to, flags) of the next lease break notification."""
        while not self.breaks:
            answer = self.receive()
            if answer:
                self.smb._Connection["OutstandingResponses"][answer["MessageID"]] = answer
        data = self.breaks.pop(0)
        _, _, flags = struct.unpack("<HHI", data[:8])
        before, after = struct.unpack("<II", data[24:32])
        return data[8:24], before, after, flags

    def acknowledge(self, key, state):
        body = struct.pack("<HHI", 36, 0, 0) + key + struct.pack("<IQ", state, 0)
        return self.wait(self.send(s.SMB2_OPLOCK_BREAK, body))["Status"]

    def disconnect(self):
        self.smb._NetBIOSSession.get_socket().close()


def connect_within(host, seconds, **how):
    """A client, and how long it took; keeps trying until `seconds` have passed."""
    begin = time.monotonic()
    while True:
        try:
            return Client(host, timeout=5, **how), time.monotonic() - begin
        except (OSError, SessionError, Exception) as error:  # impacket raises several kinds of its own
            if time.monotonic() - begin > seconds:
                raise AssertionError("no session at %s within %.1f s: %r" % (host, seconds, error)) from None
            time.sleep(0.05)


def new_key():
    return os.urandom(16)


__all__ = [name for name in dir() if not name.startswith("_")] + ["smb3"]
