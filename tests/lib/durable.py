"""CREATE with the contexts of durable handles, over raw_smb."""
import struct

import raw_smb as smb

GUID = b"client-of-test-1"
LEASE_KEY = b"lease-key-number"
RWH = 7
PERSISTENT = 2
FILE_NOT_AVAILABLE, LOCK_NOT_GRANTED, INVALID_PARAMETER = 0xC0000467, 0xC0000055, 0xC000000D
EXCLUSIVE_NOW = 0x12


def context(tag, data, last):
    """`tag`: four bytes, or a GUID."""
    named = tag + b"\0" * (-len(tag) % 8)
    size = 16 + len(named) + len(data)
    return struct.pack("<IHHHHI", 0 if last else size + -size % 8, 16, len(tag), 0, 16 + len(named), len(data)) + \
        named + data + (b"" if last else b"\0" * (-size % 8))


def contexts(*all_of_them):
    return b"".join(context(tag, data, i + 1 == len(all_of_them)) for i, (tag, data) in enumerate(all_of_them))


def lease(key=LEASE_KEY):
    return b"RqLs", key + struct.pack("<IIQ", RWH, 0, 0) + b"\0" * 16 + struct.pack("<HH", 0, 0)


def request_v2(create_guid, flags=0, timeout_ms=0):
    return b"DH2Q", struct.pack("<IIQ", timeout_ms, flags, 0) + create_guid


def reconnect_v2(handle, create_guid, flags=0):
    return b"DH2C", handle + create_guid + struct.pack("<I", flags)


def reopen(client, name, handle, create_guid, flags=0, key=LEASE_KEY):
    return client.open(name, oplock=0xFF, contexts=contexts(reconnect_v2(handle, create_guid, flags), lease(key)))


def lock(client, handle, offset, length=10, flags=EXCLUSIVE_NOW):
    return client.status(smb.LOCK, smb.lock_body(handle, [(offset, length, flags)]))
