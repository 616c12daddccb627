#include "wire/quota.hpp"

#include <functional>

namespace flotilla::wire {

namespace {

constexpr std::size_t kFixedBytes = 40;  // of FILE_QUOTA_INFORMATION, up to its SID
constexpr std::size_t kGetFixedBytes = 8;

std::unexpected<WireError> wrong(WireFault fault, std::size_t at, const char* what) {
  return std::unexpected(WireError{fault, at, what});
}

/// A SID that takes no more than `length` bytes.
Wire<Sid> sid_at(ByteView bytes, std::size_t at, std::size_t length) {
  if (at > bytes.size() || length > bytes.size() - at) {
    return wrong(WireFault::LengthOutOfRange, at, "sid_length");
  }
  auto sid = Sid::decode(bytes.subspan(at, length));
  if (!sid) sid.error().offset += at;
  return sid;
}

/// Walks entries that begin with NextEntryOffset and SidLength.
Wire<std::size_t> walk(ByteView bytes, std::size_t fixed_bytes,
                       const std::function<Wire<std::size_t>(std::size_t, std::uint32_t)>& entry) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < fixed_bytes) {
      return wrong(WireFault::Truncated, at, "next_entry_offset");
    }
    const std::size_t next = load_le<std::uint32_t>(bytes.data() + at);
    const std::uint32_t sid_bytes = load_le<std::uint32_t>(bytes.data() + at + 4);
    const auto used = entry(at, sid_bytes);
    if (!used) return used;
    ++count;
    if (next == 0) break;
    if (next < *used || next > bytes.size() - at) {
      return wrong(WireFault::ChainBroken, at, "next_entry_offset");
    }
    at += next;
  }
  return count;
}

}  // namespace

Wire<QueryQuotaInfo> decode_query_quota(ByteView bytes) {
  ByteReader in(bytes);
  QueryQuotaInfo out;
  out.return_single = in.u8() != 0;
  out.restart_scan = in.u8() != 0;
  in.skip(2);
  const std::uint32_t list_bytes = in.u32();
  const std::uint32_t start_bytes = in.u32();
  const std::uint32_t start_at = in.u32();
  if (!in.ok()) return wrong(WireFault::Truncated, bytes.size(), "start_sid_offset");
  const ByteView buffer = bytes.subspan(in.position());
  if (list_bytes != 0) {
    if (list_bytes > buffer.size()) {
      return wrong(WireFault::LengthOutOfRange, 4, "sid_list_length");
    }
    const ByteView list = buffer.first(list_bytes);
    out.sids.emplace();
    const auto count = walk(list, kGetFixedBytes, [&](std::size_t at, std::uint32_t sid_bytes) {
      const auto sid = sid_at(list, at + kGetFixedBytes, sid_bytes);
      if (!sid) return Wire<std::size_t>(std::unexpected(sid.error()));
      out.sids->push_back(*sid);
      return Wire<std::size_t>(kGetFixedBytes + sid_bytes);
    });
    if (!count) return std::unexpected(count.error());
  } else if (start_bytes != 0) {
    const auto sid = sid_at(buffer, start_at, start_bytes);
    if (!sid) return std::unexpected(sid.error());
    out.start = *sid;
  }
  return out;
}

void encode_query_quota(const QueryQuotaInfo& query, Bytes& out) {
  ByteWriter writer(out);
  Bytes buffer;
  ByteWriter list(buffer);
  if (query.sids) {
    std::size_t last = 0;
    for (const Sid& sid : *query.sids) {
      list.align(4);
      if (!buffer.empty()) list.patch(last, static_cast<std::uint32_t>(buffer.size() - last));
      last = buffer.size();
      list.u32(0);
      list.u32(static_cast<std::uint32_t>(sid.size_bytes()));
      sid.encode(buffer);
    }
  } else if (query.start) {
    query.start->encode(buffer);
  }
  const auto buffer_bytes = static_cast<std::uint32_t>(buffer.size());
  writer.u8(query.return_single ? 1 : 0);
  writer.u8(query.restart_scan ? 1 : 0);
  writer.u16(0);
  writer.u32(query.sids ? buffer_bytes : 0);
  writer.u32(query.sids ? 0 : buffer_bytes);
  writer.u32(0);
  writer.bytes(buffer);
}

std::size_t encode_quotas(const std::vector<FileQuotaEntry>& entries, std::size_t limit_bytes,
                          Bytes& out) {
  const std::size_t begin = out.size();
  std::size_t last = begin;
  std::size_t count = 0;
  for (const FileQuotaEntry& entry : entries) {
    const std::size_t at = (out.size() - begin + 7) / 8 * 8;
    const std::size_t sid_bytes = entry.sid.size_bytes();
    if (at + kFixedBytes + sid_bytes > limit_bytes) break;
    ByteWriter writer(out);
    writer.align(8, begin);
    if (count != 0) writer.patch(last, static_cast<std::uint32_t>(out.size() - last));
    last = out.size();
    writer.u32(0);
    writer.u32(static_cast<std::uint32_t>(sid_bytes));
    writer.u64(entry.change_time.ticks);
    writer.u64(entry.used_bytes);
    writer.u64(entry.threshold_bytes);
    writer.u64(entry.limit_bytes);
    entry.sid.encode(out);
    ++count;
  }
  return count;
}

Wire<std::vector<FileQuotaEntry>> decode_quotas(ByteView bytes) {
  std::vector<FileQuotaEntry> out;
  const auto count = walk(bytes, kFixedBytes, [&](std::size_t at, std::uint32_t sid_bytes) {
    const auto sid = sid_at(bytes, at + kFixedBytes, sid_bytes);
    if (!sid) return Wire<std::size_t>(std::unexpected(sid.error()));
    ByteReader in(bytes.subspan(at + 8, kFixedBytes - 8));
    FileQuotaEntry entry;
    entry.change_time.ticks = in.u64();
    entry.used_bytes = in.u64();
    entry.threshold_bytes = in.u64();
    entry.limit_bytes = in.u64();
    entry.sid = *sid;
    out.push_back(entry);
    return Wire<std::size_t>(kFixedBytes + sid_bytes);
  });
  if (!count) return std::unexpected(count.error());
  return out;
}

}  // namespace flotilla::wire
