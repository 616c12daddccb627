#include "vfs/posix/netatalk.hpp"

#include <algorithm>

namespace flotilla::vfs {
namespace {

constexpr std::uint32_t kMagic = 0x00051607;
constexpr std::uint32_t kVersion = 0x00020000;
constexpr std::uint32_t kFinderInfo = 9;
constexpr std::size_t kCountAt = 24;  // behind magic, version and 16 bytes of filler
constexpr std::size_t kEntriesAt = 26;
constexpr std::size_t kEntryBytes = 12;  // id, offset, length
constexpr std::size_t kFinderBytes = 32;
// AFP_AfpInfo: "AFP\0", version, a file id, a backup time, the Finder's information, 12 of ProDOS.
constexpr std::size_t kFinderAt = 16;
constexpr std::array<std::uint8_t, kFinderAt> kHead{'A', 'F', 'P', 0, 0,    1, 0, 0,
                                                    0,   0,   0,   0, 0x80, 0, 0, 0};

/// The caller has checked that there are `bytes` at `at`.
std::uint32_t big_endian(ByteView data, std::size_t at, std::size_t bytes) noexcept {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < bytes; ++i) out = out << 8 | data[at + i];
  return out;
}

}  // namespace

std::optional<AfpInfo> afp_info_of(ByteView metadata) {
  if (metadata.size() < kEntriesAt || big_endian(metadata, 0, 4) != kMagic ||
      big_endian(metadata, 4, 4) != kVersion) {
    return std::nullopt;
  }
  const std::size_t count = big_endian(metadata, kCountAt, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kEntriesAt + i * kEntryBytes;
    if (at + kEntryBytes > metadata.size()) return std::nullopt;
    if (big_endian(metadata, at, 4) != kFinderInfo) continue;
    const std::size_t offset = big_endian(metadata, at + 4, 4);
    const std::size_t length = big_endian(metadata, at + 8, 4);
    if (length < kFinderBytes || offset > metadata.size() ||
        metadata.size() - offset < kFinderBytes) {
      return std::nullopt;
    }
    const ByteView finder = metadata.subspan(offset, kFinderBytes);
    if (std::ranges::all_of(finder, [](std::uint8_t byte) { return byte == 0; })) break;
    AfpInfo out{};
    std::ranges::copy(kHead, out.begin());
    std::ranges::copy(finder, out.begin() + kFinderAt);
    return out;
  }
  return std::nullopt;
}

}  // namespace flotilla::vfs
