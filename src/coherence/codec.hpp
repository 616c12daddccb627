// Commands, outcomes and effects as bytes between nodes. Decoding is total: any bytes give a value
// or nothing, and what is decoded encodes to the same bytes.
//
// Each value starts with one byte, kCommandVersion; another version decodes to nothing. Integers
// are little-endian; text and lists start with a 32-bit count; a variant starts with the number of
// its alternative. What follows the value in `in` is left for the caller.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "coherence/command.hpp"

namespace flotilla::coherence {

void encode(const Command& command, Bytes& out);
[[nodiscard]] std::optional<Command> decode_command(ByteReader& in);
void encode(const Outcome& outcome, Bytes& out);
[[nodiscard]] std::optional<Outcome> decode_outcome(ByteReader& in);
void encode(const Break& what, Bytes& out);
[[nodiscard]] std::optional<Break> decode_break(ByteReader& in);
void encode(const Restrictions& what, Bytes& out);
[[nodiscard]] std::optional<Restrictions> decode_restrictions(ByteReader& in);
void encode(const KeptFile& what, Bytes& out);
[[nodiscard]] std::optional<KeptFile> decode_kept_file(ByteReader& in);
void encode(const KeptQuery& what, Bytes& out);
[[nodiscard]] std::optional<KeptQuery> decode_kept_query(ByteReader& in);
void encode(const KeptFound& what, Bytes& out);
[[nodiscard]] std::optional<KeptFound> decode_kept_found(ByteReader& in);

}  // namespace flotilla::coherence
