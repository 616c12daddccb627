#include "wire/pac.hpp"

#include <algorithm>

namespace flotilla::wire {

namespace {

constexpr std::size_t kHeadersBytes = 16;
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kLittleEndian = 0x10;
constexpr std::uint16_t kCommonHeaderBytes = 8;

void add(std::vector<Sid>& list, const std::optional<Sid>& sid) {
  if (sid && std::ranges::find(list, *sid) == list.end()) list.push_back(*sid);
}

std::unexpected<WireError> wrong(WireFault fault, std::size_t offset, const char* what) {
  return std::unexpected(WireError{fault, offset, what});
}

}  // namespace

Wire<PacLogonInfo> decode_pac_logon_info(ByteView buffer) {
  if (buffer.size() < kHeadersBytes) return wrong(WireFault::Truncated, 0, "PAC serialization");
  if (buffer[0] != kVersion || buffer[1] != kLittleEndian ||
      load_le<std::uint16_t>(buffer.data() + 2) != kCommonHeaderBytes) {
    return wrong(WireFault::BadValue, 0, "PAC serialization header");
  }
  if (load_le<std::uint32_t>(buffer.data() + 8) > buffer.size() - kHeadersBytes) {
    return wrong(WireFault::LengthOutOfRange, 8, "PAC object length");
  }
  NdrReader reader(buffer.subspan(kHeadersBytes));
  NdrUnique<KerbValidationInfo> info;
  reader(info);
  if (!reader.ok()) return std::unexpected(reader.error());
  if (!info || !info->logon_domain_id) {
    return wrong(WireFault::BadValue, kHeadersBytes, "LogonDomainId");
  }
  PacLogonInfo out;
  out.account_name = info->effective_name.text();
  out.full_name = info->full_name.text();
  out.domain_name = info->logon_domain_name.text();
  out.domain_sid = info->logon_domain_id->sid;
  out.user_account_control = info->user_account_control;
  const auto user = out.domain_sid.with_rid(info->user_id);
  const auto primary = out.domain_sid.with_rid(info->primary_group_id);
  if (!user || !primary) return wrong(WireFault::BadValue, kHeadersBytes, "LogonDomainId");
  out.user_sid = *user;
  out.primary_group_sid = *primary;
  std::size_t count = 1;
  const auto size_of = [](const auto& list) { return list ? list->size() : 0; };
  count += size_of(info->group_ids) + size_of(info->extra_sids) + size_of(info->resource_group_ids);
  if (count > kPacSidsMax) return wrong(WireFault::CountOutOfRange, kHeadersBytes, "PAC groups");
  add(out.group_sids, primary);
  if (info->group_ids) {
    for (const GroupMembership& group : *info->group_ids) {
      add(out.group_sids, out.domain_sid.with_rid(group.relative_id));
    }
  }
  if ((info->user_flags & pac_user_flags::kExtraSids) != 0 && info->extra_sids) {
    for (const SidAndAttributes& extra : *info->extra_sids) {
      if (extra.sid) add(out.group_sids, extra.sid->sid);
    }
  }
  if ((info->user_flags & pac_user_flags::kResourceGroups) != 0 && info->resource_group_ids &&
      info->resource_group_domain_sid) {
    for (const GroupMembership& group : *info->resource_group_ids) {
      add(out.group_sids, info->resource_group_domain_sid->sid.with_rid(group.relative_id));
    }
  }
  return out;
}

Bytes encode_pac_logon_info(const KerbValidationInfo& info) {
  Bytes out(kHeadersBytes);
  out[0] = kVersion;
  out[1] = kLittleEndian;
  store_le(out.data() + 2, kCommonHeaderBytes);
  store_le(out.data() + 4, std::uint32_t{0xCCCCCCCC});
  NdrWriter writer(out);
  writer(NdrUnique<KerbValidationInfo>(info));
  out.resize((out.size() + 7) & ~std::size_t{7});
  store_le(out.data() + 8, static_cast<std::uint32_t>(out.size() - kHeadersBytes));
  return out;
}

}  // namespace flotilla::wire
