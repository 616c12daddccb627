#include "vfs/samba_xattr.hpp"

#include <charconv>

namespace flotilla::vfs {
namespace {

constexpr std::uint32_t kValidAttrib = 0x1;
constexpr std::uint32_t kValidCreateTime = 0x10;

/// NDR aligns from the start of the blob.
void align(ByteReader& reader, std::size_t boundary) noexcept {
  const std::size_t past = reader.position() & (boundary - 1);
  if (past != 0) reader.skip(boundary - past);
}

std::optional<std::uint32_t> parse_hex(std::string_view text) noexcept {
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<DosAttrib> decode_dos_attrib(ByteView bytes) noexcept {
  ByteReader reader(bytes);
  const std::string_view all = as_text(bytes);
  const std::size_t end = all.find('\0');
  const std::string_view hex = all.substr(0, end);
  DosAttrib out;
  if (end == std::string_view::npos || end + 1 >= bytes.size()) {
    out.attributes = parse_hex(hex);
    return out.attributes ? std::optional(out) : std::nullopt;
  }
  reader.skip(end + 1);
  align(reader, 2);
  const std::uint16_t version = reader.u16();
  const std::uint16_t level = reader.u16();
  align(reader, 4);
  if (level != version) return std::nullopt;
  std::uint32_t valid = kValidAttrib | kValidCreateTime;
  std::uint32_t attributes = 0;
  std::uint64_t created = 0;
  switch (version) {
    case 1:  // attrib, ea_size, size, alloc_size, create_time, change_time
      attributes = reader.u32();
      reader.skip(4 + 8 + 8);
      created = reader.u64();
      break;
    case 2:  // flags, attrib, ea_size, size, alloc_size, create_time, ...
    case 3:  // valid_flags, attrib, ea_size, size, alloc_size, create_time, change_time
      valid = reader.u32();
      if (version == 2) valid = kValidAttrib | kValidCreateTime;
      attributes = reader.u32();
      reader.skip(4 + 8 + 8);
      created = reader.u64();
      break;
    case 4:  // valid_flags, attrib, itime, create_time
      valid = reader.u32();
      attributes = reader.u32();
      reader.skip(8);
      created = reader.u64();
      break;
    case 5:  // valid_flags, attrib, create_time
      valid = reader.u32();
      attributes = reader.u32();
      created = reader.u64();
      break;
    default:
      return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  if ((valid & kValidAttrib) != 0) out.attributes = attributes & kAttributesStored;
  if ((valid & kValidCreateTime) != 0 && created != 0 && created != ~std::uint64_t{0}) {
    out.created = NtTime{created};
  }
  return out;
}

Bytes encode_dos_attrib(std::uint32_t attributes, NtTime created) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(0);  // attrib_hex: empty since version 5
  writer.align(2);
  writer.u16(5);
  writer.u16(5);
  writer.align(4);
  writer.u32(kValidAttrib | kValidCreateTime);
  writer.u32(attributes & kAttributesStored);
  writer.u64(created.ticks);
  return out;
}

std::optional<Bytes> decode_nt_acl(ByteView bytes) {
  ByteReader reader(bytes);
  const std::uint16_t version = reader.u16();
  const std::uint16_t level = reader.u16();
  if (level != version || version < 1 || version > 4) return std::nullopt;
  const std::uint32_t outer = reader.u32();  // referent of the version's struct
  if (outer == 0) return std::nullopt;
  if (version > 1) {
    if (reader.u32() == 0) return std::nullopt;  // referent of the descriptor
    if (version == 2) reader.skip(16);           // hash
    if (version >= 3) reader.skip(2 + 64);       // hash_type, hash
    if (version == 4) {
      while (reader.ok() && reader.u8() != 0) {
      }  // description
      align(reader, 4);
      reader.skip(8 + 64);  // time, sys_acl_hash
    }
    align(reader, 4);
  }
  // A descriptor is self-relative (SE_SELF_RELATIVE, [MS-DTYP] 2.4.6) and ends the blob, but its
  // offsets count from the start of the blob: NDR's relative pointers do not know where it begins.
  const auto start = static_cast<std::uint32_t>(reader.position());
  const ByteView view = reader.view(reader.remaining());
  if (!reader.ok() || view.size() < 20 || view[0] != 1 ||
      (load_le<std::uint16_t>(&view[2]) >> 15) == 0) {
    return std::nullopt;
  }
  Bytes sd(view.begin(), view.end());
  for (std::size_t at = 4; at < 20; at += 4) {  // owner, group, SACL, DACL
    const auto offset = load_le<std::uint32_t>(&sd[at]);
    if (offset == 0) continue;
    if (offset < start + 20 || offset - start >= sd.size()) return std::nullopt;
    store_le(&sd[at], offset - start);
  }
  return sd;
}

}  // namespace flotilla::vfs
