// Which pipes there are, and what each of them serves.
#include <array>

#include "base/ascii.hpp"
#include "rpc/dispatcher.hpp"
#include "rpc/interface.hpp"

namespace flotilla::rpc {

namespace {

/// lsass serves lsarpc and samr under one roof on Windows; clients take either name for both.
const std::array<Endpoint, 5>& endpoints() {
  static const std::vector<const Interface*> accounts{&lsarpc_interface(), &dssetup_interface(),
                                                      &samr_interface()};
  static const std::array<Endpoint, 5> all{
      Endpoint{"srvsvc", {&srvsvc_interface()}}, Endpoint{"wkssvc", {&wkssvc_interface()}},
      Endpoint{"lsarpc", accounts, true}, Endpoint{"lsass", accounts, true},
      Endpoint{"samr", accounts, true}};
  return all;
}

}  // namespace

const Endpoint* find_endpoint(std::string_view name) noexcept {
  for (const Endpoint& endpoint : endpoints()) {
    if (ascii::equal_without_case(endpoint.name, name)) return &endpoint;
  }
  return nullptr;
}

bool pipe_exists(std::string_view name) noexcept { return find_endpoint(name) != nullptr; }

Result<std::unique_ptr<PipeServer>> open_pipe_server(std::string_view name, PipeContext context,
                                                     ReplySink sink) {
  const Endpoint* const endpoint = find_endpoint(name);
  if (!endpoint || (endpoint->needs_accounts && context.accounts == nullptr)) {
    return fail(NtStatus::ObjectNameNotFound);
  }
  return std::make_unique<Dispatcher>(*endpoint, std::move(context), std::move(sink));
}

}  // namespace flotilla::rpc
