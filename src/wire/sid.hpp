// SID: who somebody is, as a value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// Spec    [MS-DTYP] 2.4.2 SID; at most 15 sub-authorities
class Sid {
 public:
  static constexpr std::size_t kSubAuthoritiesMax = 15;

  constexpr Sid() noexcept = default;  ///< S-1-0 with no sub-authority: names nobody
  /// More than 15 sub-authorities: the rest is dropped.
  constexpr Sid(std::uint64_t authority, std::initializer_list<std::uint32_t> subs) noexcept
      : authority_(authority & 0xFFFFFFFFFFFFULL) {
    for (const std::uint32_t sub : subs) {
      if (count_ < kSubAuthoritiesMax) subs_[count_++] = sub;
    }
  }

  [[nodiscard]] constexpr std::uint64_t identifier_authority() const noexcept { return authority_; }
  [[nodiscard]] std::span<const std::uint32_t> sub_authorities() const noexcept {
    return {subs_.data(), count_};
  }
  /// The last sub-authority; 0 where there is none.
  [[nodiscard]] std::uint32_t rid() const noexcept { return count_ ? subs_[count_ - 1] : 0; }
  /// This SID with one more sub-authority; nullopt when it has 15 already.
  [[nodiscard]] std::optional<Sid> with_rid(std::uint32_t rid) const noexcept;
  /// Without its last sub-authority.
  [[nodiscard]] Sid domain() const noexcept;
  [[nodiscard]] bool is_in(const Sid& domain) const noexcept;  ///< this == domain + one rid

  /// "S-1-5-21-1-2-3-500"; authorities from 2^32 in hexadecimal ([MS-DTYP] 2.4.2.1).
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] static std::optional<Sid> parse(std::string_view text) noexcept;

  [[nodiscard]] std::size_t size_bytes() const noexcept { return 8U + 4U * count_; }
  void encode(Bytes& out) const;
  /// Reads one SID from the front; `bytes` may be longer (size_bytes() says how much was used).
  [[nodiscard]] static Wire<Sid> decode(ByteView bytes) noexcept;

  friend constexpr auto operator<=>(const Sid&, const Sid&) noexcept = default;

 private:
  std::uint64_t authority_ = 0;
  std::uint8_t count_ = 0;
  std::array<std::uint32_t, kSubAuthoritiesMax> subs_{};
};

/// [MS-DTYP] 2.4.2.4 Well-Known SID Structures.
namespace well_known {
inline constexpr Sid kNull{0, {0}};
inline constexpr Sid kEveryone{1, {0}};
inline constexpr Sid kCreatorOwner{3, {0}};
inline constexpr Sid kCreatorGroup{3, {1}};
inline constexpr Sid kOwnerRights{3, {4}};
inline constexpr Sid kNetwork{5, {2}};
inline constexpr Sid kAnonymous{5, {7}};
inline constexpr Sid kAuthenticatedUsers{5, {11}};
inline constexpr Sid kLocalSystem{5, {18}};
inline constexpr Sid kAdministrators{5, {32, 544}};
inline constexpr Sid kUsers{5, {32, 545}};
inline constexpr Sid kGuests{5, {32, 546}};
inline constexpr Sid kBackupOperators{5, {32, 551}};
/// Samba's and Windows NFS' convention for ids without a name: S-1-22-1-uid, S-1-22-2-gid.
[[nodiscard]] constexpr Sid unix_user(std::uint32_t uid) noexcept { return Sid{22, {1, uid}}; }
[[nodiscard]] constexpr Sid unix_group(std::uint32_t gid) noexcept { return Sid{22, {2, gid}}; }
}  // namespace well_known

}  // namespace flotilla::wire

template <>
struct std::hash<flotilla::wire::Sid> {
  std::size_t operator()(const flotilla::wire::Sid& sid) const noexcept;
};
