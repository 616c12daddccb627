// TREE_CONNECT and TREE_DISCONNECT: [MS-SMB2] 3.3.5.7, 3.3.5.8.
#include <algorithm>

#include "base/log.hpp"
#include "handlers/access.hpp"
#include "handlers/channel.hpp"
#include "handlers/named_share.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "handlers/session_channels.hpp"
#include "handlers/share_users.hpp"
#include "wire/smb2.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

/// "\\server\share" -> "share"; nothing where it has another form.
std::optional<std::string> share_name_of(std::u16string_view path) {
  if (!path.starts_with(u"\\\\")) return std::nullopt;
  const std::size_t slash = path.find(u'\\', 2);
  if (slash == std::u16string_view::npos || slash == 2) return std::nullopt;
  std::u16string_view name = path.substr(slash + 1);
  while (name.ends_with(u'\0')) name.remove_suffix(1);
  if (name.empty() || name.find(u'\\') != std::u16string_view::npos) return std::nullopt;
  auto text = wire::utf8_of(name);
  if (!text) return std::nullopt;
  return *std::move(text);
}

}  // namespace

HandlerTask handle_tree_connect(Request& request) {
  const auto body = wire::decode<wire::TreeConnectRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  if (request.channel->facts().dialect == 0x0311 &&
      (body->flags & wire::tree_connect_flags::kClusterReconnect) == 0 && !request.signer &&
      !request.sealed && !request.session->guest && !request.session->anonymous) {
    // [MS-SMB2] 3.3.5.7: a 3.1.1 client signs its TREE_CONNECT, or somebody is in between.
    request.channel->disconnect("a TREE_CONNECT of 3.1.1 without a signature");
    co_return NtStatus::AccessDenied;
  }
  const auto name = share_name_of(body->path);
  if (!name) co_return NtStatus::BadNetworkName;
  const Result<const Share*> named = co_await share_named(request, *name);
  if (!named) co_return named.error();
  const Share* const share = *named;
  const auto& credentials = static_cast<const SessionCredentials&>(*request.session->credentials);
  struct Leave {
    bool use = false;
    bool only_reads = false;
  };
  auto ask = [share, token = credentials.token, accounts = request.server.identity().accounts()] {
    if (share->is_ipc) return Leave{true, false};
    return Leave{may_use(*share, *token, accounts), only_reads(*share, *token, accounts)};
  };
  const Leave leave =
      co_await offload(request.server, request.executor(), !names_groups(*share), std::move(ask));
  if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  if (!leave.use) {
    log::info("share {}: user {} may not use it (valid_users, invalid_users)", share->config.name,
              request.session->user_name);
    co_return NtStatus::AccessDenied;
  }
  if (!share->is_ipc && !share->backend) {
    // Only a referral: a client that follows those does not come here.
    log::info("share {} is elsewhere (dfs_referral), and {} did not ask where", share->config.name,
              request.session->user_name);
    co_return NtStatus::BadNetworkName;
  }
  const ports::EncryptionMode sealing = share->config.encryption;
  const bool can_seal = channels_of(*request.session).sealing != nullptr;
  if (sealing == ports::EncryptionMode::Required && !can_seal) {
    // [MS-SMB2] 3.3.5.7: Share.EncryptData and RejectUnencryptedAccess.
    log::info("share {} requires encryption, and {} cannot seal", share->config.name,
              request.session->user_name);
    co_return NtStatus::AccessDenied;
  }
  auto tree = std::make_shared<session::Tree>();
  tree->session = request.session->id;
  tree->share_name = share->config.name;
  tree->ipc = share->is_ipc;
  tree->read_only = leave.only_reads;
  tree->created = request.server.clock().wall();
  wire::TreeConnectResponse response;
  if (share->is_ipc) {
    response.share_type = wire::ShareType::Pipe;
    response.share_flags = wire::share_flags::kNoCaching;
    tree->maximal_access = wire::access::kFileGenericRead | wire::access::kFileGenericWrite |
                           wire::access::kFileGenericExecute;
  } else {
    const ports::Credentials who = kernel_credentials(*request.session, *share);
    const std::shared_ptr<ports::Backend> backend = share->backend;
    auto call = [backend, who]() -> Result<Rights> {
      auto root = backend->locate(who, "");
      if (!root) return fail(root.error());
      return rights_on(*backend, who, **root, "");
    };
    const Result<Rights> rights =
        co_await offload(request.server, request.executor(), backend->local(), std::move(call));
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
    if (!rights) {
      log::warn("share {}: its directory {} cannot be opened for {}: {}", share->config.name,
                share->config.path, request.session->user_name, name_of(rights.error()));
      co_return rights.error() == NtStatus::AccessDenied ? NtStatus::AccessDenied
                                                         : NtStatus::BadNetworkName;
    }
    tree->maximal_access = rights->maximal & ~(tree->read_only ? kWritingAccess : 0U);
    response.share_type = wire::ShareType::Disk;
    response.share_flags = wire::share_flags::kManualCaching;
    if (share->config.access_based_enumeration) {
      response.share_flags |= wire::share_flags::kAccessBasedDirectoryEnum;
    }
  }
  response.maximal_access = tree->maximal_access;
  if (can_seal && sealing >= ports::EncryptionMode::Desired) {
    response.share_flags |= wire::share_flags::kEncryptData;
  }
  if (share->config.compression && !request.channel->facts().compression.empty()) {
    response.share_flags |= wire::share_flags::kCompressData;
  }
  if (share->config.continuous_availability &&
      (request.channel->facts().server_capabilities & wire::capability::kPersistentHandles) != 0) {
    response.capabilities |= wire::share_capability::kContinuousAvailability;
  }
  if (!share->config.dfs_referral.empty()) {
    response.share_flags |= wire::share_flags::kDfs | wire::share_flags::kDfsRoot;
    response.capabilities |= wire::share_capability::kDfs;
  }
  auto state = std::make_unique<TreeState>();
  state->share = share;
  tree->state = std::move(state);
  tree->id = request.session->new_tree_id();
  request.header.tree_id = tree->id;
  request.session->trees.emplace(tree->id, tree);
  request.server.trees_count.fetch_add(1, std::memory_order_relaxed);
  wire::encode(response, request.out);
  co_return NtStatus::Success;
}

HandlerTask handle_tree_disconnect(Request& request) {
  const auto body = wire::decode<wire::TreeDisconnectRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  co_await request.channel->close_tree(request.session, request.tree->id);
  wire::encode(wire::TreeDisconnectResponse{}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
