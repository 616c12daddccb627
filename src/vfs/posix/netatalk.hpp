// The Finder's information as Netatalk and Samba's vfs_fruit keep it by default: an AppleDouble
// header in an xattr. Pure; must not know how it is read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace flotilla::vfs {

inline constexpr const char* kNetatalkXattr = "user.org.netatalk.Metadata";
inline constexpr const char* kAfpInfoStream = "AFP_AfpInfo";

/// What clients read and write as the stream AFP_AfpInfo.
using AfpInfo = std::array<std::uint8_t, 60>;

/// Input   `metadata` an AppleDouble header, version 2, and its entries; big-endian
/// Output  nothing where it is no such thing, or has nothing of the Finder's
[[nodiscard]] std::optional<AfpInfo> afp_info_of(ByteView metadata);

}  // namespace flotilla::vfs
