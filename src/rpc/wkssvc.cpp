// wkssvc: what a server says about itself as a workstation.
// Spec    [MS-WKST] 3.2.4 Message Processing Events and Sequencing Rules
// What would change the machine (joining, renaming, network drives) is refused.
#include <array>

#include "rpc/access.hpp"
#include "rpc/calls.hpp"
#include "rpc/share_list.hpp"
#include "rpc/win_error.hpp"
#include "wire/ndr_types.hpp"

namespace flotilla::rpc {

namespace {

using Text = std::optional<std::u16string>;

/// [MS-WKST] 2.2.5.1 WKSTA_INFO_100
struct WkstaInfo100 {
  std::uint32_t platform_id = 500;
  Text computername;
  Text langroup;
  std::uint32_t ver_major = 6;
  std::uint32_t ver_minor = 1;
  static void ndr(auto& v, auto& s) {
    v(s.platform_id);
    v(s.computername);
    v(s.langroup);
    v(s.ver_major);
    v(s.ver_minor);
  }
};

/// [MS-WKST] 2.2.5.2, .3 WKSTA_INFO_101, _102
struct WkstaInfo101 {
  WkstaInfo100 base;
  Text lanroot = u"";
  static void ndr(auto& v, auto& s) {
    v(s.base);
    v(s.lanroot);
  }
};
struct WkstaInfo102 {
  WkstaInfo101 base;
  std::uint32_t logged_on_users = 0;
  static void ndr(auto& v, auto& s) {
    v(s.base);
    v(s.logged_on_users);
  }
};
/// Levels of the union that are not served (502, 1010 and on) have a pointer too: null.
constexpr std::uint32_t kOtherLevels = 502;
struct WkstaInfo {
  std::uint32_t level = 100;
  std::optional<WkstaInfo100> level100;
  std::optional<WkstaInfo101> level101;
  std::optional<WkstaInfo102> level102;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    if (s.level == 100) v(s.level100);
    if (s.level == 101) v(s.level101);
    if (s.level == 102) v(s.level102);
    if (s.level >= kOtherLevels) v(std::optional<std::uint32_t>{});
  }
};
struct GetInfoIn {
  Text server_name;
  std::uint32_t level = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.level);
  }
};

/// [MS-WKST] 3.2.4.1 NetrWkstaGetInfo: level 100 for everybody, 101 for users, 102 for
/// administrators
CallResult get_info(const PipeContext& context, GetInfoIn& in) {
  WkstaInfo answer;
  answer.level = in.level;
  if (in.level < 100 || in.level > 102) return reply(answer, WinError::InvalidLevel);
  const bool may = in.level == 100 || (in.level == 101 && is_known_user(context)) ||
                   (context.caller && is_administrator(*context.caller));
  if (!may) return reply(answer, WinError::AccessDenied);
  WkstaInfo100 base;
  base.computername = wide(context.config->server_name);
  base.langroup = wide(context.config->workgroup);
  if (in.level == 100) {
    answer.level100 = base;
  } else if (in.level == 101) {
    answer.level101.emplace().base = base;
  } else {
    answer.level102.emplace().base.base = base;
  }
  return reply(answer, WinError::Success);
}

/// The lists of this interface are all empty: nobody is logged on at the machine, and no transport
/// is bound. Level twice (it is the union's discriminant), a container.
struct Container {
  std::uint32_t entries_read = 0;
  std::optional<std::uint32_t> buffer;
  static void ndr(auto& v, auto& s) {
    v(s.entries_read);
    v(s.buffer);
  }
};
struct Nothing {
  std::uint32_t level = 0;
  std::optional<Container> container;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.level);
    v(s.container);
  }
};
CallResult empty_list(const PipeContext& context, GetInfoIn& in, std::uint32_t level_last) {
  Nothing out{in.level, {}};
  WinError result = WinError::Success;
  if (in.level > level_last) {
    result = WinError::InvalidLevel;
  } else if (!context.caller || !is_administrator(*context.caller)) {
    result = WinError::AccessDenied;
  } else {
    out.container.emplace();
  }
  return reply(out, std::uint32_t{0}, std::optional<std::uint32_t>(0), result);
}
/// [MS-WKST] 3.2.4.3 NetrWkstaUserEnum
CallResult user_enum(const PipeContext& context, GetInfoIn& in) {
  return empty_list(context, in, 1);
}
/// [MS-WKST] 3.2.4.4 NetrWkstaTransportEnum
CallResult transport_enum(const PipeContext& context, GetInfoIn& in) {
  return empty_list(context, in, 0);
}
/// [MS-WKST] 3.2.4.10 NetrUseEnum
CallResult use_enum(const PipeContext& context, GetInfoIn& in) {
  return empty_list(context, in, 2);
}

struct JoinIn {
  Text server_name;
  static void parameters(auto& v, auto& s) { v(s.server_name); }
};
/// [MS-WKST] 3.2.4.13 NetrGetJoinInformation: in a workgroup
CallResult join_information(const PipeContext& context, JoinIn&) {
  constexpr std::uint16_t kWorkgroupName = 2;
  return reply(Text(wide(context.config->workgroup)), kWorkgroupName, WinError::Success);
}

struct NamesIn {
  Text server_name;
  std::uint16_t name_type = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.name_type);
  }
};
struct Names {
  std::uint32_t count = 0;
  wire::NdrUnique<std::vector<wire::NdrString>> names;
  static void ndr(auto& v, auto& s) {
    v(s.count);
    v(s.names);
  }
};
/// [MS-WKST] 3.2.4.22 NetrEnumerateComputerNames: one name, no alternate ones
CallResult computer_names(const PipeContext& context, NamesIn& in) {
  constexpr std::uint16_t kAlternate = 1;
  constexpr std::uint16_t kAll = 2;
  std::optional<Names> names;
  if (in.name_type > kAll) return reply(names, WinError::InvalidParameter);
  names.emplace();
  if (in.name_type != kAlternate) {
    names->count = 1;
    names->names.emplace(1, wire::NdrString(wide(context.config->server_name)));
  }
  return reply(names, WinError::Success);
}

constexpr auto kDenied = WinError::AccessDenied;
constexpr std::array kOperations{
    row<&get_info>(0),        refused<kDenied, 1>(1),  // NetrWkstaSetInfo
    row<&user_enum>(2),       row<&transport_enum>(5),
    refused<kDenied, 1>(6),  // NetrWkstaTransportAdd
    refused<kDenied>(7),     // NetrWkstaTransportDel
    refused<kDenied, 1>(8),  // NetrUseAdd
    refused<kDenied, 2>(9),  // NetrUseGetInfo
    refused<kDenied>(10),    // NetrUseDel
    row<&use_enum>(11),       row<&join_information>(20),
    refused<kDenied>(22),  // NetrJoinDomain2
    refused<kDenied>(23),  // NetrUnjoinDomain2
    refused<kDenied>(24),  // NetrRenameMachineInDomain2
    refused<kDenied>(27),  // NetrAddAlternateComputerName
    refused<kDenied>(28),  // NetrRemoveAlternateComputerName
    refused<kDenied>(29),  // NetrSetPrimaryComputerName
    row<&computer_names>(30),
};

class Wkssvc final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }
  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    return call_row(kOperations, context, opnum, stub);
  }

 private:
  wire::RpcSyntaxId syntax_{wire::uuid_of("6bffd098-a112-3610-9833-46c3f87e345a"), 1, 0};
};

}  // namespace

const Interface& wkssvc_interface() {
  static const Wkssvc interface;
  return interface;
}

}  // namespace flotilla::rpc
