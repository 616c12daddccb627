#include "vfs/samba_xattr.hpp"

#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <utility>

namespace flotilla::vfs {
namespace {

constexpr std::uint32_t kValidAttrib = 0x1;
constexpr std::uint32_t kValidCreateTime = 0x10;
constexpr std::uint32_t kValidChangeTime = 0x20;
constexpr std::uint32_t kTypeBits = 0170000;  // of st_mode
constexpr std::uint32_t kDirectory = 0040000;
constexpr std::uint16_t kHashSha256 = 1;  // XATTR_SD_HASH_TYPE_SHA256
/// Of what is hashed; the only kind that is known here.
constexpr std::string_view kSystemAclDescription = "posix_acl";

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
      reader.skip(4);
      out.changed_at = NtTime{reader.u64()};
      reader.skip(8);
      created = reader.u64();
      if ((valid & kValidChangeTime) != 0) out.changed = NtTime{reader.u64()};
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

Bytes encode_dos_attrib(std::uint32_t attributes, NtTime created, NtTime changed,
                        NtTime changed_at) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(0);
  writer.align(2);
  writer.u16(3);
  writer.u16(3);
  writer.align(4);
  writer.u32(kValidAttrib | kValidCreateTime | kValidChangeTime);
  writer.u32(attributes & kAttributesStored);
  writer.u32(0);  // ea_size
  writer.u64(changed_at.ticks);
  writer.u64(0);  // alloc_size
  writer.u64(created.ticks);
  writer.u64(changed.ticks);
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

namespace {

// librpc/idl smb_acl: tags in its own numbering.
std::uint16_t samba_tag(std::uint16_t kernel_tag) noexcept {
  switch (kernel_tag) {
    case 0x02:
      return 1;  // USER
    case 0x01:
      return 2;  // USER_OBJ
    case 0x08:
      return 3;  // GROUP
    case 0x04:
      return 4;  // GROUP_OBJ
    case 0x20:
      return 5;  // OTHER
    case 0x10:
      return 6;  // MASK
    default:
      return 0;
  }
}

void put_acl(ByteWriter& out, ByteView acl) {
  ByteReader reader(acl);
  reader.skip(4);  // version
  const auto count = static_cast<std::uint32_t>(reader.remaining() / 8);
  out.u32(count);  // conformance of the array
  out.align(8);    // an entry may hold a 64-bit id, and all are aligned for one
  out.u32(count);
  out.u32(0);  // next
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint16_t tag = samba_tag(reader.u16());
    const std::uint16_t bits = reader.u16();
    const std::uint32_t id = reader.u32();
    out.align(8);
    out.u16(tag);
    out.u16(tag);  // the union's level
    if (tag == 1 || tag == 3) {
      out.align(8);
      out.u64(id);
    }
    out.align(4);
    out.u32(bits);
  }
}

/// The mode as the minimal ACL that it is.
Bytes acl_of_mode(std::uint32_t mode) {
  Bytes acl;
  ByteWriter out(acl);
  out.u32(2);
  for (const auto& [tag, shift] : {std::pair{0x01, 6}, std::pair{0x04, 3}, std::pair{0x20, 0}}) {
    out.u16(static_cast<std::uint16_t>(tag));
    out.u16(static_cast<std::uint16_t>(mode >> shift & 7));
    out.u32(0xFFFFFFFF);
  }
  return acl;
}

using SystemHash = std::array<std::uint8_t, 64>;

SystemHash hash_of_system(const SystemAcl& system) {
  Bytes wrapper;
  ByteWriter hashed(wrapper);
  hashed.u32(0x00020000);
  // A directory has an ACL for what is made in it, if one without entries.
  const bool directory = (system.mode & kTypeBits) == kDirectory;
  hashed.u32(directory ? 0x00020004 : 0);
  hashed.u64(system.owner);
  hashed.u64(system.group);
  hashed.u32(system.mode);
  put_acl(hashed, system.access.empty() ? acl_of_mode(system.mode) : system.access);
  if (directory) {
    hashed.align(4);
    put_acl(hashed, system.by_default);
  }
  SystemHash hash{};
  ::SHA256(wrapper.data(), wrapper.size(), hash.data());
  return hash;
}

}  // namespace

bool nt_acl_is_current(ByteView blob, const SystemAcl& system) {
  ByteReader reader(blob);
  if (reader.u16() != 4) return true;
  reader.skip(2 + 4 + 4);
  if (reader.u16() != kHashSha256) return true;
  reader.skip(64);
  std::string description;
  for (std::uint8_t c = reader.u8(); reader.ok() && c != 0; c = reader.u8()) {
    description.push_back(static_cast<char>(c));
  }
  if (description != kSystemAclDescription) return true;
  align(reader, 4);
  reader.skip(8);
  const auto stored = reader.array<64>();
  return !reader.ok() || stored == hash_of_system(system);
}

Bytes encode_nt_acl(ByteView descriptor, const SystemAcl& system, NtTime now) {
  Bytes out;
  ByteWriter writer(out);
  writer.u16(4);
  writer.u16(4);
  writer.u32(0x00020000);
  writer.u32(0x00020004);
  writer.u16(kHashSha256);
  writer.bytes(Bytes(64));  // of the descriptor that Samba would make of the system's ACL
  writer.bytes(as_bytes(kSystemAclDescription));
  writer.u8(0);
  writer.align(4);
  writer.u64(now.ticks);
  writer.bytes(hash_of_system(system));
  writer.align(4);
  const auto start = static_cast<std::uint32_t>(out.size());
  out.insert(out.end(), descriptor.begin(), descriptor.end());
  for (std::size_t at = 4; at < 20 && descriptor.size() >= 20; at += 4) {
    const auto offset = load_le<std::uint32_t>(&out[start + at]);
    if (offset != 0) store_le(&out[start + at], offset + start);
  }
  return out;
}

}  // namespace flotilla::vfs
