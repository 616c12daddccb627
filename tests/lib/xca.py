"""[MS-XCA] and SMB2 compression headers in Python, written apart from the server's: plain LZ77, LZNT1, LZ77+Huffman and
the chained and unchained messages of [MS-SMB2] 2.2.42. Slow and simple."""
import struct

LZNT1, LZ77, LZ77_HUFFMAN, PATTERN_V1 = 1, 2, 3, 4
MAGIC = b"\xfcSMB"


class Damaged(Exception):
    pass


def _longest(data, at, window, most):
    """(distance, length) of the longest earlier occurrence of what is at `at`; length 0 where none of 3 bytes."""
    best = (0, 0)
    begin = max(0, at - window)
    found = at
    for _ in range(16):
        found = data.rfind(data[at:at + 3], begin, found + 2)
        if found < 0 or at + 3 > len(data):
            break
        length = 3
        while length < most and at + length < len(data) and data[found + length] == data[at + length]:
            length += 1
        if length > best[1]:
            best = (at - found, length)
    return best


# --- plain LZ77

def lz77_compress(data):
    out = bytearray(4)
    flags_at, flags, count, nibble = 0, 0, 0, None
    at = 0
    while at < len(data):
        distance, length = _longest(data, at, 8192, len(data))
        if length < 3:
            out += data[at:at + 1]
            flags <<= 1
            at += 1
        else:
            rest = length - 3
            out += struct.pack("<H", (distance - 1) << 3 | min(rest, 7))
            flags = flags << 1 | 1
            if rest >= 7:
                four = min(rest - 7, 15)
                if nibble is None:
                    nibble = len(out)
                    out.append(four)
                else:
                    out[nibble] |= four << 4
                    nibble = None
                if four == 15 and rest - 22 < 255:
                    out.append(rest - 22)
                elif four == 15:
                    out += b"\xff" + (struct.pack("<H", rest) if rest < 65536 else struct.pack("<HI", 0, rest))
            at += length
        count += 1
        if count == 32:
            struct.pack_into("<I", out, flags_at, flags)
            flags_at, flags, count = len(out), 0, 0
            out += bytes(4)
    struct.pack_into("<I", out, flags_at, (flags + 1 << 32 - count) - 1 & 0xFFFFFFFF)
    return bytes(out)


def lz77_decompress(data, size):
    out = bytearray()
    at, flags, count, nibble = 0, 0, 0, None
    while len(out) < size:
        if count == 0:
            flags, = struct.unpack_from("<I", data, at)
            at += 4
            count = 32
        count -= 1
        if not flags >> count & 1:
            out.append(data[at])
            at += 1
            continue
        pair, = struct.unpack_from("<H", data, at)
        at += 2
        length, distance = pair & 7, (pair >> 3) + 1
        if length == 7:
            if nibble is None:
                nibble = at
                length = data[at] & 15
                at += 1
            else:
                length = data[nibble] >> 4
                nibble = None
            if length == 15:
                length = data[at]
                at += 1
                if length == 255:
                    length, = struct.unpack_from("<H", data, at)
                    at += 2
                    if length == 0:
                        length, = struct.unpack_from("<I", data, at)
                        at += 4
                    length -= 22
                length += 15
            length += 7
        if distance > len(out):
            raise Damaged("a match from before the beginning")
        for _ in range(length + 3):
            out.append(out[-distance])
    if len(out) != size:
        raise Damaged("%d bytes, not %d" % (len(out), size))
    return bytes(out)


# --- LZNT1

def _length_bits(at):
    return 16 - max(4, (at - 1).bit_length() if at else 0)


def lznt1_compress(data):
    out = b""
    for begin in range(0, len(data), 4096):
        chunk = data[begin:begin + 4096]
        body, at = b"", 0
        while at < len(chunk):
            flags, group = 0, b""
            for i in range(8):
                if at >= len(chunk):
                    break
                bits = _length_bits(at)
                distance, length = _longest(chunk, at, 4096, (1 << bits) + 2)
                if length < 3:
                    group += chunk[at:at + 1]
                    at += 1
                else:
                    flags |= 1 << i
                    group += struct.pack("<H", (distance - 1) << bits | (length - 3))
                    at += length
            body += bytes([flags]) + group
        if len(body) < len(chunk):
            out += struct.pack("<H", 0xB000 | (len(body) - 1)) + body
        else:
            out += struct.pack("<H", 0x3000 | (len(chunk) - 1)) + chunk
    return out


def lznt1_decompress(data, size):
    out, at = b"", 0
    while len(out) < size:
        head, = struct.unpack_from("<H", data, at)
        body = data[at + 2:at + 3 + (head & 0xFFF)]
        at += 3 + (head & 0xFFF)
        if not head & 0x8000:
            out += body
            continue
        chunk, i = bytearray(), 0
        while i < len(body):
            flags = body[i]
            i += 1
            for bit in range(8):
                if i >= len(body):
                    break
                if not flags >> bit & 1:
                    chunk.append(body[i])
                    i += 1
                else:
                    pair, = struct.unpack_from("<H", body, i)
                    i += 2
                    bits = _length_bits(len(chunk))
                    for _ in range((pair & ((1 << bits) - 1)) + 3):
                        chunk.append(chunk[-((pair >> bits) + 1)])
        out += bytes(chunk)
    if len(out) != size:
        raise Damaged("%d bytes, not %d" % (len(out), size))
    return out


# --- LZ77+Huffman

def _canonical(lengths):
    codes, code = {}, 0
    for bits in range(1, 16):
        for symbol in range(512):
            if lengths[symbol] == bits:
                codes[symbol] = code
                code += 1
        code <<= 1
    return codes


def lz77_huffman_compress(data):
    """Every symbol has a code of 9 bits: legal, and simple; what repeats is still a match."""
    out = b""
    codes = _canonical([9] * 512)
    for begin in range(0, len(data), 65536):
        end = min(begin + 65536, len(data))
        pieces = []  # (bits, count) or bytes between the words
        at = begin
        while at < end:
            distance, length = _longest(data, at, 65535, end - at)
            if length < 3:
                pieces.append((codes[data[at]], 9))
                at += 1
                continue
            high = distance.bit_length() - 1
            rest = length - 3
            pieces.append((codes[256 + 16 * high + min(rest, 15)], 9))
            if rest >= 15:
                pieces.append(bytes([rest - 15]) if rest - 15 < 255 else b"\xff" + struct.pack("<H", rest))
            pieces.append((distance - (1 << high), high))
            at += length
        if end == len(data):
            pieces.append((codes[256], 9))
        block = bytearray(4)
        words, word, free = [0, 2], 0, 16
        for piece in pieces:
            if isinstance(piece, bytes):
                block += piece
                continue
            value, count = piece
            for i in reversed(range(count)):
                if free == 0:
                    struct.pack_into("<H", block, words.pop(0), word)
                    words.append(len(block))
                    block += b"\0\0"
                    word, free = 0, 16
                word = word << 1 | (value >> i & 1)
                free -= 1
        struct.pack_into("<H", block, words[0], word << free)
        out += b"\x99" * 256 + bytes(block)
    return out


def lz77_huffman_decompress(data, size):
    out, at = bytearray(), 0
    while len(out) < size:
        lengths = [data[at + i // 2] >> (i % 2 * 4) & 15 for i in range(512)]
        decode = {(lengths[s], c): s for s, c in _canonical(lengths).items()}
        at += 256
        state = {"at": at, "bits": 0, "extra": 0}

        def word():
            value, = struct.unpack_from("<H", data, state["at"])
            state["at"] += 2
            return value

        state["bits"] = word() << 16 | word()
        state["extra"] = 16

        def take(count):
            value = state["bits"] >> (32 - count) if count else 0
            state["bits"] = state["bits"] << count & 0xFFFFFFFF
            state["extra"] -= count
            if state["extra"] < 0:
                state["bits"] |= word() << -state["extra"]
                state["extra"] += 16
            return value

        end = len(out) + 65536
        while len(out) < min(end, size):
            for count in range(1, 16):
                symbol = decode.get((count, state["bits"] >> (32 - count)))
                if symbol is not None:
                    break
            else:
                raise Damaged("no such code")
            take(count)
            if symbol < 256:
                out.append(symbol)
                continue
            length = symbol & 15
            if length == 15:
                length = data[state["at"]]
                state["at"] += 1
                if length == 255:
                    length, = struct.unpack_from("<H", data, state["at"])
                    state["at"] += 2
                    length -= 15
                length += 15
            high = (symbol - 256) >> 4
            distance = (1 << high) + take(high)
            for _ in range(length + 3):
                out.append(out[-distance])
        at = state["at"]
    if len(out) != size:
        raise Damaged("%d bytes, not %d" % (len(out), size))
    return bytes(out)


COMPRESS = {LZNT1: lznt1_compress, LZ77: lz77_compress, LZ77_HUFFMAN: lz77_huffman_compress}
DECOMPRESS = {LZNT1: lznt1_decompress, LZ77: lz77_decompress, LZ77_HUFFMAN: lz77_huffman_decompress}


# --- messages

def unchained(message, algorithm, offset=0):
    """SMB2_COMPRESSION_TRANSFORM_HEADER_UNCHAINED in front of what it says."""
    data = message[offset:]
    return MAGIC + struct.pack("<IHHI", len(data), algorithm, 0, offset) + message[:offset] + COMPRESS[algorithm](data)


def chained(message, pieces):
    """`pieces`: [(algorithm or 0, how many bytes)], all of the message."""
    out, at = MAGIC + struct.pack("<I", len(message)), 0
    for number, (algorithm, size) in enumerate(pieces):
        data = message[at:at + size]
        at += size
        if algorithm == 0:
            body = data
        elif algorithm == PATTERN_V1:
            assert data == data[:1] * size
            body = struct.pack("<B3xI", data[0], size)
        else:
            body = struct.pack("<I", size) + COMPRESS[algorithm](data)
        out += struct.pack("<HHI", algorithm, 1 if number == 0 else 0, len(body)) + body
    assert at == len(message)
    return out


def expand(packet):
    """(message, the algorithms that were used)"""
    if packet[:4] != MAGIC:
        return packet, []
    size, algorithm, flags, offset = struct.unpack_from("<IHHI", packet, 4)
    if flags == 0:
        body = packet[16:]
        return body[:offset] + DECOMPRESS[algorithm](body[offset:], size), [algorithm]
    out, at, used = b"", 8, []
    while at < len(packet):
        algorithm, flags, length = struct.unpack_from("<HHI", packet, at)
        if flags != (1 if at == 8 else 0):
            raise Damaged("flags %d at %d" % (flags, at))
        body = packet[at + 8:at + 8 + length]
        at += 8 + length
        used.append(algorithm)
        if algorithm == 0:
            out += body
        elif algorithm == PATTERN_V1:
            byte, count = struct.unpack("<B3xI", body)
            out += bytes([byte]) * count
        else:
            part, = struct.unpack_from("<I", body)
            out += DECOMPRESS[algorithm](body[4:], part)
    if len(out) != size:
        raise Damaged("%d bytes, not %d" % (len(out), size))
    return out, used
