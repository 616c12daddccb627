#include "handlers/named_share.hpp"

#include <ctime>

#include "base/ascii.hpp"
#include "base/log.hpp"
#include "handlers/audit_trail.hpp"
#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "ports/share_variables.hpp"

namespace flotilla::handlers {
namespace {

/// Who has the home directory \\server\<name>: the user himself (by the pattern's own name too),
/// the machine's account of that name, in the case that was asked or in small letters, or a user of
/// this server; nobody: empty. Blocks.
std::string owner_of_home(const ServerParts& parts, const Share& pattern, const ports::Token& token,
                          const std::string& name, ports::ShareVariables& variables) {
  if (ascii::equal_without_case(name, pattern.config.name) ||
      ascii::equal_without_case(name, token.user_name)) {
    return token.user_name;
  }
  variables.home.clear();  // not the asking user's
  for (const std::string& each : {name, ascii::lower(name)}) {
    auto account = parts.account_named ? parts.account_named(each) : std::nullopt;
    if (!account) continue;
    variables.home = std::move(account->home);
    return std::move(account->name);
  }
  ports::Accounts* const accounts = parts.identity->accounts();
  if (accounts == nullptr) return {};
  const auto found = accounts->find(accounts->domain_name() + "\\" + name);
  return found && found->type == ports::SidType::User ? found->name : std::string();
}

std::string text_of(NtTime when) {
  const std::time_t seconds = unix_seconds_of(when);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y%m%d_%H%M%S", &parts));
}

/// Blocks.
std::expected<const Share*, std::string> open_for(Server& server, const Share& pattern,
                                                  const ports::Token& token, std::string name,
                                                  ports::ShareVariables variables) {
  if (token.anonymous) return std::unexpected("nobody has no directory");
  const ServerParts& parts = server.parts();
  if (!token.use_share_owner && parts.account_of) {
    if (auto account = parts.account_of(token.uid)) {
      variables.group = std::move(account->group);
      variables.home = std::move(account->home);
    }
  }
  variables.time = text_of(parts.clock->wall());
  variables.user = token.user_name;
  variables.domain = token.domain;
  variables.share = pattern.config.name;
  if (pattern.config.homes) {
    variables.share = owner_of_home(parts, pattern, token, name, variables);
    if (variables.share.empty()) return std::unexpected("nobody has that name");
    if (token.foreign && variables.share == token.user_name) {
      variables.qualified_owner = token.domain + "\\" + token.user_name;
    }
  }
  auto config = ports::share_for(pattern.config, variables);
  if (!config) return std::unexpected(std::move(config.error()));
  return server.user_shares().open(*config, token);
}

}  // namespace

runtime::Task<Result<const Share*>> share_named(Request& request, std::string name) {
  Server& server = request.server;
  const Share* share = server.configured_share(name);
  if (share == nullptr) share = server.homes();
  if (share == nullptr) {
    log::debug("tree connect: no share \"{}\" (user {})", name, request.session->user_name);
    co_return fail(NtStatus::BadNetworkName);
  }
  if (!ports::is_per_user(share->config)) co_return share;
  const auto& credentials = static_cast<const SessionCredentials&>(*request.session->credentials);
  ports::ShareVariables variables;
  variables.dialect = ports::name_of_dialect(request.channel->facts().dialect);
  variables.address = address_of(request.channel->facts().peer_address);
  auto call = [&server, share, token = credentials.token, name, variables] {
    return open_for(server, *share, *token, name, variables);
  };
  const auto opened = co_await offload(server, request.executor(), false, std::move(call));
  if (!request.alive()) co_return fail(NtStatus::UserSessionDeleted);
  if (!opened) {
    log::info("share {}: user {} has none as \"{}\": {}", share->config.name,
              request.session->user_name, name, opened.error());
    co_return fail(NtStatus::BadNetworkName);
  }
  co_return *opened;
}

}  // namespace flotilla::handlers
