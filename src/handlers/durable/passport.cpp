#include "handlers/durable/passport.hpp"

namespace flotilla::handlers {

namespace {
constexpr std::uint8_t kVersion = 1;
}  // namespace

Bytes encode(const Passport& passport) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u32(static_cast<std::uint32_t>(passport.share.size()));
  out.bytes(as_bytes(passport.share));
  out.u32(static_cast<std::uint32_t>(passport.owner.size_bytes()));
  passport.owner.encode(bytes);
  out.u32(passport.create_options);
  out.u32(static_cast<std::uint32_t>(passport.create_action));
  const coherence::CacheRequest& cache = passport.cache_asked;
  out.u8(static_cast<std::uint8_t>(cache.kind));
  out.u8(cache.rights);
  out.bytes(cache.key.bytes);
  out.u8(cache.version);
  out.u8(cache.has_parent ? 1 : 0);
  out.bytes(cache.parent_key.bytes);
  out.u64(passport.position);
  return bytes;
}

std::optional<Passport> decode_passport(ByteView bytes) {
  ByteReader in{bytes};
  Passport passport;
  if (in.u8() != kVersion) return std::nullopt;
  passport.share = std::string(as_text(in.view(in.u32())));
  const auto owner = wire::Sid::decode(in.view(in.u32()));
  passport.create_options = in.u32();
  const std::uint32_t action = in.u32();
  coherence::CacheRequest& cache = passport.cache_asked;
  const std::uint8_t kind = in.u8();
  cache.rights = in.u8();
  cache.key.bytes = in.array<16>();
  cache.version = in.u8();
  cache.has_parent = in.u8() != 0;
  cache.parent_key.bytes = in.array<16>();
  passport.position = in.u64();
  if (!in.ok() || !owner || kind > static_cast<std::uint8_t>(coherence::CacheKind::Lease) ||
      action > static_cast<std::uint32_t>(wire::CreateAction::Overwritten)) {
    return std::nullopt;
  }
  passport.owner = *owner;
  passport.create_action = static_cast<wire::CreateAction>(action);
  cache.kind = static_cast<coherence::CacheKind>(kind);
  return passport;
}

}  // namespace flotilla::handlers
