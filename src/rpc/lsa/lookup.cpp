// lsarpc: names to SIDs and back, as Explorer's security page, smbcacls and rpcclient ask for them.
// Spec    [MS-LSAT] 3.1.4 Message Processing Events and Sequencing Rules
#include "rpc/handles.hpp"
#include "rpc/lsa/types.hpp"
#include "rpc/share_list.hpp"

namespace flotilla::rpc::lsa {

namespace {

using ports::Account;
using ports::SidType;

constexpr std::uint32_t kNamesMax = 1000;
constexpr std::uint32_t kSidsMax = 20480;
constexpr std::uint32_t kNoDomain = 0xFFFFFFFF;
// [MS-LSAT] 2.2.16 LSAP_LOOKUP_LEVEL
constexpr std::uint16_t kLevelFirst = 1;
constexpr std::uint16_t kLevelLast = 6;

/// The domains that an answer speaks of, each once.
class DomainList {
 public:
  std::uint32_t index_of(const std::string& name, const wire::Sid& sid) {
    for (std::size_t i = 0; i < sids_.size(); ++i) {
      if (sids_[i] == sid) return static_cast<std::uint32_t>(i);
    }
    sids_.push_back(sid);
    list_.push_back({NdrString::large(wide(name)), NdrSid{sid}});
    return static_cast<std::uint32_t>(list_.size() - 1);
  }
  [[nodiscard]] NdrUnique<ReferencedDomains> take() {
    NdrUnique<ReferencedDomains> out(std::in_place);
    constexpr std::uint32_t kMaxEntries = 32;  // as Windows says
    out->entries = static_cast<std::uint32_t>(list_.size());
    out->max_entries = std::max(kMaxEntries, out->entries);
    if (!list_.empty()) out->domains = std::move(list_);
    return out;
  }

 private:
  std::vector<wire::Sid> sids_;
  std::vector<DomainInfo> list_;
};

wire::Sid domain_of(const Account& account) {
  return account.type == SidType::Domain ? account.sid : account.sid.domain();
}

/// [MS-LSAT] 3.1.4.5: none, some or all
NtStatus status_of(std::size_t mapped, std::size_t asked) {
  if (mapped == asked) return NtStatus::Success;
  return mapped == 0 ? NtStatus::NoneMapped : NtStatus::SomeNotMapped;
}

template <int Generation>
CallResult names_to_sids(const PipeContext& context, LookupNamesIn<Generation>& in) {
  std::vector<TranslatedSid<Generation>> sids;
  const auto refuse = [&](NtStatus status) {
    return reply(std::uint32_t{0}, Counted<TranslatedSid<Generation>>{}, std::uint32_t{0}, status);
  };
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  if (in.count != in.names.size()) return std::unexpected(wire::rpc_fault::kBadStubData);
  if (in.count > kNamesMax || in.lookup_level < kLevelFirst || in.lookup_level > kLevelLast) {
    return refuse(NtStatus::InvalidParameter);
  }
  DomainList domains;
  std::uint32_t mapped = 0;
  for (const NdrString& each : in.names) {
    TranslatedSid<Generation> out;
    const auto name = wire::utf8_of(each.text());
    const auto account = name ? context.accounts->find(*name) : std::nullopt;
    if (account) {
      ++mapped;
      out.use = static_cast<std::uint16_t>(account->type);
      out.relative_id = account->type == SidType::Domain ? kNoDomain : account->sid.rid();
      out.sid = NdrSid{account->sid};
      out.domain_index = domains.index_of(account->domain, domain_of(*account));
    }
    sids.push_back(std::move(out));
  }
  const NtStatus status = status_of(mapped, sids.size());
  return reply(domains.take(), Counted<TranslatedSid<Generation>>(std::move(sids)), mapped, status);
}

template <int Generation>
CallResult sids_to_names(const PipeContext& context, LookupSidsIn<Generation>& in) {
  const auto refuse = [&](NtStatus status) {
    return reply(std::uint32_t{0}, Counted<TranslatedName<Generation>>{}, std::uint32_t{0}, status);
  };
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  std::vector<SidPointer> none;
  const std::vector<SidPointer>& asked = in.sids.items ? *in.sids.items : none;
  if (in.sids.count != asked.size()) return std::unexpected(wire::rpc_fault::kBadStubData);
  if (in.sids.count > kSidsMax || in.lookup_level < kLevelFirst || in.lookup_level > kLevelLast) {
    return refuse(NtStatus::InvalidParameter);
  }
  DomainList domains;
  std::vector<TranslatedName<Generation>> names;
  std::uint32_t mapped = 0;
  for (const SidPointer& each : asked) {
    TranslatedName<Generation> out;
    if (!each.sid) return refuse(NtStatus::InvalidParameter);
    const wire::Sid& sid = each.sid->sid;
    if (const auto account = context.accounts->find(sid)) {
      ++mapped;
      out.use = static_cast<std::uint16_t>(account->type);
      // A domain is named by the list of domains.
      out.name = NdrString(account->type == SidType::Domain ? u"" : wide(account->name));
      out.domain_index = domains.index_of(account->domain, domain_of(*account));
    } else {
      // [MS-LSAT] 3.1.4.11: the SID as text stands for a name that is not known.
      out.name = NdrString(wide(sid.to_string()));
    }
    names.push_back(std::move(out));
  }
  const NtStatus status = status_of(mapped, names.size());
  return reply(domains.take(), Counted<TranslatedName<Generation>>(std::move(names)), mapped,
               status);
}

}  // namespace

CallResult lookup_names(const PipeContext& context, LookupNamesIn<1>& in) {
  return names_to_sids(context, in);
}
CallResult lookup_names2(const PipeContext& context, LookupNamesIn<2>& in) {
  return names_to_sids(context, in);
}
CallResult lookup_names3(const PipeContext& context, LookupNamesIn<3>& in) {
  return names_to_sids(context, in);
}
CallResult lookup_sids(const PipeContext& context, LookupSidsIn<1>& in) {
  return sids_to_names(context, in);
}
CallResult lookup_sids2(const PipeContext& context, LookupSidsIn<2>& in) {
  return sids_to_names(context, in);
}

/// [MS-LSAT] 3.1.4.2 LsarGetUserName: who the caller is
CallResult get_user_name(const PipeContext& context, GetUserNameIn& in) {
  const ports::Token& caller = *context.caller;
  NdrUnique<NdrString> name(NdrString::large(wide(caller.user_name)));
  NdrUnique<NdrUnique<NdrString>> authority;
  if (in.authority_name) {
    authority.emplace(NdrUnique<NdrString>(NdrString::large(wide(caller.domain))));
  }
  return reply(name, authority, NtStatus::Success);
}

}  // namespace flotilla::rpc::lsa
