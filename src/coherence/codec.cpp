#include "coherence/codec.hpp"

#include "coherence/codec_fields.hpp"

namespace flotilla::coherence {
namespace {

template <class T>
void encode_value(const T& value, Bytes& out) {
  fields::Encoder encoder{out};
  std::uint8_t version = kCommandVersion;
  encoder.integer(version);
  // The encoder reads only; the list of fields is written once for both directions.
  fields::visit(encoder, const_cast<T&>(value));
}

template <class T>
std::optional<T> decode_value(ByteReader& in) {
  fields::Decoder decoder{in};
  std::uint8_t version = 0;
  decoder.integer(version);
  if (version != kCommandVersion) in.fail();
  if (!in.ok()) return std::nullopt;
  T value;
  fields::visit(decoder, value);
  if (!in.ok()) return std::nullopt;
  return value;
}

}  // namespace

void encode(const Command& command, Bytes& out) { encode_value(command, out); }
std::optional<Command> decode_command(ByteReader& in) { return decode_value<Command>(in); }
void encode(const Outcome& outcome, Bytes& out) { encode_value(outcome, out); }
std::optional<Outcome> decode_outcome(ByteReader& in) { return decode_value<Outcome>(in); }
void encode(const Break& what, Bytes& out) { encode_value(what, out); }
std::optional<Break> decode_break(ByteReader& in) { return decode_value<Break>(in); }
void encode(const Restrictions& what, Bytes& out) { encode_value(what, out); }
std::optional<Restrictions> decode_restrictions(ByteReader& in) {
  return decode_value<Restrictions>(in);
}
void encode(const KeptFile& what, Bytes& out) { encode_value(what, out); }
std::optional<KeptFile> decode_kept_file(ByteReader& in) { return decode_value<KeptFile>(in); }
void encode(const KeptQuery& what, Bytes& out) { encode_value(what, out); }
std::optional<KeptQuery> decode_kept_query(ByteReader& in) { return decode_value<KeptQuery>(in); }
void encode(const KeptFound& what, Bytes& out) { encode_value(what, out); }
std::optional<KeptFound> decode_kept_found(ByteReader& in) { return decode_value<KeptFound>(in); }

}  // namespace flotilla::coherence
