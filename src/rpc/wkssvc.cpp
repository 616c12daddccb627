// wkssvc: what a server says about itself as a workstation.
// Spec    [MS-WKST] 3.2.4.1 NetrWkstaGetInfo
#include "rpc/interface.hpp"
#include "rpc/share_list.hpp"
#include "rpc/win_error.hpp"
#include "wire/ndr.hpp"

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

struct WkstaInfo {
  std::uint32_t level = 100;
  std::optional<WkstaInfo100> level100;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    if (s.level == 100) v(s.level100);
  }
};

CallResult get_info(const PipeContext& context, ByteView stub) {
  wire::NdrReader in(stub);
  Text server_name;
  in(server_name);
  const auto level = in.take<std::uint32_t>();
  if (!in.ok()) return std::unexpected(wire::rpc_fault::kBadStubData);

  WkstaInfo answer;
  answer.level = level;
  // Levels 101 and 102 are for authenticated users resp. administrators and say nothing more here.
  WinError result = WinError::InvalidLevel;
  if (level == 100) {
    answer.level100.emplace();
    answer.level100->computername = wide(context.config->server_name);
    answer.level100->langroup = wide(context.config->workgroup);
    result = WinError::Success;
  }
  Bytes reply;
  wire::NdrWriter out(reply);
  out(answer);
  out(result);
  return reply;
}

class Wkssvc final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }
  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    if (opnum == 0) return get_info(context, stub);
    return std::unexpected(wire::rpc_fault::kOpRangeError);
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
