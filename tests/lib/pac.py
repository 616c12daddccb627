"""Keytabs and tickets as tests make and change them (MIT's file formats; impacket for the tickets)."""
import struct

AES256 = 18


def write_keytab(path, key, principal, realm, version=2, append=False):
    """MIT's format 0x0502, one AES-256 key, behind those that are there."""
    def text(value):
        return struct.pack(">H", len(value)) + value.encode()
    parts = principal.split("/")
    entry = struct.pack(">H", len(parts)) + text(realm) + b"".join(text(part) for part in parts)
    entry += struct.pack(">IIBHH", 1, 0, version & 0xFF, AES256, len(key)) + key + struct.pack(">I", version)
    with open(path, "ab" if append else "wb") as f:
        f.write((b"" if append else b"\x05\x02") + struct.pack(">i", len(entry)) + entry)


def read_keytab(path):
    """[(principal without realm, encryption type, key version, key)]"""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:2] == b"\x05\x02"
    at, entries = 2, []
    while at + 4 <= len(data):
        size, = struct.unpack_from(">i", data, at)
        at += 4
        if size > 0:
            entry, p = data[at:at + size], 2
            texts = []
            for _ in range(struct.unpack_from(">H", entry)[0] + 1):
                length, = struct.unpack_from(">H", entry, p)
                texts.append(entry[p + 2:p + 2 + length].decode())
                p += 2 + length
            p += 8
            version, kind, length = struct.unpack_from(">BHH", entry, p)
            p += 5
            key = entry[p:p + length]
            p += length
            if p + 4 <= size:
                version = struct.unpack_from(">I", entry, p)[0]
            entries.append(("/".join(texts[1:]), kind, version, key))
        at += abs(size)
    return entries


def change_group(cache, service, service_key, rid, other):
    """In the ticket for `service` of a credential cache: group `rid` of the PAC becomes `other`, its signatures stay."""
    from impacket.krb5.asn1 import Ticket
    from impacket.krb5.ccache import CCache
    from impacket.krb5.crypto import Key, _enctype_table
    from pyasn1.codec.der import decoder
    found = [c for c in CCache.loadFile(cache).credentials
             if service.lower() in c["server"].prettyPrint().decode().lower()]
    assert len(found) == 1, found
    ticket = decoder.decode(found[0].ticket["data"], asn1Spec=Ticket())[0]
    sealed = bytes(ticket["enc-part"]["cipher"])
    cipher, key = _enctype_table[AES256], Key(AES256, service_key)
    plain = cipher.decrypt(key, 2, sealed)
    assert plain.count(struct.pack("<I", rid)) >= 1
    changed = cipher.encrypt(key, 2, plain.replace(struct.pack("<I", rid), struct.pack("<I", other)), None)
    with open(cache, "rb") as f:
        whole = f.read()
    with open(cache, "wb") as f:
        f.write(whole.replace(sealed, changed))
