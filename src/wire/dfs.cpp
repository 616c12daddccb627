#include "wire/dfs.hpp"

namespace flotilla::wire {

namespace {

constexpr std::uint32_t kStorageServers = 0x00000002;  // the S bit of ReferralHeaderFlags
constexpr std::uint16_t kTargetSetBoundary = 0x0004;   // the T bit of a version 4 entry
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kEntryBytes = 34;

void put_text(ByteWriter& out, std::u16string_view text) {
  for (const char16_t unit : text) out.u16(unit);
  out.u16(0);
}

}  // namespace

void encode_dfs_referral(const DfsReferral& referral, std::uint16_t level, Bytes& out) {
  ByteWriter writer(out);
  writer.u16(static_cast<std::uint16_t>(2 * referral.dfs_path.size()));  // PathConsumed
  writer.u16(static_cast<std::uint16_t>(referral.targets.size()));
  writer.u32(kStorageServers);
  const std::size_t entries_bytes = kEntryBytes * referral.targets.size();
  const std::size_t path_bytes = 2 * (referral.dfs_path.size() + 1);
  std::size_t target_at = entries_bytes + path_bytes;  // from the first entry
  for (std::size_t i = 0; i < referral.targets.size(); ++i) {
    const std::size_t entry_at = kEntryBytes * i;
    writer.u16(level);
    writer.u16(kEntryBytes);
    writer.u16(0);  // ServerType: no root targets
    writer.u16(level == 4 && i == 0 ? kTargetSetBoundary : std::uint16_t{0});
    writer.u32(referral.time_to_live_seconds);
    writer.u16(static_cast<std::uint16_t>(entries_bytes - entry_at));  // DFSPathOffset
    writer.u16(static_cast<std::uint16_t>(entries_bytes - entry_at));  // DFSAlternatePathOffset
    writer.u16(static_cast<std::uint16_t>(target_at - entry_at));      // NetworkAddressOffset
    writer.zeros(16);
    target_at += 2 * (referral.targets[i].size() + 1);
  }
  put_text(writer, referral.dfs_path);
  for (const std::u16string& target : referral.targets) put_text(writer, target);
}

Wire<DfsReferral> decode_dfs_referral(ByteView bytes) {
  const auto refuse = [](WireFault fault, std::size_t at, const char* what) {
    return std::unexpected(WireError{fault, at, what});
  };
  const auto text_at = [&](std::size_t at, std::u16string& into) {
    for (;; at += 2) {
      if (at + 2 > bytes.size()) return false;
      const auto unit = load_le<std::uint16_t>(bytes.data() + at);
      if (unit == 0) return true;
      into.push_back(unit);
    }
  };
  ByteReader reader(bytes);
  DfsReferral out;
  reader.skip(2);
  const std::uint16_t count = reader.u16();
  reader.skip(4);
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::size_t entry_at = kHeaderBytes + kEntryBytes * i;
    const std::uint16_t level = reader.u16();
    const std::uint16_t size = reader.u16();
    reader.skip(4);
    out.time_to_live_seconds = reader.u32();
    const std::uint16_t path_at = reader.u16();
    reader.skip(2);
    const std::uint16_t target_at = reader.u16();
    reader.skip(16);
    if (!reader.ok()) return refuse(WireFault::Truncated, entry_at, "entry");
    if (level < 3 || level > 4 || size != kEntryBytes) {
      return refuse(WireFault::BadValue, entry_at, "level");
    }
    out.dfs_path.clear();
    out.targets.emplace_back();
    if (!text_at(entry_at + path_at, out.dfs_path) ||
        !text_at(entry_at + target_at, out.targets.back())) {
      return refuse(WireFault::OffsetOutOfRange, entry_at, "path");
    }
  }
  if (!reader.ok()) return refuse(WireFault::Truncated, 0, "header");
  return out;
}

}  // namespace flotilla::wire
