// Server: what all channels of one node share: configuration, shares, engine, identity, counters.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/logon_delays.hpp"
#include "handlers/open_files.hpp"
#include "handlers/pool_marks.hpp"
#include "handlers/user_shares.hpp"
#include "ports/audit.hpp"
#include "ports/backend.hpp"
#include "ports/channel.hpp"
#include "ports/clock.hpp"
#include "ports/config.hpp"
#include "ports/engine.hpp"
#include "ports/identity.hpp"
#include "runtime/executor.hpp"
#include "runtime/task.hpp"

namespace flotilla::rpc {
class PipeForwarder;  // rpc/forward.hpp: pipes that somebody else serves
}

namespace flotilla::handlers {

class PoolQueries;   // handlers/pool_queries.hpp: what the other nodes are asked
class NotifyHub;     // handlers/notify_hub.hpp: watches of this node
class SessionTable;  // handlers/session_table.hpp: all sessions of this node, for lookups across
                     // shards
class LeaseIndex;    // handlers/lease_index.hpp: which file a client's lease key belongs to
class DurableOpens;  // handlers/durable/durable_opens.hpp: opens that a client may name again
class ServerChannel;
class OffloadTokens;
class TortureFsctls;  // handlers/torture_fsctls.hpp: none but on test servers

/// A share that is being served. Immutable after start.
struct Share {
  ports::ShareConfig config;
  std::shared_ptr<ports::Backend> backend;  ///< null for IPC$, referrals and patterns
  bool is_ipc = false;
  /// config.force_user and .force_group, looked up.
  std::optional<ports::Credentials> forced_user = std::nullopt;
  std::optional<std::uint32_t> forced_group = std::nullopt;
  std::map<std::string, std::uint32_t> gids = {};  ///< of the groups that config's lists name
};

/// One address that clients can reach this node by, for FSCTL_QUERY_NETWORK_INTERFACE_INFO.
struct InterfaceFacts {
  std::uint32_t index = 0;
  std::uint64_t link_speed_bits = 0;  ///< per second
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};  ///< network order; IPv4 in the first four bytes
};

struct ServerParts {
  ports::ServerConfig config;
  NodeId node;
  std::shared_ptr<ports::Engine> engine;
  std::shared_ptr<ports::Identity> identity;
  std::shared_ptr<ports::Clock> clock;
  std::shared_ptr<ports::Entropy> entropy;
  std::shared_ptr<runtime::BlockingPool> blocking;
  std::vector<Share> shares;  ///< without IPC$, which the server adds
  /// Opens what a pattern among `shares` means for somebody. Any thread of `blocking`.
  UserShares::Open open_share;
  /// The machine's account of that name, or with that uid. Blocks. Empty: there are none.
  std::function<std::optional<UnixAccount>(const std::string& name)> account_named;
  std::function<std::optional<UnixAccount>(std::uint32_t uid)> account_of;
  /// Asked on every request; empty: the IOCTL is refused. Any thread.
  std::function<std::vector<InterfaceFacts>()> interfaces;
  /// Serves the pipes that this server has not; null: there are no others.
  std::shared_ptr<rpc::PipeForwarder> forwarder;
  std::shared_ptr<ports::Audit> audit;  ///< null: nobody wants to know
};

/// One line of `flotilla status`.
struct ServerStats {
  std::uint32_t channels = 0;
  std::uint32_t sessions = 0;
  std::uint32_t trees = 0;
  std::uint32_t opens = 0;
  std::uint64_t requests = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
};

/// `flotilla sessions` and `flotilla files`.
struct SessionInfo {
  SessionId id;
  std::string user;
  std::string peer;
  std::uint16_t dialect = 0;
  bool signing = false;
  std::uint32_t trees = 0;
  std::uint32_t opens = 0;
  NtTime created;
};
struct OpenInfo {
  SessionId session;
  FileId id;
  std::string user;
  std::string share;
  std::string path;
  bool directory = false;
  coherence::AccessMask access = 0;
  coherence::ShareAccess share_access = 0;
  coherence::CacheKind cache_kind = coherence::CacheKind::None;
  coherence::CacheRights cache_rights = 0;
};
struct ServerSnapshot {
  std::vector<SessionInfo> sessions;
  std::vector<OpenInfo> opens;  ///< at most kOpensListed
  static constexpr std::size_t kOpensListed = 10000;
};

class Server final : public ports::ChannelServer {
 public:
  explicit Server(ServerParts parts);
  ~Server() override;

  std::shared_ptr<ports::Channel> open_channel(ports::ConnectionFacts facts,
                                               runtime::Executor& executor, std::uint16_t shard,
                                               std::shared_ptr<ports::FrameSink> sink) override;
  [[nodiscard]] std::uint32_t session_count() const noexcept override;

  [[nodiscard]] const ports::ServerConfig& config() const noexcept { return parts_.config; }
  [[nodiscard]] NodeId node() const noexcept { return parts_.node; }
  [[nodiscard]] const ports::IdMap& ids() const noexcept { return ids_; }
  [[nodiscard]] ports::Engine& engine() noexcept { return *parts_.engine; }
  [[nodiscard]] ports::Identity& identity() noexcept { return *parts_.identity; }
  [[nodiscard]] ports::Clock& clock() noexcept { return *parts_.clock; }
  [[nodiscard]] ports::Entropy& entropy() noexcept { return *parts_.entropy; }
  [[nodiscard]] runtime::BlockingPool& blocking() noexcept { return *parts_.blocking; }
  [[nodiscard]] const std::vector<Share>& shares() const noexcept { return parts_.shares; }
  /// Among shares(), without case; null where there is none. "IPC$" is found too.
  [[nodiscard]] const Share* configured_share(std::string_view name) const noexcept;
  /// The one that stands for everybody's home directory; null: there is none.
  [[nodiscard]] const Share* homes() const noexcept;
  /// Those that were made from patterns too, by the names that share_for() gave them. Any thread.
  [[nodiscard]] const Share* find_share(std::string_view name) const;
  [[nodiscard]] UserShares& user_shares() noexcept { return user_shares_; }
  [[nodiscard]] const ServerParts& parts() const noexcept { return parts_; }
  [[nodiscard]] NotifyHub& notify() noexcept { return *notify_; }
  /// Closes a session that lives on another node, if it is `user`'s: [MS-SMB2] 3.3.5.5.3,
  /// PreviousSessionId. `done` runs once, on any thread, when it is gone or cannot be reached.
  using CloseElsewhere = std::function<void(SessionId id, const wire::Sid& user,
                                            std::move_only_function<void()> done)>;
  void set_close_elsewhere(CloseElsewhere close) { close_elsewhere_ = std::move(close); }
  [[nodiscard]] const CloseElsewhere& close_elsewhere() const noexcept { return close_elsewhere_; }
  /// The receiving end: starts to close session `id` of this node, if it is `user`'s. Any thread.
  /// Output  false: there is none (any more)
  bool close_session_of(SessionId id, const wire::Sid& user);
  [[nodiscard]] ports::Audit* audit() noexcept { return parts_.audit.get(); }
  [[nodiscard]] LogonDelays& logon_delays() noexcept { return logon_delays_; }
  [[nodiscard]] rpc::PipeForwarder* forwarder() noexcept { return parts_.forwarder.get(); }
  /// Where pipes go that another node serves: before the first client, once.
  void set_forwarder(std::shared_ptr<rpc::PipeForwarder> forwarder) {
    parts_.forwarder = std::move(forwarder);
  }
  [[nodiscard]] SessionTable& sessions() noexcept { return *sessions_; }
  [[nodiscard]] LeaseIndex& leases() noexcept { return *leases_; }
  [[nodiscard]] DurableOpens& durable() noexcept { return *durable_; }
  /// Null but on test servers.
  [[nodiscard]] TortureFsctls* torture() const noexcept { return torture_.get(); }
  [[nodiscard]] OffloadTokens& offload_tokens() noexcept { return *offload_tokens_; }
  [[nodiscard]] OpenFiles& open_files() noexcept { return open_files_; }
  [[nodiscard]] PoolMarks& marks() noexcept { return marks_; }
  /// Before the first request; lives as long as the server. Null: this node is alone.
  void set_queries(PoolQueries* queries) noexcept { queries_ = queries; }
  [[nodiscard]] PoolQueries* queries() const noexcept { return queries_; }
  /// Nothing where the process has not said how to find them.
  [[nodiscard]] std::vector<InterfaceFacts> interfaces() const {
    return parts_.interfaces ? parts_.interfaces() : std::vector<InterfaceFacts>{};
  }
  [[nodiscard]] ServerStats stats() const noexcept;

  /// Asks every channel on its own executor and calls `done` once, on one of their threads (at once
  /// where there is no channel). Any thread.
  void snapshot(std::move_only_function<void(ServerSnapshot)> done);
  /// Every client connection is ended with `reason` (lost quorum, drain). Any thread.
  void drop_all(std::string reason);

  std::atomic<std::uint32_t> trees_count{0};
  std::atomic<std::uint32_t> opens_count{0};
  std::atomic<std::uint32_t> locks_count{0};
  std::atomic<std::uint32_t> channels_count{0};
  std::atomic<std::uint64_t> requests_count{0};
  std::atomic<std::uint64_t> read_bytes{0};
  std::atomic<std::uint64_t> written_bytes{0};
  /// MonoTime of the last log line about a full or broken disk: see log_disk_trouble.
  std::atomic<std::int64_t> disk_trouble_told_ns{0};

 private:
  ServerParts parts_;
  const ports::IdMap ids_;
  std::unique_ptr<NotifyHub> notify_;
  std::unique_ptr<SessionTable> sessions_;
  std::unique_ptr<LeaseIndex> leases_;
  std::unique_ptr<TortureFsctls> torture_;
  std::unique_ptr<OffloadTokens> offload_tokens_;
  UserShares user_shares_;
  OpenFiles open_files_;
  PoolMarks marks_;
  PoolQueries* queries_ = nullptr;
  LogonDelays logon_delays_;
  CloseElsewhere close_elsewhere_;
  std::shared_ptr<DurableOpens> durable_;
  [[nodiscard]] std::vector<std::shared_ptr<ServerChannel>> channels() const;
  mutable std::mutex channels_mutex_;
  std::vector<std::weak_ptr<ServerChannel>> channels_;
  Share ipc_;
};

/// Runs a blocking call: inline where the backend is local, else on the blocking pool; resumes on
/// `executor`. `call` must own what it uses. Give a named closure with std::move: g++ 12 destroys
/// the captures of one that is made inside the co_await expression twice.
template <class F, class T = std::invoke_result_t<F>>
runtime::Task<T> offload(Server& server, runtime::Executor& executor, bool local, F call) {
  if (local) co_return call();
  auto shot = runtime::OneShot<T>::make();
  server.blocking().run([shot, call = std::move(call)]() mutable { shot->set(call()); });
  co_return co_await runtime::OneShot<T>::wait(shot, executor);
}

}  // namespace flotilla::handlers
