#include "wire/security_descriptor.hpp"

#include <cstring>

namespace flotilla::wire {
namespace {

constexpr std::size_t kAclHeaderSize = 8;
constexpr std::size_t kAceHeaderSize = 4;
constexpr std::size_t kDescriptorSize = 20;
constexpr std::size_t kAclSizeMax = 0xFFFF;
constexpr std::uint32_t kObjectTypePresent = 0x1;
constexpr std::uint32_t kInheritedObjectTypePresent = 0x2;

std::unexpected<WireError> refuse(WireFault fault, std::size_t at, const char* what) {
  return std::unexpected(WireError{fault, at, what});
}

/// `bytes` is exactly one ACE; `at` its offset in the descriptor.
Wire<Ace> decode_ace(ByteView bytes, std::size_t at) {
  ByteReader r(bytes);
  Ace ace;
  ace.type = static_cast<AceType>(r.u8());
  ace.flags = r.u8();
  r.skip(2);  // AceSize: the caller cut by it
  if (has_known_layout(ace.type)) {
    ace.mask = r.u32();
    if (is_object_ace(ace.type)) {
      ace.object_flags = r.u32();
      if (ace.object_flags & kObjectTypePresent) ace.object_type = r.array<16>();
      if (ace.object_flags & kInheritedObjectTypePresent) {
        ace.inherited_object_type = r.array<16>();
      }
    }
    if (!r.ok()) return refuse(WireFault::Truncated, at, "ace");
    const std::size_t sid_at = r.position();
    Wire<Sid> sid = Sid::decode(bytes.subspan(sid_at));
    if (!sid) return refuse(sid.error().fault, at + sid_at + sid.error().offset, "ace sid");
    ace.sid = *sid;
    r.skip(sid->size_bytes());
  }
  const ByteView rest = r.view(r.remaining());
  ace.application_data.assign(rest.begin(), rest.end());
  return ace;
}

std::size_t size_of(const Ace& ace) noexcept {
  std::size_t size = kAceHeaderSize + ace.application_data.size();
  if (!has_known_layout(ace.type)) return size;
  size += 4 + ace.sid.size_bytes();
  if (is_object_ace(ace.type)) {
    size += 4;
    if (ace.object_flags & kObjectTypePresent) size += 16;
    if (ace.object_flags & kInheritedObjectTypePresent) size += 16;
  }
  return size;
}

void encode_ace(const Ace& ace, std::size_t size, Bytes& out) {
  ByteWriter w(out);
  w.u8(static_cast<std::uint8_t>(ace.type));
  w.u8(ace.flags);
  w.u16(static_cast<std::uint16_t>(size));
  if (has_known_layout(ace.type)) {
    w.u32(ace.mask);
    if (is_object_ace(ace.type)) {
      w.u32(ace.object_flags);
      if (ace.object_flags & kObjectTypePresent) w.bytes(ace.object_type);
      if (ace.object_flags & kInheritedObjectTypePresent) w.bytes(ace.inherited_object_type);
    }
    ace.sid.encode(out);
  }
  w.bytes(ace.application_data);
}

Wire<Acl> decode_acl(ByteView all, std::size_t at) {
  if (at > all.size() || all.size() - at < kAclHeaderSize) {
    return refuse(WireFault::OffsetOutOfRange, at, "acl");
  }
  ByteReader head(all.subspan(at, kAclHeaderSize));
  Acl acl;
  acl.revision = head.u8();
  head.skip(1);
  const std::size_t size = head.u16();
  const std::size_t count = head.u16();
  if (acl.revision < Acl::kRevision || acl.revision > Acl::kRevisionDs) {
    return refuse(WireFault::BadValue, at, "acl revision");
  }
  if (size < kAclHeaderSize || size > all.size() - at) {
    return refuse(WireFault::LengthOutOfRange, at + 2, "acl size");
  }
  if (count > (size - kAclHeaderSize) / kAceHeaderSize) {
    return refuse(WireFault::CountOutOfRange, at + 4, "ace count");
  }
  const std::size_t end = at + size;
  acl.aces.reserve(count);
  for (std::size_t i = 0, pos = at + kAclHeaderSize; i < count; ++i) {
    if (end - pos < kAceHeaderSize) return refuse(WireFault::Truncated, pos, "ace");
    const std::size_t ace_size = load_le<std::uint16_t>(all.data() + pos + 2);
    if (ace_size < kAceHeaderSize || ace_size > end - pos) {
      return refuse(WireFault::LengthOutOfRange, pos + 2, "ace size");
    }
    Wire<Ace> ace = decode_ace(all.subspan(pos, ace_size), pos);
    if (!ace) return std::unexpected(ace.error());
    acl.aces.push_back(std::move(*ace));
    pos += ace_size;
  }
  return acl;
}

void encode_acl(const Acl& acl, Bytes& out) {
  const std::size_t at = out.size();
  ByteWriter w(out);
  w.u8(acl.revision);
  w.u8(0);
  w.u16(0);
  w.u16(0);
  w.u16(0);
  std::uint16_t count = 0;
  for (const Ace& ace : acl.aces) {
    const std::size_t size = size_of(ace);
    if (out.size() - at + size > kAclSizeMax) break;
    encode_ace(ace, size, out);
    ++count;
  }
  w.patch(at + 2, static_cast<std::uint16_t>(out.size() - at));
  w.patch(at + 4, count);
}

}  // namespace

bool is_object_ace(AceType type) noexcept {
  switch (type) {
    case AceType::AccessAllowedObject:
    case AceType::AccessDeniedObject:
    case AceType::SystemAuditObject:
    case AceType::AccessAllowedCallbackObject:
    case AceType::AccessDeniedCallbackObject:
    case AceType::SystemAuditCallbackObject:
      return true;
    default:
      return false;
  }
}

bool has_known_layout(AceType type) noexcept {
  switch (type) {
    case AceType::AccessAllowed:
    case AceType::AccessDenied:
    case AceType::SystemAudit:
    case AceType::AccessAllowedCallback:
    case AceType::AccessDeniedCallback:
    case AceType::SystemAuditCallback:
    case AceType::SystemMandatoryLabel:
    case AceType::SystemResourceAttribute:
    case AceType::SystemScopedPolicyId:
      return true;
    default:
      return is_object_ace(type);
  }
}

Wire<SecurityDescriptor> SecurityDescriptor::decode(ByteView bytes) {
  if (bytes.size() < kDescriptorSize) {
    return refuse(WireFault::Truncated, bytes.size(), "security descriptor");
  }
  ByteReader r(bytes);
  // Samba's tools send 0 where they are not told, and smbd takes it.
  if (r.u8() > 1) return refuse(WireFault::BadValue, 0, "security descriptor revision");
  r.skip(1);  // Sbz1
  SecurityDescriptor sd;
  sd.control = r.u16();
  if (!(sd.control & sd_control::kSelfRelative)) {
    return refuse(WireFault::BadValue, 2, "control: not self-relative");
  }
  const std::uint32_t offsets[4] = {r.u32(), r.u32(), r.u32(), r.u32()};
  for (const std::uint32_t offset : offsets) {
    if (offset != 0 && (offset < kDescriptorSize || offset > bytes.size())) {
      return refuse(WireFault::OffsetOutOfRange, 4, "security descriptor offset");
    }
  }
  const auto take_sid = [&](std::uint32_t at, std::optional<Sid>& into) -> Wire<void> {
    if (at == 0) return {};
    Wire<Sid> sid = Sid::decode(bytes.subspan(at));
    if (!sid) return refuse(sid.error().fault, at + sid.error().offset, sid.error().what);
    into = *sid;
    return {};
  };
  if (auto got = take_sid(offsets[0], sd.owner); !got) return std::unexpected(got.error());
  if (auto got = take_sid(offsets[1], sd.group); !got) return std::unexpected(got.error());
  const auto take_acl = [&](std::uint32_t at, bool present,
                            std::optional<Acl>& into) -> Wire<void> {
    if (!present || at == 0) return {};
    Wire<Acl> acl = decode_acl(bytes, at);
    if (!acl) return std::unexpected(acl.error());
    into = std::move(*acl);
    return {};
  };
  const bool sacl = sd.control & sd_control::kSaclPresent;
  const bool dacl = sd.control & sd_control::kDaclPresent;
  if (auto got = take_acl(offsets[2], sacl, sd.sacl); !got) return std::unexpected(got.error());
  if (auto got = take_acl(offsets[3], dacl, sd.dacl); !got) return std::unexpected(got.error());
  return sd;
}

void SecurityDescriptor::encode(Bytes& out) const {
  const std::size_t at = out.size();
  ByteWriter w(out);
  std::uint16_t bits = control | sd_control::kSelfRelative;
  if (sacl) bits |= sd_control::kSaclPresent;
  if (dacl) bits |= sd_control::kDaclPresent;
  w.u8(1);
  w.u8(0);
  w.u16(bits);
  w.zeros(16);
  const auto place = [&](std::size_t field, const auto& part, auto&& write) {
    if (!part) return;
    w.align(4, at);
    w.patch(at + field, static_cast<std::uint32_t>(out.size() - at));
    write(*part);
  };
  place(12, sacl, [&](const Acl& acl) { encode_acl(acl, out); });
  place(16, dacl, [&](const Acl& acl) { encode_acl(acl, out); });
  place(4, owner, [&](const Sid& sid) { sid.encode(out); });
  place(8, group, [&](const Sid& sid) { sid.encode(out); });
}

}  // namespace flotilla::wire
