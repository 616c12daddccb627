// srvsvc: the shares, the server and its time, for `smbclient -L`, Explorer and `net`.
// Spec    [MS-SRVS] 3.1.4 Message Processing Events and Sequencing Rules
// Lists of other people's sessions, connections and files are for administrators
// (srvsvc_activity.cpp). What would change the server is AccessDenied: shares are the
// configuration's.
#include <algorithm>
#include <array>
#include <chrono>

#include "base/ascii.hpp"
#include "rpc/access.hpp"
#include "rpc/calls.hpp"
#include "rpc/share_list.hpp"
#include "rpc/srvsvc_activity.hpp"
#include "rpc/srvsvc_types.hpp"

namespace flotilla::rpc {

namespace {

using namespace srvsvc;
using wire::NdrReader;
using wire::NdrWriter;

constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;
constexpr std::uint32_t kPlatformIdNt = 500;
// [MS-SRVS] 2.2.2.7: workstation, server, NT, NT server; not a domain controller.
constexpr std::uint32_t kServerType = 0x00000001 | 0x00000002 | 0x00001000 | 0x00008000;
constexpr std::uint32_t kAutoDisconnectMinutes = 15;

std::unexpected<std::uint32_t> bad_stub() { return std::unexpected(wire::rpc_fault::kBadStubData); }

/// What NetrShareEnum counts against PreferedMaximumLength.
std::size_t size_of(const ShareFacts& share) {
  return 48 + 2 * (share.name.size() + share.comment.size() + share.path.size() + 3);
}

ShareInfo2 info2_of(const ShareFacts& share) {
  ShareInfo2 info;
  info.netname = share.name;
  info.type = share.type;
  info.remark = share.comment;
  info.max_uses = kUnlimited;
  info.current_uses = 1;
  info.path = share.path;
  return info;
}

template <class Info>
Info info_of(const ShareFacts& share) {
  Info info;
  if constexpr (std::is_same_v<Info, ShareInfo0>) {
    info.netname = share.name;
  } else if constexpr (std::is_same_v<Info, ShareInfo1> || std::is_same_v<Info, ShareInfo501>) {
    info.netname = share.name;
    info.type = share.type;
    info.remark = share.comment;
  } else if constexpr (std::is_same_v<Info, ShareInfo2>) {
    info = info2_of(share);
  } else {
    static_assert(std::is_same_v<Info, ShareInfo502>);
    info.two = info2_of(share);
  }
  return info;
}

/// Levels that say where on the server something lies are not for guests and nobody.
bool tells_paths(std::uint32_t level) { return level == 2 || level == 502; }
bool may_see_paths(const PipeContext& context) { return !context.caller || is_known_user(context); }

template <class Info>
void fill(wire::NdrUnique<Container<Info>>& container, std::span<const ShareFacts> shares) {
  container.emplace();
  container->entries_read = static_cast<std::uint32_t>(shares.size());
  auto& buffer = container->buffer.emplace();
  for (const ShareFacts& share : shares) buffer.push_back(info_of<Info>(share));
}

bool fill(ShareEnum& out, std::span<const ShareFacts> shares) {
  switch (out.level) {
    case 0:
      fill(out.level0, shares);
      return true;
    case 1:
      fill(out.level1, shares);
      return true;
    case 2:
      fill(out.level2, shares);
      return true;
    case 501:
      fill(out.level501, shares);
      return true;
    case 502:
      fill(out.level502, shares);
      return true;
    default:
      return false;
  }
}

/// [MS-SRVS] 3.1.4.8 NetrShareEnum, 3.1.4.9 NetrShareEnumSticky
CallResult share_enum(const PipeContext& context, ByteView stub) {
  NdrReader in(stub);
  std::optional<std::u16string> server_name;
  ShareEnum info;
  std::uint32_t prefered_maximum_length = 0;
  std::optional<std::uint32_t> resume_handle;
  in(server_name);
  in(info);
  const std::uint32_t level = info.level;
  const bool known_level = level <= 2 || level == 501 || level == 502;
  in(prefered_maximum_length);
  in(resume_handle);
  if ((!in.ok() && known_level) || info.level != info.union_level) return bad_stub();

  if (tells_paths(level) && !may_see_paths(context)) {
    ShareEnum nothing;
    nothing.level = nothing.union_level = level;
    return reply(nothing, std::uint32_t{0}, resume_handle, WinError::AccessDenied);
  }
  std::vector<ShareFacts> shares = all_shares(*context.config, context.caller);
  std::erase_if(shares, [](const ShareFacts& share) { return !share.listed; });
  const std::size_t first = std::min<std::size_t>(resume_handle.value_or(0), shares.size());
  std::size_t end = first;
  std::size_t bytes = 0;
  while (end < shares.size()) {
    bytes += size_of(shares[end]);
    if (end > first && prefered_maximum_length != kUnlimited && bytes > prefered_maximum_length) {
      break;
    }
    ++end;
  }
  ShareEnum answer;
  answer.level = answer.union_level = level;
  WinError result = end < shares.size() ? WinError::MoreData : WinError::Success;
  std::uint32_t total_entries = static_cast<std::uint32_t>(shares.size() - first);
  if (!fill(answer, std::span(shares).subspan(first, end - first))) {
    result = WinError::InvalidLevel;
    total_entries = 0;
  }
  if (resume_handle) {
    resume_handle = result == WinError::MoreData ? static_cast<std::uint32_t>(end) : 0;
  }

  Bytes reply;
  NdrWriter out(reply);
  out(answer);
  out(total_entries);
  out(resume_handle);
  out(result);
  return reply;
}

/// [MS-SRVS] 3.1.4.10 NetrShareGetInfo
CallResult share_get_info(const PipeContext& context, ByteView stub) {
  NdrReader in(stub);
  std::optional<std::u16string> server_name;
  std::u16string net_name;
  in(server_name);
  in(net_name);
  const auto level = in.take<std::uint32_t>();
  if (!in.ok()) return bad_stub();

  const std::vector<ShareFacts> shares = all_shares(*context.config, context.caller);
  const auto share = std::ranges::find_if(shares, [&](const ShareFacts& each) {
    return ascii::equal_without_case(each.name, net_name);
  });
  ShareInfo answer;
  answer.level = level;
  WinError result = WinError::Success;
  if (tells_paths(level) && !may_see_paths(context)) {
    return reply(answer, WinError::AccessDenied);
  }
  const bool known_level =
      level <= 2 || level == 501 || level == 502 || (level >= 1004 && level <= 1006);
  if (!known_level) {
    result = WinError::InvalidLevel;
  } else if (share == shares.end()) {
    result = WinError::NetNameNotFound;
  } else if (level == 0) {
    answer.level0 = info_of<ShareInfo0>(*share);
  } else if (level == 1) {
    answer.level1 = info_of<ShareInfo1>(*share);
  } else if (level == 2) {
    answer.level2 = info_of<ShareInfo2>(*share);
  } else if (level == 501) {
    answer.level501 = info_of<ShareInfo501>(*share);
  } else if (level == 502) {
    answer.level502 = info_of<ShareInfo502>(*share);
  } else if (level == 1004) {
    answer.level1004.emplace(share->comment);
  } else if (level == 1005) {
    answer.level1005.emplace();
  } else {
    answer.level1006.emplace();
  }
  Bytes reply;
  NdrWriter out(reply);
  out(answer);
  out(result);
  return reply;
}

/// [MS-SRVS] 3.1.4.17 NetrServerGetInfo
CallResult server_get_info(const PipeContext& context, ByteView stub) {
  NdrReader in(stub);
  std::optional<std::u16string> server_name;
  in(server_name);
  const auto level = in.take<std::uint32_t>();
  if (!in.ok()) return bad_stub();

  ServerInfo102 all;
  all.base.base.platform_id = kPlatformIdNt;
  all.base.base.name = wide(context.config->server_name);
  all.base.version_major = 6;
  all.base.version_minor = 1;
  all.base.type = kServerType;
  all.base.comment = wide(context.config->comment);
  all.users = kUnlimited;
  all.disc = kAutoDisconnectMinutes;
  all.announce = 240;
  all.anndelta = 3000;
  all.userpath = u"C:\\";
  ServerInfo answer;
  answer.level = level;
  WinError result = WinError::Success;
  if (level == 100) {
    answer.level100 = all.base.base;
  } else if (level == 101) {
    answer.level101 = all.base;
  } else if (level == 102) {
    answer.level102 = all;
  } else {
    result = WinError::InvalidLevel;
  }
  Bytes reply;
  NdrWriter out(reply);
  out(answer);
  out(result);
  return reply;
}

/// [MS-SRVS] 3.1.4.21 NetrRemoteTOD; UTC, as servers without a zone of their own say
CallResult remote_tod(const PipeContext& context, ByteView stub) {
  NdrReader in(stub);
  std::optional<std::u16string> server_name;
  in(server_name);
  if (!in.ok()) return bad_stub();

  const std::uint64_t ticks =
      std::max(context.clock->wall().ticks, kUnixEpochTicks) - kUnixEpochTicks;
  const std::chrono::sys_seconds now{std::chrono::seconds(ticks / 10000000)};
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(now - midnight);
  std::optional<TimeOfDay> answer(std::in_place);
  answer->elapsedt = static_cast<std::uint32_t>(ticks / 10000000);
  answer->msecs = static_cast<std::uint32_t>(context.clock->mono().ns / 1000000);
  answer->hours = static_cast<std::uint32_t>(clock.hours().count());
  answer->mins = static_cast<std::uint32_t>(clock.minutes().count());
  answer->secs = static_cast<std::uint32_t>(clock.seconds().count());
  answer->hunds = static_cast<std::uint32_t>(ticks / 100000 % 100);
  answer->tinterval = 310;
  answer->day = static_cast<unsigned>(date.day());
  answer->month = static_cast<unsigned>(date.month());
  answer->year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
  answer->weekday = std::chrono::weekday(midnight).c_encoding();
  Bytes reply;
  NdrWriter out(reply);
  out(answer);
  out(WinError::Success);
  return reply;
}

/// [MS-SRVS] 3.1.4.18 NetrServerDiskEnum: one drive, the one that the shares' paths say
CallResult disk_enum(const PipeContext& context, ByteView stub) {
  NdrReader in(stub);
  std::optional<std::u16string> server_name;
  in(server_name);
  const auto level = in.take<std::uint32_t>();
  if (!in.ok()) return bad_stub();
  DiskEnum disks;
  const bool may = context.caller && is_administrator(*context.caller);
  if (may && level == 0) {
    disks.entries_read = 1;
    disks.buffer.emplace();
    disks.buffer->items.resize(1);
  }
  const WinError result = !may         ? WinError::AccessDenied
                          : level != 0 ? WinError::InvalidLevel
                                       : WinError::Success;
  return reply(disks, disks.entries_read, std::optional<std::uint32_t>(0), result);
}

struct DeviceIn {
  std::optional<std::u16string> server_name;
  std::u16string device;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.device);
  }
};
/// [MS-SRVS] 3.1.4.16 NetrShareCheck: whether something is shared from that path
CallResult share_check(const PipeContext& context, DeviceIn& in) {
  for (const ShareFacts& share : all_shares(*context.config, context.caller)) {
    if (ascii::equal_without_case(share.path, in.device)) {
      return reply(share.type & ~share_type::kSpecial, WinError::Success);
    }
  }
  return reply(std::uint32_t{0}, WinError::DeviceNotShared);
}

struct NameIn {
  std::optional<std::u16string> server_name;
  std::u16string name;
  std::uint32_t name_type = 0;
  std::uint32_t flags = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.name);
    v(s.name_type);
    v(s.flags);
  }
};
/// [MS-SRVS] 3.1.4.30 NetprNameValidate: of shares only
CallResult name_validate(const PipeContext&, NameIn& in) {
  constexpr std::uint32_t kShareName = 9;
  constexpr std::uint32_t kShareNameShort = 5;
  constexpr std::uint32_t kOldNames = 0x80000000;
  if (in.name_type != kShareName && in.name_type != kShareNameShort) {
    return reply(WinError::NotSupported);
  }
  if (in.flags != 0 && in.flags != kOldNames) return reply(WinError::InvalidParameter);
  const std::size_t longest = in.flags == kOldNames ? 13 : 80;
  const bool good = !in.name.empty() && in.name.size() <= longest &&
                    in.name.find_first_of(u"\"/\\[]:|<>+=;,*?") == std::u16string::npos;
  return reply(good ? WinError::Success : WinError::InvalidName);
}

struct TransportIn {
  std::optional<std::u16string> server_name;
  std::uint32_t level = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.level);
  }
};
struct NoTransports {
  std::uint32_t level = 0;
  std::optional<Container<ShareInfo0>> container;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.level);
    v(s.container);
  }
};
/// [MS-SRVS] 3.1.4.24 NetrServerTransportEnum: no NetBIOS transport is bound
CallResult transport_enum(const PipeContext&, TransportIn& in) {
  constexpr std::uint32_t kLevelLast = 3;
  NoTransports none{in.level, {}};
  const bool known = in.level <= kLevelLast;
  if (known) none.container.emplace();
  return reply(none, std::uint32_t{0}, std::optional<std::uint32_t>(0),
               known ? WinError::Success : WinError::InvalidLevel);
}

constexpr auto kDenied = WinError::AccessDenied;
constexpr std::array kOperations{
    refused<kDenied>(11),     // NetrFileClose
    refused<kDenied>(13),     // NetrSessionDel
    refused<kDenied, 1>(14),  // NetrShareAdd
    Operation{15, &share_enum},
    Operation{16, &share_get_info},
    refused<kDenied, 1>(17),  // NetrShareSetInfo
    refused<kDenied>(18),     // NetrShareDel
    refused<kDenied>(19),     // NetrShareDelSticky
    row<&share_check>(20),
    Operation{21, &server_get_info},
    refused<kDenied, 1>(22),  // NetrServerSetInfo
    Operation{23, &disk_enum},
    refused<kDenied, 1>(24),  // NetrServerStatisticsGet
    row<&transport_enum>(26),
    Operation{28, &remote_tod},
    row<&name_validate>(33),
    Operation{36, &share_enum},              // NetrShareEnumSticky
    refused<kDenied, 5>(37),                 // NetrShareDelStart
    refused<kDenied, 5>(38),                 // NetrShareDelCommit
    refused<WinError::NotSupported, 1>(39),  // NetrpGetFileSecurity
    refused<kDenied>(40),                    // NetrpSetFileSecurity
};

class Srvsvc final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }

  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    const auto activity = srvsvc::activity_operations();
    if (wants_listing(opnum)) return call_row(activity, context, opnum, stub);
    return call_row(kOperations, context, opnum, stub);
  }
  [[nodiscard]] bool wants_listing(std::uint16_t opnum) const noexcept override {
    const auto activity = srvsvc::activity_operations();
    return std::ranges::find(activity, opnum, &Operation::opnum) != activity.end();
  }

 private:
  wire::RpcSyntaxId syntax_{wire::uuid_of("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0};
};

}  // namespace

const Interface& srvsvc_interface() {
  static const Srvsvc interface;
  return interface;
}

}  // namespace flotilla::rpc
