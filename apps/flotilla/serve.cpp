// flotilla serve: makes the rooms' objects, ties them together, waits for a signal.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <fstream>
#include <iostream>

#include "admin/audit_file.hpp"
#include "admin/status_socket.hpp"
#include "auth/identity.hpp"
#include "crypto/hash.hpp"
#include "flotilla/commands.hpp"
#include "flotilla/descriptors.hpp"
#include "flotilla/node.hpp"
#include "flotilla/pool_node.hpp"
#include "flotilla/share_accounts.hpp"
#include "flotilla/status_document.hpp"
#include "flotilla/system_ports.hpp"
#include "handlers/orphans.hpp"
#include "handlers/server.hpp"
#include "pool/embedded/embedded_engine.hpp"
#include "pool/store/lmdb_store.hpp"
#include "ports/share_variables.hpp"
#include "rpc/forward.hpp"
#include "runtime/blocking_pool.hpp"
#include "vfs/posix/kernel_identity.hpp"
#include "vfs/posix/posix_backend.hpp"

namespace flotilla::app {
namespace {

void log_line(log::Level level, std::string_view line) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  spdlog::log(kLevels[static_cast<int>(level)], "{}", line);
}

void start_logging(log::Level level) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_level(spdlog::level::debug);
  spdlog::flush_on(spdlog::level::debug);
  log::set_sink(&log_line);
  log::set_level(level);
}

/// What the descriptors do not suffice for is refused before they end, so that clients are told
/// what is the matter, and new ones still get in.
void fit_opens(ports::ServerConfig& server) {
  const std::uint64_t limit = raise_descriptor_limit();
  const std::uint32_t opens = opens_within(limit, server.opens_max, server.connections_max);
  if (opens == server.opens_max) return;
  log::warn(
      "opens_max = {} cannot be reached: an open takes a descriptor, and this process may have {}; "
      "from {} opens on CREATE is answered with STATUS_TOO_MANY_OPENED_FILES (raise LimitNOFILE= "
      "of the service, or fs.nr_open)",
      server.opens_max, limit, opens);
  server.opens_max = opens;
}

/// The same on every node of a pool and after every start: clients compare it between NEGOTIATE
/// and VALIDATE_NEGOTIATE_INFO, and on every channel.
ServerGuid server_guid(std::string_view seed) {
  const auto digest = crypto::sha256(as_bytes(seed));
  ServerGuid guid;
  std::copy_n(digest.begin(), guid.bytes.size(), guid.bytes.begin());
  return guid;
}

std::string machine_seed(const std::string& server_name) {
  std::ifstream file("/etc/machine-id");
  std::string id;
  std::getline(file, id);
  return id + "/" + server_name;
}

std::expected<std::unique_ptr<ports::Identity>, Message> make_identity(
    const AppConfig& config, const std::optional<CommandLineUser>& user, const SystemClock& clock,
    SystemEntropy& entropy) {
  auth::IdentityConfig identity;
  identity.server_name = config.server.server_name;
  identity.workgroup = config.server.workgroup;
  identity.user_file = config.users_file;
  identity.keytab = config.keytab;
  identity.guest_account = config.guest_account;
  identity.ids = config.server.ids();
  identity.winbind = config.winbind;
  identity.allow_anonymous = config.allow_anonymous;
  if (user) {
    const auto password = auth::read_password_file(user->password_file);
    if (!password) return std::unexpected(password.error());
    const auto hash = auth::nt_hash_of_password(*password);
    if (!hash) return std::unexpected(hash.error());
    identity.users.push_back({.name = user->name, .nt_hash = *hash});
  }
  return auth::make_identity(std::move(identity), clock, entropy);
}

/// Blocks.
std::expected<handlers::Share, Message> open_share(const ports::ShareConfig& share) {
  auto backend = vfs::open_posix_backend(
      {.path = share.path,
       .volume_override = share.volume,
       .file_mode = (0666 & share.create_mask) | share.force_create_mode,
       .directory_mode = (0777 & share.directory_mask) | share.force_directory_mode,
       .hide_files = share.hide_files,
       .veto_files = share.veto_files});
  if (!backend) return std::unexpected("share \"" + share.name + "\": " + backend.error());
  handlers::Share served{.config = share, .backend = std::move(*backend)};
  if (auto found = find_accounts(share, served); !found) return std::unexpected(found.error());
  return served;
}

/// For a user's own, which share_for() has told apart from its pattern. Blocks.
std::expected<handlers::Share, Message> open_user_share(const ports::ShareConfig& share,
                                                        const ports::Token& owner) {
  if (share.make_directory) {
    if (auto made = make_user_directory(share.path, owner); !made) {
      return std::unexpected("share \"" + share.name + "\": " + made.error());
    }
  }
  return open_share(share);
}

std::expected<std::vector<handlers::Share>, Message> open_shares(const AppConfig& config) {
  vfs::obey_limits_of_users();  // before there are threads: users' own shares are opened later
  std::vector<handlers::Share> shares;
  for (const ports::ShareConfig& share : config.server.shares) {
    if (share.path.empty() || ports::is_per_user(share)) {  // elsewhere, or users' own
      shares.push_back({.config = share, .backend = nullptr});
      continue;
    }
    auto opened = open_share(share);
    if (!opened) return std::unexpected(std::move(opened.error()));
    shares.push_back(std::move(*opened));
  }
  return shares;
}

int failed(const std::string& message) {
  log::error("{}", message);
  return 1;
}

/// The engine of a node on its own, with what it kept before it was restarted.
std::expected<std::shared_ptr<ports::Engine>, Message> single_node(
    const ports::Clock& clock, const coherence::Limits& limits,
    const std::filesystem::path& state_dir) {
  pool::EmbeddedOptions options{.limits = limits};
  std::vector<coherence::KeptFile> kept;
  if (!state_dir.empty()) {
    auto store = pool::LmdbStore::open(state_dir);
    if (!store) return std::unexpected(std::move(store.error()));
    auto loaded = (*store)->load();
    if (!loaded) return std::unexpected(std::move(loaded.error()));
    kept = std::move(*loaded);
    options.store = std::move(*store);
  }
  auto engine = std::make_shared<pool::EmbeddedEngine>(clock, std::move(options));
  engine->restore(kept);
  if (!kept.empty()) {
    log::info("state_dir {}: {} files have opens that wait for their clients", state_dir.string(),
              kept.size());
  }
  return engine;
}

}  // namespace

int serve(const AppConfig& given, const std::optional<CommandLineUser>& user) {
  AppConfig config = given;
  start_logging(config.log_level);
  fit_opens(config.server);
  umask(0);
  // Before any thread starts, so that all of them inherit the mask and sigwait gets the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const auto clock = std::make_shared<SystemClock>();
  const auto entropy = std::make_shared<SystemEntropy>();
  auto identity = make_identity(config, user, *clock, *entropy);
  if (!identity) return failed(identity.error());
  auto shares = open_shares(config);
  if (!shares) return failed(shares.error());

  std::unique_ptr<PoolNode> pool;
  std::shared_ptr<ports::Engine> engine;
  NodeId self{1};
  const coherence::Limits limits{.break_timeout = config.server.break_timeout,
                                 .opens_per_file_max = config.server.opens_per_file_max,
                                 .locks_per_file_max = config.server.locks_per_file_max};
  if (config.pool) {
    auto joined =
        PoolNode::open(*config.pool, ids_text(config.server), limits, *clock, config.poll_window);
    if (!joined) return failed(joined.error());
    pool = std::move(*joined);
    engine = pool->engine();
    self = pool->self();
    config.server.guid = server_guid(as_text(pool->key()));
    if (!config.state_dir.empty()) {
      log::warn("state_dir {} is not used: a pool keeps durable handles on its nodes",
                config.state_dir.string());
    }
  } else {
    auto embedded = single_node(*clock, limits, config.state_dir);
    if (!embedded) return failed(embedded.error());
    engine = std::move(*embedded);
    config.server.guid = server_guid(machine_seed(config.server.server_name));
  }

  std::shared_ptr<ports::Audit> audit;
  if (!config.audit_file.empty()) {
    auto opened = admin::AuditFile::open(config.audit_file);
    if (!opened) return failed(opened.error());
    audit = std::move(*opened);
  }
  const auto blocking = std::make_shared<runtime::ThreadBlockingPool>();
  runtime::ShardGroup shards(config.threads, config.poll_window);
  handlers::Server server({.config = config.server,
                           .node = self,
                           .engine = engine,
                           .identity = std::shared_ptr<ports::Identity>(std::move(*identity)),
                           .clock = clock,
                           .entropy = entropy,
                           .blocking = blocking,
                           .shares = std::move(*shares),
                           .open_share = &open_user_share,
                           .account_named = &account_named,
                           .account_of = &account_of,
                           .interfaces = &network_interfaces,
                           .audit = std::move(audit)});
  std::shared_ptr<rpc::PipeForwarder> forwarder;
  if (!config.server.rpc_forward.empty()) {
    forwarder = rpc::make_local_forwarder(config.server.rpc_forward);
  }
  server.set_forwarder(forwarder);
  handlers::remove_orphans(server);

  front::LocalPlacement local;
  front::FrontOptions options;
  options.self = self;
  options.encryption = config.server.encryption != ports::EncryptionMode::Off;
  options.multichannel = config.server.multichannel;
  for (const ListenAddress& listen : config.listen) {
    options.listen.push_back({listen.address, listen.port});
  }
  if (pool) {
    pool->prepare(options);
    pool->serve(server);
    if (config.rpc_node != 0) {
      pool->relay_pipes(server, shards, std::move(forwarder),
                        {NodeId{config.rpc_node}, config.rpc_all_pipes});
    }
  }
  front::Front front(std::move(options), config.server, shards, server, server.identity(), *clock,
                     *entropy, pool ? pool->placement() : local);
  shards.start();
  if (auto started = front.start(); !started) return failed(started.error());
  if (pool) {
    if (auto started = pool->start(front); !started) return failed(started.error());
  }
  const auto digests = [&]() -> pool::StateDigests {
    if (pool) return pool->pool_engine().digests();
    const auto* const embedded = dynamic_cast<const pool::EmbeddedEngine*>(engine.get());
    return embedded != nullptr ? embedded->digests() : pool::StateDigests{};
  };
  auto status = admin::StatusSocket::open(config.runtime_dir, [&] {
    return status_document({.config = config,
                            .server = server,
                            .front = front,
                            .engine = *engine,
                            .pool = pool.get(),
                            .digests = digests});
  });
  if (!status) log::warn("{}; `flotilla status` will not work", status.error());
  for (const ListenAddress& listen : config.listen) {
    log::info("serving {} share(s) on {}:{} as \\\\{}", config.server.shares.size(), listen.address,
              listen.port, config.server.server_name);
  }

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  log::info("signal {}: ending", signal_number);
  if (status) status->reset();
  if (pool) pool->leave();
  front.stop();
  blocking->stop();
  if (pool) pool->stop();
  shards.stop();
  // Its store's thread answers clients: they must be there until it has ended.
  if (const auto embedded = std::dynamic_pointer_cast<pool::EmbeddedEngine>(engine)) {
    embedded->stop();
  }
  return pool && pool->refused() ? 1 : 0;
}

}  // namespace flotilla::app
