// Every operation of every interface with wild stubs, and the PAC: the first byte picks the
// interface, the second the operation.
#include "rpc/handles.hpp"
#include "rpc/interface.hpp"
#include "wire/pac.hpp"

using namespace flotilla;

namespace {

class FixedClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return MonoTime{5'000'000'000}; }
  [[nodiscard]] NtTime wall() const noexcept override { return nt_time_of(1'700'000'000, 0); }
};

class NoAccounts final : public ports::Accounts {
 public:
  [[nodiscard]] std::string domain_name() const override { return "FUZZ"; }
  [[nodiscard]] wire::Sid domain_sid() const override { return wire::Sid{5, {21, 1, 2, 3}}; }
  [[nodiscard]] std::optional<ports::Account> find(std::string_view name) override {
    return ports::Account{
        .name = std::string(name), .domain = "FUZZ", .sid = *domain_sid().with_rid(7)};
  }
  [[nodiscard]] std::optional<ports::Account> find(const wire::Sid& sid) override {
    return ports::Account{.name = "x", .domain = "FUZZ", .sid = sid, .type = ports::SidType::User};
  }
  [[nodiscard]] std::optional<ports::Account> find_group(std::string_view) override { return {}; }
  [[nodiscard]] std::vector<ports::Account> users() override { return {*find("user")}; }
  [[nodiscard]] std::vector<ports::Account> groups() override { return {*find("group")}; }
  [[nodiscard]] std::vector<ports::Account> aliases() override { return {}; }
  [[nodiscard]] std::vector<ports::Account> builtin_aliases() override { return {}; }
  [[nodiscard]] std::vector<wire::Sid> members_of(const wire::Sid& sid) override { return {sid}; }
  [[nodiscard]] std::vector<wire::Sid> aliases_with(const std::vector<wire::Sid>& s) override {
    return s;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView stub(data + 2, size - 2);
  const rpc::Interface* const interfaces[] = {&rpc::srvsvc_interface(), &rpc::wkssvc_interface(),
                                              &rpc::lsarpc_interface(), &rpc::dssetup_interface(),
                                              &rpc::samr_interface()};
  if (data[0] % 6 == 5) {
    (void)wire::decode_pac_logon_info(stub);
    return 0;
  }
  static const ports::ServerConfig config;
  static const FixedClock clock;
  static NoAccounts accounts;
  rpc::PipeContext context;
  context.config = &config;
  context.clock = &clock;
  context.accounts = &accounts;
  context.handles = std::make_shared<rpc::HandleTable>();
  context.caller = std::make_shared<ports::Token>();
  // One handle of each kind, numbered from 1 on as the table does it.
  for (int kind = 0; kind <= static_cast<int>(rpc::HandleKind::SamAlias); ++kind) {
    (void)context.handles->add({static_cast<rpc::HandleKind>(kind), ~0U, accounts.domain_sid()});
  }
  (void)interfaces[data[0] % 6]->call(context, data[1], stub);
  return 0;
}
