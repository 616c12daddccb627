#include "flotilla/pool_node.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "flotilla/pool_asking.hpp"
#include "flotilla/pool_marks_relay.hpp"
#include "flotilla/pool_pipes.hpp"
#include "flotilla/pool_services.hpp"
#include "pool/corosync/corosync_membership.hpp"

namespace flotilla::app {
namespace {

constexpr const char* kConnectedFact = "front/connected";
constexpr const char* kGoneFact = "front/gone";
/// How often the address is kept; see front::kAddressLifetimeSeconds.
constexpr std::chrono::milliseconds kKeepInterval{400};
/// How often a takeover is announced again: an ARP or a tickle may have been lost.
constexpr int kAnnouncementsAfterTakeover = 4;

using PoolKey = std::array<std::uint8_t, 32>;

std::expected<PoolKey, Message> read_key(const std::filesystem::path& path) {
  const auto wrong = [&](const std::string& what) {
    return std::unexpected(
        fmt::format("[pool] key_file {}: {}; make one with: head -c 32 /dev/urandom > FILE; chmod "
                    "600 FILE, and "
                    "give every node the same",
                    path.string(), what));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return wrong(std::strerror(errno));
  struct stat facts{};
  fstat(fd, &facts);
  PoolKey key{};
  std::uint8_t more = 0;
  const bool whole = read(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size()) &&
                     read(fd, &more, 1) == 0;
  close(fd);
  if (!whole) return wrong("expected exactly 32 bytes");
  if ((facts.st_mode & 077) != 0) {
    return wrong(fmt::format("expected mode 0600, not {:04o}", facts.st_mode & 07777));
  }
  return key;
}

front::PoolAddress address_of(const PoolConfig& config) {
  const std::size_t slash = config.address.find('/');
  front::PoolAddress address;
  address.host = config.address.substr(0, slash);
  if (slash != std::string::npos) {
    address.prefix_bits = static_cast<std::uint8_t>(std::atoi(config.address.c_str() + slash + 1));
  }
  address.interface = config.interface;
  return address;
}

/// Where new sessions go: the members of the last view.
class ViewPlacement final : public front::Placement {
 public:
  [[nodiscard]] std::vector<front::Member> members() const override {
    const std::scoped_lock lock(mutex_);
    return members_;
  }
  void set(const pool::View& view) {
    std::vector<front::Member> members;
    for (const pool::Member& member : view.members) {
      if (auto listen = parse_listen(member.facts.front)) {
        members.push_back({member.id.node, listen->address, listen->port});
      }
    }
    const std::scoped_lock lock(mutex_);
    members_ = view.quorate ? std::move(members) : std::vector<front::Member>{};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<front::Member> members_;
};

Bytes encode(const front::ConnectionTuple& tuple) {
  const std::string text = fmt::format("{} {} {} {}", tuple.client_host, tuple.client_port,
                                       tuple.server_host, tuple.server_port);
  return {text.begin(), text.end()};
}

std::optional<front::ConnectionTuple> decode(ByteView bytes) {
  char client[64] = "";
  char server[64] = "";
  unsigned client_port = 0;
  unsigned server_port = 0;
  const std::string text(as_text(bytes));
  if (std::sscanf(text.c_str(), "%63s %u %63s %u", client, &client_port, server, &server_port) !=
      4) {
    return std::nullopt;
  }
  return front::ConnectionTuple{client, static_cast<std::uint16_t>(client_port), server,
                                static_cast<std::uint16_t>(server_port)};
}

}  // namespace

struct PoolNode::Impl {
  Impl(const PoolConfig& pool_config, std::string pool_ids, const PoolKey& pool_key)
      : config(pool_config),
        ids(std::move(pool_ids)),
        key(pool_key),
        address(address_of(pool_config)) {}

  void on_view(const pool::View& view);
  [[nodiscard]] bool agrees(const pool::View& view);
  void on_lost();
  void on_fact(const std::string& name, ByteView value);
  void keep_address(const std::stop_token& stop);

  const PoolConfig config;
  const std::string ids;
  const PoolKey key;
  std::unique_ptr<pool::CorosyncMembership> membership;
  std::shared_ptr<pool::PoolEngine> engine;
  ViewPlacement placement;
  front::AddressKeeper address;
  std::unique_ptr<PoolServices> services;  ///< set before the engine starts
  std::unique_ptr<PoolMarksRelay> marks;   ///< as services
  std::unique_ptr<PoolAsking> asking;      ///< as services
  std::shared_ptr<rpc::PipeRelay> pipes;   ///< as services; null: no rpc_node
  std::atomic<front::Front*> front{nullptr};
  std::atomic<bool> leaving{false};
  std::atomic<bool> refused{false};
  std::atomic<int> announcements_left{0};
  std::mutex mutex;
  std::condition_variable_any wake;
  std::jthread keeper;  ///< last: joined before what it uses goes
};

bool PoolNode::Impl::agrees(const pool::View& view) {
  const pool::Member* const oldest = view.find(view.address_holder());
  if (oldest == nullptr || oldest->facts.ids == ids) return true;
  if (!refused.exchange(true)) {
    log::error(
        "pool: node {} ({}) makes SIDs of {}, this node of {}: one user would be two. Make "
        "[server] "
        "name, domain_sid and [[domain]] the same on all nodes; this node ends",
        oldest->id.node.raw(), oldest->facts.name, oldest->facts.ids, ids);
    ::kill(::getpid(), SIGTERM);
  }
  return false;
}

void PoolNode::Impl::on_view(const pool::View& view) {
  placement.set(view);
  if (services) services->on_view(view);
  if (marks) marks->on_view(view);
  if (pipes) tell_members(*pipes, view);
  std::string members;
  for (const pool::Member& member : view.members) {
    members += fmt::format("{}{}", members.empty() ? "" : ",", member.id.node.raw());
  }
  log::info("pool: epoch {}: members {}, {}, node {} holds the address", view.epoch.raw(), members,
            view.quorate ? "quorate" : "no quorum", view.address_holder().raw());
  front::Front* const clients = front.load();
  if (clients == nullptr) return;
  clients->view_changed();
  if (!agrees(view)) return clients->set_serving(false);
  clients->set_serving(view.quorate);
  if (config.address.empty() || leaving) return;
  const bool ours = view.address_holder() == membership->self();
  if (ours && !address.held()) {
    if (auto taken = address.take(); taken) {
      log::info("pool: this node holds {} now", config.address);
      announcements_left = kAnnouncementsAfterTakeover;
    } else {
      log::error("pool: {}; clients cannot reach the pool's address", taken.error());
    }
  } else if (!ours && address.held()) {
    if (auto dropped = address.drop(); !dropped) log::error("pool: {}", dropped.error());
    clients->end_pool_address_clients();
    log::info("pool: this node gave {} away", config.address);
  }
}

void PoolNode::Impl::on_lost() {
  log::warn("pool: no quorum; this node serves nothing until it has one");
  placement.set({});
  if (pipes) pipes->on_members({});
  if (front::Front* const clients = front.load()) clients->set_serving(false);
  if (auto dropped = address.drop(); !dropped) log::error("pool: {}", dropped.error());
}

void PoolNode::Impl::on_fact(const std::string& name, ByteView value) {
  if (const auto tuple = decode(value); tuple && (name == kConnectedFact || name == kGoneFact)) {
    address.learn(*tuple, name == kConnectedFact);
  }
}

void PoolNode::Impl::keep_address(const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    wake.wait_for(lock, stop, kKeepInterval, [] { return false; });
    // A node that hung finds out here that its lease is over, and lets the kernel take the address.
    if (!address.held() || !engine->serving()) continue;
    address.refresh();
    if (announcements_left > 0) {
      --announcements_left;
      address.announce();
    }
  }
}

PoolNode::PoolNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PoolNode::~PoolNode() = default;

std::expected<std::unique_ptr<PoolNode>, Message> PoolNode::open(
    const PoolConfig& config, std::string ids, const coherence::Limits& limits,
    const ports::Clock& clock, std::chrono::nanoseconds poll_window) {
  const auto key = read_key(config.key_file);
  if (!key) return std::unexpected(key.error());
  auto membership = pool::CorosyncMembership::make();
  // corosync may be starting beside us: a service manager orders starts, not readiness.
  for (int tries = 0; !membership && tries < 100; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    membership = pool::CorosyncMembership::make();
  }
  if (!membership) return std::unexpected(membership.error());

  auto impl = std::make_unique<Impl>(config, std::move(ids), *key);
  impl->membership = std::move(*membership);
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  pool::PoolOptions options;
  options.node = impl->membership->self();
  options.name = host;
  options.peer_listen = fmt::format("{}:{}", config.peer_listen.address, config.peer_listen.port);
  options.front_listen = fmt::format("{}:{}", config.peer_listen.address, config.link_port);
  options.key_file = config.key_file.string();
  options.ids = impl->ids;
  options.limits = limits;
  options.tolerate = config.tolerate;
  options.poll_window = poll_window;
  Impl* const self = impl.get();
  pool::PoolCallbacks callbacks;
  callbacks.on_view = [self](const pool::View& view) { self->on_view(view); };
  callbacks.on_lost_quorum = [self] { self->on_lost(); };
  callbacks.on_fact = [self](NodeId, const std::string& name, ByteView value) {
    self->on_fact(name, value);
  };
  impl->engine =
      std::make_shared<pool::PoolEngine>(clock, std::move(options), std::move(callbacks));
  return std::unique_ptr<PoolNode>(new PoolNode(std::move(impl)));
}

NodeId PoolNode::self() const noexcept { return impl_->membership->self(); }
ByteView PoolNode::key() const noexcept { return impl_->key; }
std::shared_ptr<ports::Engine> PoolNode::engine() const { return impl_->engine; }
const pool::PoolEngine& PoolNode::pool_engine() const { return *impl_->engine; }
front::Placement& PoolNode::placement() { return impl_->placement; }
bool PoolNode::holds_address() const { return impl_->address.held(); }
bool PoolNode::refused() const { return impl_->refused; }

void PoolNode::prepare(front::FrontOptions& options) {
  options.link_listen = {impl_->config.peer_listen.address, impl_->config.link_port};
  options.pool_key = impl_->key;
  options.pool_address = impl_->config.address.substr(0, impl_->config.address.find('/'));
  Impl* const impl = impl_.get();
  options.on_pool_connection = [impl](const front::ConnectionTuple& tuple, bool alive) {
    impl->engine->publish(alive ? kConnectedFact : kGoneFact, encode(tuple));
  };
}

void PoolNode::serve(handlers::Server& server) {
  impl_->services = std::make_unique<PoolServices>(server, *impl_->engine, self());
  impl_->marks = std::make_unique<PoolMarksRelay>(server, *impl_->engine, self());
  impl_->asking = std::make_unique<PoolAsking>(server, *impl_->engine, self());
}

void PoolNode::relay_pipes(handlers::Server& server, runtime::ShardGroup& shards,
                           std::shared_ptr<rpc::PipeForwarder> local, PipeTarget target) {
  if (target.node == self() && !local && !target.all_pipes) {
    log::warn("[rpc] rpc_node is this node, but forward is not set: it serves no others' pipes");
  }
  impl_->pipes = make_pool_pipes(server, *impl_->engine, shards,
                                 {.self = self(),
                                  .server = target.node,
                                  .all_pipes = target.all_pipes,
                                  .local = std::move(local)});
}

std::expected<void, Message> PoolNode::start(front::Front& front) {
  impl_->front = &front;
  front.set_serving(false);
  // What an earlier life of this daemon may have left.
  if (!impl_->config.address.empty()) {
    if (auto dropped = impl_->address.drop(); !dropped) return dropped;
  }
  impl_->keeper =
      std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->keep_address(stop); });
  return impl_->engine->start(*impl_->membership);
}

void PoolNode::leave() {
  impl_->leaving = true;
  if (auto dropped = impl_->address.drop(); !dropped) log::warn("pool: {}", dropped.error());
}

void PoolNode::stop() {
  if (impl_->pipes) impl_->pipes->stop();
  impl_->engine->stop();
  impl_->keeper = {};
  impl_->front = nullptr;
}

}  // namespace flotilla::app
