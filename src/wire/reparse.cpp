#include "wire/reparse.hpp"

#include "wire/utf16.hpp"

namespace flotilla::wire {

namespace {

// [MS-FSCC] 2.1.2.6: InodeType, the letters of its name.
constexpr std::uint64_t kNfsLink = 0x014B4E4C;
constexpr std::uint64_t kNfsCharacterDevice = 0x00524843;
constexpr std::uint64_t kNfsBlockDevice = 0x004B4C42;
constexpr std::uint64_t kNfsFifo = 0x4F464946;
constexpr std::uint64_t kNfsSocket = 0x4B434F53;
/// Tags of Microsoft's; others have a GUID behind the header ([MS-FSCC] 2.1.2.1).
constexpr std::uint32_t kMicrosoft = 0x80000000;

std::unexpected<WireError> wrong(WireFault fault, std::size_t offset, const char* what) {
  return std::unexpected(WireError{fault, offset, what});
}

Wire<void> read_nfs(ByteView data, ReparseMeaning& out) {
  ByteReader reader(data);
  const std::uint64_t type = reader.u64();
  if (!reader.ok()) return wrong(WireFault::Truncated, kReparseHeaderBytes, "inode_type");
  switch (type) {
    case kNfsLink: {
      auto target = utf16_of_bytes(data.subspan(8));
      if (!target || target->empty()) return wrong(WireFault::BadText, 16, "data_buffer");
      out.kind = ReparseKind::Link;
      out.target = *std::move(target);
      return {};
    }
    case kNfsCharacterDevice:
    case kNfsBlockDevice:
      out.kind = ReparseKind::Device;
      return {};
    case kNfsFifo:
      out.kind = ReparseKind::Fifo;
      return {};
    case kNfsSocket:
      out.kind = ReparseKind::Socket;
      return {};
    default:
      return wrong(WireFault::BadValue, kReparseHeaderBytes, "inode_type");
  }
}

Wire<void> read_wsl_link(ByteView data, ReparseMeaning& out) {
  constexpr std::size_t kVersionBytes = 4;
  if (data.size() <= kVersionBytes) return wrong(WireFault::Truncated, kReparseHeaderBytes, "data");
  const ByteView text = data.subspan(kVersionBytes);
  auto target = utf16_of({reinterpret_cast<const char*>(text.data()), text.size()});
  if (!target) return wrong(WireFault::BadText, kReparseHeaderBytes + kVersionBytes, "target");
  out.kind = ReparseKind::Link;
  out.target = *std::move(target);
  return {};
}

Wire<void> read_windows_link(ByteView buffer, ReparseMeaning& out) {
  auto link = decode<SymbolicLinkReparseDataBuffer>(buffer);
  if (!link) return std::unexpected(link.error());
  if (link->substitute_name.empty()) {
    return wrong(WireFault::LengthOutOfRange, kReparseHeaderBytes, "substitute_name");
  }
  out.kind = ReparseKind::Link;
  out.windows = true;
  out.relative = (link->flags & SymbolicLinkReparseDataBuffer::kFlagRelative) != 0;
  out.target = std::move(link->substitute_name);
  out.print_name = std::move(link->print_name);
  return {};
}

Wire<void> read_known(ByteView buffer, ReparseMeaning& out) {
  const ByteView data = buffer.subspan(kReparseHeaderBytes);
  switch (out.tag) {
    case reparse_tag::kSymlink:
      return read_windows_link(buffer, out);
    case reparse_tag::kNfs:
      return read_nfs(data, out);
    case reparse_tag::kLxSymlink:
      return read_wsl_link(data, out);
    case reparse_tag::kMountPoint:
      out.kind = ReparseKind::Mount;
      return {};
    case reparse_tag::kLxChr:
    case reparse_tag::kLxBlk:
      out.kind = ReparseKind::Device;
      return {};
    case reparse_tag::kLxFifo:
      out.kind = ReparseKind::Fifo;
      return {};
    case reparse_tag::kAfUnix:
      out.kind = ReparseKind::Socket;
      return {};
    default:
      return {};
  }
}

}  // namespace

Wire<ReparseMeaning> decode_reparse(ByteView buffer) {
  ByteReader reader(buffer);
  ReparseMeaning out;
  out.tag = reader.u32();
  const std::size_t data_bytes = reader.u16();
  reader.skip(2);
  if (!reader.ok()) return wrong(WireFault::Truncated, 0, "header");
  if (buffer.size() > kReparseBufferMax)
    return wrong(WireFault::LengthOutOfRange, 4, "data_length");
  const std::size_t header =
      (out.tag & kMicrosoft) != 0 ? kReparseHeaderBytes : kReparseGuidHeaderBytes;
  if (buffer.size() != header + data_bytes) {
    return wrong(WireFault::LengthOutOfRange, 4, "data_length");
  }
  if (header != kReparseHeaderBytes) return out;
  if (const auto known = read_known(buffer, out); !known) return std::unexpected(known.error());
  return out;
}

}  // namespace flotilla::wire
