// The four verbs that every wire struct has. The structs' field lists live in the .cpp files (see
// fields.hpp), which instantiate these templates for each struct; a caller sees declarations only.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// Bytes -> struct.
/// Input   for an SMB2 request or response: the whole message, byte 0 = first byte of its SMB2
///         header, cut at NextCommand in a compound. For any other struct: its own first byte.
/// Output  ByteView members borrow from `bytes`; names are copied into std::u16string.
/// Errors  WireError; never reads outside `bytes`; never judges values that decide no layout.
///         Reserved fields are ignored; bytes after the struct are ignored.
template <class T>
[[nodiscard]] Wire<T> decode(ByteView bytes);

/// Struct -> bytes, appended to `out`. Reserved fields are zero; offsets, counts and lengths are
/// computed.
/// Input   for an SMB2 message, the last kSmb2HeaderSize bytes of `out` are (room for) its header:
///         `header.encode(out); encode(body, out);`. Offsets count from there.
template <class T>
void encode(const T& value, Bytes& out);

/// Number of bytes that encode() would append. O(fields), no allocation that depends on data.
template <class T>
[[nodiscard]] std::size_t encoded_size(const T& value);

/// One line for logs and test failures: `{field=1, name="a", data=[3 bytes]}`.
template <class T>
[[nodiscard]] std::string print(const T& value);

/// Fills every field from `seed` (fuzz bytes, zeros when they run out), so that encode() of the
/// result is well formed. Views borrow from `seed`.
template <class T>
[[nodiscard]] T generate(ByteView seed);

/// encode() into a new buffer; for structs that are no SMB2 message.
template <class T>
[[nodiscard]] Bytes encoded(const T& value) {
  Bytes out;
  encode(value, out);
  return out;
}

}  // namespace flotilla::wire
