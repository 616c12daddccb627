#include "handlers/offload_tokens.hpp"

#include <algorithm>
#include <cstring>

namespace flotilla::handlers {

namespace {

// [MS-FSCC] 2.1.11 STORAGE_OFFLOAD_TOKEN: type, reserved, length of the id, all big-endian.
constexpr std::array<std::uint8_t, 8> kOurs{'F', 'L', 'O', 'T', 0, 0, 0x01, 0xF8};
constexpr std::array<std::uint8_t, 4> kZeroData{0xFF, 0xFF, 0x00, 0x01};

}  // namespace

bool OffloadTokens::is_zeros(const Token& token) noexcept {
  // Little-endian too: the specification's table leaves room for that reading.
  return std::equal(kZeroData.begin(), kZeroData.end(), token.begin()) ||
         std::equal(kZeroData.rbegin(), kZeroData.rend(), token.begin());
}

OffloadTokens::Token OffloadTokens::keep(OffloadSource source, std::chrono::milliseconds life,
                                         MonoTime now, ports::Entropy& entropy) {
  Token token{};
  std::ranges::copy(kOurs, token.begin());
  Id id;
  entropy.fill(id);
  std::ranges::copy(id, token.begin() + kOurs.size());
  if (life.count() <= 0) life = kLifeDefault;
  const std::lock_guard lock(mutex_);
  expire(now);
  if (tokens_.size() >= kTokensMax) {
    tokens_.erase(std::ranges::min_element(tokens_, {},
                                           [](const auto& entry) { return entry.second.ends.ns; }));
  }
  tokens_.insert_or_assign(id, Kept{std::move(source), now + std::min(life, kLifeMax)});
  return token;
}

std::optional<OffloadSource> OffloadTokens::find(const Token& token, MonoTime now) {
  if (!std::equal(kOurs.begin(), kOurs.end(), token.begin())) return std::nullopt;
  Id id;
  std::memcpy(id.data(), token.data() + kOurs.size(), id.size());
  const std::lock_guard lock(mutex_);
  expire(now);
  const auto found = tokens_.find(id);
  if (found == tokens_.end()) return std::nullopt;
  return found->second.source;
}

void OffloadTokens::expire(MonoTime now) {
  std::erase_if(tokens_, [now](const auto& entry) { return entry.second.ends.ns <= now.ns; });
}

}  // namespace flotilla::handlers
