#include "front/front.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "base/log.hpp"
#include "front/client_connection.hpp"
#include "front/core.hpp"
#include "front/link_server.hpp"
#include "front/sockets.hpp"

namespace flotilla::front {

Core::Core(FrontOptions its_options, const ports::ServerConfig& its_config,
           runtime::ShardGroup& its_shards, ports::ChannelServer& its_server,
           ports::Identity& its_identity, ports::Clock& its_clock, ports::Entropy& its_entropy,
           Placement& its_placement)
    : options(std::move(its_options)),
      config(its_config),
      shards(its_shards),
      server(its_server),
      identity(its_identity),
      clock(its_clock),
      entropy(its_entropy),
      placement(its_placement) {
  for (std::size_t i = 0; i < shards.count(); ++i)
    shard_states.push_back(
        std::make_unique<ShardState>(*this, static_cast<std::uint16_t>(i), shards.shard(i)));
  std::uint64_t start = 0;
  entropy.fill({reinterpret_cast<std::uint8_t*>(&start), sizeof start});
  next_connection = start & 0xFFFFFFFFFFFFULL;
}

namespace {

void reset_and_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

/// Accepts on the first shard and hands out round robin, so that few connections spread evenly.
class Listener final : public runtime::FdEvents {
 public:
  using Give = void (*)(ShardState&, int fd);
  Listener(Core& core, int fd, Give give) : core_(core), fd_(fd), give_(give) {
    watch_ = core_.shard_states[0]->executor.watch(fd_, *this);
    if (watch_) watch_->await_readable();
  }
  ~Listener() override {
    watch_.reset();
    close(fd_);
    if (spare_ >= 0) close(spare_);
  }
  void on_readable() override {
    for (int i = 0; i < 64; ++i) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if ((errno == EMFILE || errno == ENFILE) && refuse_one()) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          tell(std::strerror(errno), "trying again in 100 ms");
          retry_ = core_.shard_states[0]->executor.schedule_after(
              std::chrono::milliseconds{100}, [alive = std::weak_ptr<int>(alive_), this] {
                if (!alive.expired()) watch_->await_readable();
              });
          return;
        }
        break;
      }
      ShardState& shard = *core_.shard_states[next_++ % core_.shard_states.size()];
      if (shard.index == 0) {
        give_(shard, fd);
      } else {
        shard.executor.post([give = give_, &shard, fd] { give(shard, fd); });
      }
    }
    watch_->await_readable();
  }
  void on_writable() override {}

 private:
  /// Without descriptors: a client that waits in the queue of a listening socket would not even
  /// know that it is refused. The spare one lets it in, and out.
  bool refuse_one() {
    if (spare_ < 0) spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (spare_ < 0) return false;
    close(std::exchange(spare_, -1));
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      tell("no descriptors are left", "the client is refused");
      core_.refused.fetch_add(1, std::memory_order_relaxed);
      reset_and_close(fd);
    }
    spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
  }
  /// Once in ten seconds.
  void tell(std::string_view what, std::string_view then) {
    const auto now = std::chrono::steady_clock::now();
    if (told_ && now - *told_ < std::chrono::seconds{10}) return;
    told_ = now;
    log::warn("front: accept: {}; {}", what, then);
  }

  Core& core_;
  const int fd_;
  int spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::optional<std::chrono::steady_clock::time_point> told_;
  const Give give_;
  std::unique_ptr<runtime::FdWatch> watch_;
  std::size_t next_ = 0;
  runtime::TimerId retry_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

void give_client(ShardState& shard, int fd) {
  Core& core = shard.core;
  const bool full = core.connections.load() >= core.config.connections_max;
  if (full || shard.stopped || !core.serving.load()) {
    core.refused.fetch_add(1, std::memory_order_relaxed);
    if (full)
      log::warn("front: client {} refused: {} connections are the most (connections_max)",
                peer_of(fd).text(), core.config.connections_max);
    reset_and_close(fd);
    return;
  }
  core.accepted.fetch_add(1, std::memory_order_relaxed);
  if (auto connection = ClientConnection::accept(shard, fd))
    shard.clients.insert(std::move(connection));
}

void give_link(ShardState& shard, int fd) {
  if (shard.stopped || !shard.core.serving.load()) {
    reset_and_close(fd);
    return;
  }
  if (auto link = LinkServer::accept(shard, fd)) shard.links.insert(std::move(link));
}

void end_all(ShardState& shard, std::string_view reason) {
  for (const auto& client : shard.clients) client->finish(reason, true);
  for (const auto& link : shard.links) link->finish(reason, true);
}

void arm_sweep(ShardState& shard) {
  const auto every = std::clamp<std::chrono::milliseconds>(
      shard.core.config.unauthenticated_timeout / 8, std::chrono::milliseconds{5},
      std::chrono::milliseconds{1000});
  shard.sweep = shard.executor.schedule_after(every, [&shard] {
    const MonoTime now = shard.executor.now();
    for (const auto& client : shard.clients) client->sweep(now);
    for (const auto& link : shard.links) link->sweep(now);
    arm_sweep(shard);
  });
}

}  // namespace

class Front::Impl {
 public:
  Impl(FrontOptions options, const ports::ServerConfig& config, runtime::ShardGroup& shards,
       ports::ChannelServer& server, ports::Identity& identity, ports::Clock& clock,
       ports::Entropy& entropy, Placement& placement)
      : core_(std::move(options), config, shards, server, identity, clock, entropy, placement) {}
  ~Impl() { stop(); }

  std::expected<void, std::string> start() {
    std::vector<int> fds;
    const auto open = [&fds](const ListenAddress& address) -> std::expected<int, std::string> {
      auto fd = listen_tcp(address);
      if (fd) fds.push_back(*fd);
      return fd;
    };
    for (const ListenAddress& address : core_.options.listen) {
      if (auto fd = open(address); !fd) return give_back(fds, fd.error());
      ports_.push_back(bound_port(fds.back()));
    }
    if (core_.options.link_listen) {
      if (auto fd = open(*core_.options.link_listen); !fd) return give_back(fds, fd.error());
      link_port_ = bound_port(fds.back());
    }
    started_ = true;
    for (auto& shard : core_.shard_states)
      core_.shards.run_on(shard->index, [&shard] { arm_sweep(*shard); });
    core_.shards.run_on(0, [&] {
      for (std::size_t i = 0; i < fds.size(); ++i)
        listeners_.push_back(std::make_unique<Listener>(
            core_, fds[i], i < core_.options.listen.size() ? give_client : give_link));
    });
    return {};
  }

  void stop() {
    if (!std::exchange(started_, false)) return;
    core_.shards.run_on(0, [this] { listeners_.clear(); });
    for (auto& shard : core_.shard_states) {
      core_.shards.run_on(shard->index, [&shard] {
        shard->stopped = true;
        shard->executor.cancel(shard->sweep);
        end_all(*shard, "the server stops");
      });
    }
    // What the ends posted, to their own shard and from there to others, and back.
    for (int round = 0; round < 3; ++round)
      for (auto& shard : core_.shard_states) core_.shards.run_on(shard->index, [] {});
  }

  void set_serving(bool serving) {
    if (core_.serving.exchange(serving) == serving || serving) return;
    for (auto& shard : core_.shard_states)
      shard->executor.post([state = shard.get()] {
        if (!state->stopped && !state->core.serving.load())
          end_all(*state, "this node serves nothing now (no quorum, or told to stop)");
      });
  }

  void view_changed() {
    for (auto& shard : core_.shard_states)
      shard->executor.post([state = shard.get()] {
        if (state->stopped) return;
        const std::vector<Member> members = state->core.placement.members();
        for (const auto& client : state->clients) client->view_changed(members);
        for (const auto& link : state->links) link->view_changed(members);
      });
  }

  void end_pool_address_clients() {
    for (auto& shard : core_.shard_states)
      shard->executor.post([state = shard.get()] {
        for (const auto& client : state->clients)
          if (client->on_pool_address()) client->finish("the pool's address left this node", true);
      });
  }

  [[nodiscard]] std::uint16_t port(std::size_t index) const {
    return index < ports_.size() ? ports_[index] : std::uint16_t{0};
  }
  [[nodiscard]] std::uint16_t link_port() const { return link_port_; }

  [[nodiscard]] FrontStats stats() const {
    FrontStats out;
    out.connections = core_.connections;
    out.links_out = core_.links_out;
    out.links_in = core_.links_in;
    out.accepted = core_.accepted;
    out.refused = core_.refused;
    out.ended_for_cause = core_.ended_for_cause;
    out.relayed_bytes_in = core_.relayed_bytes_in;
    out.relayed_bytes_out = core_.relayed_bytes_out;
    out.spliced_bytes = core_.relay.spliced_bytes;
    out.sessions = core_.spread.counts();
    out.sessions_routed = core_.spread.totals();
    return out;
  }

 private:
  std::unexpected<std::string> give_back(const std::vector<int>& fds, std::string why) {
    for (const int fd : fds) close(fd);
    ports_.clear();
    return std::unexpected(std::move(why));
  }

  Core core_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::uint16_t> ports_;
  std::uint16_t link_port_ = 0;
  bool started_ = false;
};

Front::Front(FrontOptions options, const ports::ServerConfig& config, runtime::ShardGroup& shards,
             ports::ChannelServer& server, ports::Identity& identity, ports::Clock& clock,
             ports::Entropy& entropy, Placement& placement)
    : impl_(std::make_unique<Impl>(std::move(options), config, shards, server, identity, clock,
                                   entropy, placement)) {}
Front::~Front() = default;
std::expected<void, std::string> Front::start() { return impl_->start(); }
void Front::stop() { impl_->stop(); }
void Front::set_serving(bool serving) { impl_->set_serving(serving); }
void Front::view_changed() { impl_->view_changed(); }
void Front::end_pool_address_clients() { impl_->end_pool_address_clients(); }
std::uint16_t Front::port(std::size_t index) const { return impl_->port(index); }
std::uint16_t Front::link_port() const { return impl_->link_port(); }
FrontStats Front::stats() const { return impl_->stats(); }

}  // namespace flotilla::front
