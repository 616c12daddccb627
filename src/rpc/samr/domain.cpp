// samr: what a domain lists, and names to RIDs and back.
// Spec    [MS-SAMR] 3.1.5.2 Enumerate Pattern, 3.1.5.3 Selective Enumerate Pattern,
//         3.1.5.11 Lookup Pattern
#include "rpc/handles.hpp"
#include "rpc/samr/types.hpp"
#include "rpc/share_list.hpp"

namespace flotilla::rpc::samr {

namespace {

using ports::Account;
using ports::SidType;

constexpr std::uint32_t kLookupMax = 1000;
const wire::Sid kBuiltin{5, {32}};

std::vector<Account> aliases_of(const PipeContext& context, const wire::Sid& domain) {
  return domain == kBuiltin ? context.accounts->builtin_aliases() : context.accounts->aliases();
}
std::vector<Account> users_of(const PipeContext& context, const wire::Sid& domain) {
  return domain == kBuiltin ? std::vector<Account>{} : context.accounts->users();
}
std::vector<Account> groups_of(const PipeContext& context, const wire::Sid& domain) {
  return domain == kBuiltin ? std::vector<Account>{} : context.accounts->groups();
}

/// A page of a list: as many as fit into `bytes_max`, at least one.
/// [MS-SAMR] 3.1.5.2.2: EnumerationContext counts entries here.
CallResult enumerate(const std::vector<Account>& all, std::uint32_t first,
                     std::uint32_t bytes_max) {
  std::vector<RidEntry> list;
  std::size_t bytes = 0;
  std::size_t next = std::min<std::size_t>(first, all.size());
  while (next < all.size() && (list.empty() || bytes < bytes_max)) {
    list.push_back({all[next].sid.rid(), NdrString(wide(all[next].name))});
    constexpr std::size_t kFixedBytes = 32;
    bytes += kFixedBytes + list.back().name.length_bytes;
    ++next;
  }
  const auto count = static_cast<std::uint32_t>(list.size());
  NdrUnique<Counted<RidEntry>> out(std::in_place, std::move(list));
  return reply(static_cast<std::uint32_t>(next), out, count,
               next < all.size() ? NtStatus::MoreEntries : NtStatus::Success);
}

/// [MS-SAMR] 2.2.8 Selective Enumerate: the kinds of entries
struct DisplayUser {
  std::uint32_t index = 0;
  std::uint32_t rid = 0;
  std::uint32_t control = 0;
  NdrString name;
  NdrString comment;
  NdrString full_name;
  static void ndr(auto& v, auto& s) {
    v(s.index);
    v(s.rid);
    v(s.control);
    v(s.name);
    v(s.comment);
    v(s.full_name);
  }
};
struct DisplayGroup {
  std::uint32_t index = 0;
  std::uint32_t rid = 0;
  std::uint32_t attributes = 7;
  NdrString name;
  NdrString comment;
  static void ndr(auto& v, auto& s) {
    v(s.index);
    v(s.rid);
    v(s.attributes);
    v(s.name);
    v(s.comment);
  }
};
/// [MS-SAMR] 2.2.8.13 SAMPR_DISPLAY_OEM: names of bytes
struct OemString {
  std::uint16_t length_bytes = 0;
  std::uint16_t maximum_bytes = 0;
  NdrUnique<NdrVarying<std::uint8_t>> buffer;
  explicit OemString(std::string_view text)
      : length_bytes(static_cast<std::uint16_t>(std::min<std::size_t>(text.size(), 512))),
        maximum_bytes(length_bytes) {
    buffer.emplace();
    buffer->items.assign(text.begin(), text.begin() + length_bytes);
  }
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.length_bytes);
    v(s.maximum_bytes);
    v(s.buffer);
  }
};
struct DisplayOem {
  std::uint32_t index = 0;
  OemString name;
  static void ndr(auto& v, auto& s) {
    v(s.index);
    v(s.name);
  }
};
struct DisplayInformation {
  std::uint16_t level = 0;
  Counted<DisplayUser> users;
  Counted<DisplayGroup> groups;
  Counted<DisplayOem> names;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    if (s.level == 1 || s.level == 2) return v(s.users);
    if (s.level == 3) return v(s.groups);
    v(s.names);
  }
};

std::uint32_t control_of(const Account& account) {
  // [MS-SAMR] 2.2.1.12 USER_ACCOUNT Codes: normal account, password does not expire, disabled
  return 0x00000010U | 0x00000200U | (account.disabled ? 0x00000001U : 0U);
}

}  // namespace

/// [MS-SAMR] 3.1.5.2.5 SamrEnumerateUsersInDomain. The filter of account kinds: normal ones only.
CallResult enum_users(const PipeContext& context, EnumUsersIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  constexpr std::uint32_t kNormalAccount = 0x10;
  const bool wanted =
      in.user_account_control == 0 || (in.user_account_control & kNormalAccount) != 0;
  return enumerate(wanted ? users_of(context, domain->sid) : std::vector<Account>{},
                   in.enumeration_context, in.prefered_maximum_length);
}

/// [MS-SAMR] 3.1.5.2.3 SamrEnumerateGroupsInDomain
CallResult enum_groups(const PipeContext& context, EnumIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  return enumerate(groups_of(context, domain->sid), in.enumeration_context,
                   in.prefered_maximum_length);
}

/// [MS-SAMR] 3.1.5.2.4 SamrEnumerateAliasesInDomain
CallResult enum_aliases(const PipeContext& context, EnumIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  return enumerate(aliases_of(context, domain->sid), in.enumeration_context,
                   in.prefered_maximum_length);
}

/// [MS-SAMR] 3.1.5.9.2 SamrGetAliasMembership
CallResult alias_membership(const PipeContext& context, AliasMembershipIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  std::vector<wire::Sid> sids;
  if (in.sids.items) {
    for (const SidPointer& each : *in.sids.items) {
      if (each.sid) sids.push_back(each.sid->sid);
    }
  }
  std::vector<std::uint32_t> rids;
  for (const wire::Sid& alias : context.accounts->aliases_with(sids)) {
    if (alias.is_in(domain->sid)) rids.push_back(alias.rid());
  }
  return reply(Counted<std::uint32_t>(std::move(rids)), NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.11.2 SamrLookupNamesInDomain
CallResult lookup_names(const PipeContext& context, LookupNamesIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  const auto refuse = [](NtStatus status) {
    return reply(Counted<std::uint32_t>{}, Counted<std::uint32_t>{}, status);
  };
  if (in.count != in.names.items.size() || in.count > kLookupMax) {
    return refuse(NtStatus::InvalidParameter);
  }
  const std::string prefix =
      domain->sid == kBuiltin ? "BUILTIN\\" : context.accounts->domain_name() + "\\";
  std::vector<std::uint32_t> rids;
  std::vector<std::uint32_t> uses;
  std::size_t mapped = 0;
  for (const NdrString& each : in.names.items) {
    const auto name = wire::utf8_of(each.text());
    const auto account = name ? context.accounts->find(prefix + *name) : std::nullopt;
    const bool here = account && account->sid.is_in(domain->sid);
    if (here) ++mapped;
    rids.push_back(here ? account->sid.rid() : 0);
    uses.push_back(static_cast<std::uint32_t>(here ? account->type : SidType::Unknown));
  }
  if (mapped == 0 && in.count != 0) return refuse(NtStatus::NoneMapped);
  return reply(Counted<std::uint32_t>(std::move(rids)), Counted<std::uint32_t>(std::move(uses)),
               mapped == in.count ? NtStatus::Success : NtStatus::SomeNotMapped);
}

/// [MS-SAMR] 3.1.5.11.3 SamrLookupIdsInDomain
CallResult lookup_rids(const PipeContext& context, LookupRidsIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  const auto refuse = [](NtStatus status) {
    return reply(Counted<NdrString>{}, Counted<std::uint32_t>{}, status);
  };
  if (in.count != in.rids.items.size() || in.count > kLookupMax) {
    return refuse(NtStatus::InvalidParameter);
  }
  std::vector<NdrString> names;
  std::vector<std::uint32_t> uses;
  std::size_t mapped = 0;
  for (const std::uint32_t rid : in.rids.items) {
    const auto sid = domain->sid.with_rid(rid);
    const auto account = sid ? context.accounts->find(*sid) : std::nullopt;
    if (account) ++mapped;
    names.push_back(account ? NdrString(wide(account->name)) : NdrString{});
    uses.push_back(static_cast<std::uint32_t>(account ? account->type : SidType::Unknown));
  }
  if (mapped == 0 && in.count != 0) return refuse(NtStatus::NoneMapped);
  return reply(Counted<NdrString>(std::move(names)), Counted<std::uint32_t>(std::move(uses)),
               mapped == in.count ? NtStatus::Success : NtStatus::SomeNotMapped);
}

/// [MS-SAMR] 3.1.5.3.1 SamrQueryDisplayInformation3 and its older siblings
CallResult query_display(const PipeContext& context, DisplayIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  DisplayInformation out;
  out.level = in.level;
  const auto refuse = [&](NtStatus status) {
    out.level = 1;
    return reply(std::uint32_t{0}, std::uint32_t{0}, out, status);
  };
  if (in.level < 1 || in.level > 5) return refuse(NtStatus::InvalidInfoClass);
  // Level 2 is machine accounts: none.
  const bool of_users = in.level == 1 || in.level == 4;
  const std::vector<Account> all = of_users        ? users_of(context, domain->sid)
                                   : in.level == 2 ? std::vector<Account>{}
                                                   : groups_of(context, domain->sid);
  std::size_t next = std::min<std::size_t>(in.index, all.size());
  std::size_t bytes = 0;
  std::size_t taken = 0;
  std::vector<DisplayUser> users;
  std::vector<DisplayGroup> groups;
  std::vector<DisplayOem> names;
  while (next < all.size() && taken < in.entry_count &&
         (taken == 0 || bytes < in.prefered_maximum_length)) {
    const Account& account = all[next++];
    ++taken;
    const auto index = static_cast<std::uint32_t>(next);
    constexpr std::size_t kFixedBytes = 60;
    bytes += kFixedBytes + 2 * (account.name.size() + account.comment.size());
    const NdrString name(wide(account.name));
    const NdrString comment(wide(account.comment));
    if (in.level == 1) {
      users.push_back({index, account.sid.rid(), control_of(account), name, comment, name});
    } else if (in.level == 3) {
      groups.push_back({index, account.sid.rid(), 7, name, comment});
    } else {
      names.push_back({index, OemString(account.name)});
    }
  }
  out.users = Counted<DisplayUser>(std::move(users));
  out.groups = Counted<DisplayGroup>(std::move(groups));
  out.names = Counted<DisplayOem>(std::move(names));
  return reply(static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(bytes), out,
               next < all.size() ? NtStatus::MoreEntries : NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.13.8 SamrRidToSid
CallResult rid_to_sid(const PipeContext& context, RidIn& in) {
  const HandleTarget* const target = context.handles->find(in.handle);
  if (!target) return bad_handle();
  const wire::Sid domain =
      target->kind == HandleKind::SamDomain ? target->sid : target->sid.domain();
  const auto sid = domain.with_rid(in.rid);
  if (!sid) return reply(std::uint32_t{0}, NtStatus::NotFound);
  return reply(NdrUnique<NdrSid>(NdrSid{*sid}), NtStatus::Success);
}

}  // namespace flotilla::rpc::samr
