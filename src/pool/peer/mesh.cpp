#include "pool/peer/mesh.hpp"

#include <fmt/core.h>
#include <openssl/rand.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "pool/peer/connection.hpp"
#include "pool/peer/endpoint.hpp"
#include "runtime/idle_poll.hpp"
#include "runtime/serving_thread.hpp"

namespace flotilla::pool {

namespace asio = boost::asio;
using asio::ip::tcp;
using ConnectionPtr = std::shared_ptr<PeerConnection>;

namespace {

constexpr std::chrono::milliseconds kRetryDelay{30};
/// One frame takes what is waiting, up to this and at least one message.
constexpr std::size_t kFrameBytesWanted = 256U << 10;
/// A receiver that has nothing to send confirms at the latest after so many messages.
constexpr std::uint64_t kConfirmEvery = 64;

PeerNonce fresh_nonce() {
  PeerNonce nonce{};
  FLOTILLA_CHECK(RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) == 1);
  return nonce;
}

}  // namespace

/// Messages are counted from the link's first: queue[0] is number `confirmed`.
/// Lock order: writer, then queue_mutex; the mesh's mutex is never held with either.
struct PeerLink {
  MemberId peer;
  std::string endpoint;
  std::unique_ptr<asio::steady_timer> retry;  ///< the mesh's thread

  std::mutex queue_mutex;
  std::deque<Bytes> queue;  ///< sent and not confirmed, then not sent
  std::uint64_t confirmed = 0;
  std::size_t sent = 0;  ///< of `queue`, on this connection

  /// Who holds it writes for all; what follows is its.
  std::mutex writer;
  ConnectionPtr connection;
  bool resumed = false;  ///< the connection's first frame has said where to go on
  bool writing = false;  ///< the connection will tell when it can take more
  bool dropped = false;
  std::uint64_t received = 0;
  std::uint64_t received_told = 0;

  [[nodiscard]] bool has_unsent() {
    const std::lock_guard lock(queue_mutex);
    return sent < queue.size();
  }
};
using LinkPtr = std::shared_ptr<PeerLink>;

struct PeerMesh::Impl : std::enable_shared_from_this<PeerMesh::Impl> {
  Impl(const PoolKey& key_in, std::chrono::nanoseconds poll_window)
      : key(key_in), acceptor(io), work(io.get_executor()), idle(poll_window) {}

  PoolKey key;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  runtime::IdlePoll idle;
  std::thread thread;
  PeerLinks::Receive receive;

  std::mutex mutex;
  MemberId self;
  std::map<NodeId, LinkPtr> links;

  /// The mesh's thread: as a shard does, it looks for more for a moment before it sleeps.
  void run() {
    while (!io.stopped()) {
      if (io.poll() > 0 || idle.look([this] { return io.poll() > 0; })) continue;
      io.run_one();
      idle.slept();
    }
  }

  LinkPtr find(NodeId node) {
    const std::lock_guard lock(mutex);
    const auto at = links.find(node);
    return at == links.end() ? nullptr : at->second;
  }
  LinkPtr find_life(const PeerHello& hello) {
    const std::lock_guard lock(mutex);
    const auto at = links.find(hello.from.node);
    if (at == links.end() || at->second->peer != hello.from || self != hello.to) return nullptr;
    return at->second;
  }

  PeerConnection::Events events() {
    const std::weak_ptr<Impl> weak = weak_from_this();
    const auto with = [weak](auto what) {
      return [weak, what](auto&&... args) {
        if (const auto impl = weak.lock()) what(*impl, args...);
      };
    };
    PeerConnection::Events all;
    all.known = [weak](const PeerHello& hello) {
      const auto impl = weak.lock();
      return impl && impl->find_life(hello) != nullptr;
    };
    all.established = with([](Impl& impl, const ConnectionPtr& connection, const PeerHello& peer) {
      impl.established(connection, peer);
    });
    all.frame = with([](Impl& impl, const ConnectionPtr& connection, Bytes& plain) {
      impl.on_frame(connection, plain);
    });
    all.written = with([](Impl& impl, const ConnectionPtr& connection) {
      const LinkPtr link = impl.find(connection->peer().from.node);
      if (!link) return;
      {
        const std::lock_guard lock(link->writer);
        if (link->connection == connection) link->writing = false;
      }
      flush(*link);
    });
    all.closed =
        with([](Impl& impl, const ConnectionPtr& connection) { impl.on_closed(connection); });
    return all;
  }

  void accept() {
    acceptor.async_accept(
        [weak = weak_from_this()](const boost::system::error_code& error, tcp::socket socket) {
          const auto impl = weak.lock();
          if (!impl || error == asio::error::operation_aborted) return;
          if (!error) {
            std::make_shared<PeerConnection>(impl->io, impl->key, impl->events())
                ->answer(std::move(socket), fresh_nonce());
          }
          impl->accept();
        });
  }

  void call(const LinkPtr& link) {
    MemberId from;
    {
      const std::lock_guard lock(mutex);
      from = self;
    }
    if (!(from.node < link->peer.node)) return;  // the lower id calls
    const std::lock_guard lock(link->writer);
    if (link->dropped || link->connection) return;
    link->connection = std::make_shared<PeerConnection>(io, key, events());
    link->resumed = link->writing = false;
    link->connection->call(link->endpoint, PeerHello{from, link->peer, fresh_nonce()});
  }

  void call_later(const LinkPtr& link) {
    if (!link->retry) link->retry = std::make_unique<asio::steady_timer>(io);
    link->retry->expires_after(kRetryDelay);
    link->retry->async_wait(
        [weak = weak_from_this(), link](const boost::system::error_code& error) {
          const auto impl = weak.lock();
          if (impl && !error) impl->call(link);
        });
  }

  void established(const ConnectionPtr& connection, const PeerHello& peer) {
    const LinkPtr link = find_life(peer);
    if (!link) return connection->close();
    const std::lock_guard lock(link->writer);
    if (link->connection && link->connection != connection) link->connection->close();
    link->connection = connection;
    link->resumed = false;
    restart(*link);
    link->received_told = link->received;
    Bytes plain;
    ByteWriter(plain).u64(link->received);
    link->writing = !connection->write(plain);
  }

  void on_closed(const ConnectionPtr& connection) {
    const std::vector<LinkPtr> all = all_links();
    for (const LinkPtr& link : all) {
      bool lost = false;
      {
        const std::lock_guard lock(link->writer);
        lost = link->connection == connection;
        if (lost) {
          link->connection.reset();
          link->resumed = link->writing = false;
          restart(*link);
        }
      }
      if (lost) {
        call_later(link);
      } else {
        flush(*link);
      }
    }
  }

  /// All that is not confirmed is sent again.
  static void restart(PeerLink& link) {
    const std::lock_guard lock(link.queue_mutex);
    link.sent = 0;
  }

  std::vector<LinkPtr> all_links() {
    const std::lock_guard lock(mutex);
    std::vector<LinkPtr> all;
    for (const auto& [node, link] : links) all.push_back(link);
    return all;
  }

  void broken(const ConnectionPtr& connection, std::string_view why) {
    log::warn("pool: peer node {}: {}; connection closed", connection->peer().from.node.raw(), why);
    connection->close();
    on_closed(connection);
  }

  void on_frame(const ConnectionPtr& connection, const Bytes& plain) {
    const LinkPtr link = find_life(connection->peer());
    if (!link) return;
    std::vector<PeerDelivery> batch;
    std::string_view fault;
    {
      const std::lock_guard lock(link->writer);
      if (link->connection == connection) fault = take_frame(*link, plain, batch);
    }
    if (!fault.empty()) return broken(connection, fault);
    if (!batch.empty()) receive(link->peer, batch);
    flush(*link);
  }

  /// With the writer's mutex. What is wrong with the frame; "" for nothing.
  static std::string_view take_frame(PeerLink& link, ByteView plain,
                                     std::vector<PeerDelivery>& batch) {
    ByteReader in(plain);
    const std::uint64_t confirmed = in.u64();
    if (!in.ok() || !confirm(link, confirmed)) return "confirms what was never sent";
    if (!link.resumed) {
      link.resumed = true;
      restart(link);
    }
    while (in.remaining() > 0) {
      const std::uint32_t size_bytes = in.u32();
      const std::uint8_t traffic = in.u8();
      const ByteView body = in.view(size_bytes);
      if (!in.ok() || traffic < 1 || traffic > 3) {
        return "sends a frame that is no list of messages";
      }
      batch.push_back({static_cast<PeerTraffic>(traffic), Bytes(body.begin(), body.end())});
    }
    link.received += batch.size();
    return {};
  }

  /// False where the peer has what this node never sent.
  static bool confirm(PeerLink& link, std::uint64_t confirmed) {
    const std::lock_guard lock(link.queue_mutex);
    if (confirmed < link.confirmed) return false;
    const std::uint64_t count = confirmed - link.confirmed;
    if (count > link.queue.size()) return false;
    link.queue.erase(link.queue.begin(), link.queue.begin() + static_cast<std::ptrdiff_t>(count));
    link.confirmed = confirmed;
    link.sent -= std::min<std::size_t>(link.sent, count);
    return true;
  }

  /// Writes what is queued, on any thread. Where another thread writes already, that one sees to
  /// it.
  static void flush(PeerLink& link) {
    do {
      const std::unique_lock writer(link.writer, std::try_to_lock);
      if (!writer || !write_frames(link)) return;
    } while (link.has_unsent());  // queued by one that found this thread writing
  }

  /// With the writer's mutex. False where more cannot be written now, and somebody will go on.
  static bool write_frames(PeerLink& link) {
    for (;;) {
      if (link.dropped || !link.connection || !link.resumed || link.writing) return false;
      Bytes plain;
      ByteWriter to(plain);
      to.u64(link.received);
      {
        const std::lock_guard lock(link.queue_mutex);
        while (link.sent < link.queue.size() &&
               (plain.size() == 8 ||
                plain.size() + link.queue[link.sent].size() <= kFrameBytesWanted)) {
          to.bytes(link.queue[link.sent++]);
        }
      }
      if (plain.size() == 8 && link.received - link.received_told < kConfirmEvery) return true;
      link.received_told = link.received;
      link.writing = !link.connection->write(plain);
    }
  }

  void drop(const LinkPtr& link) {
    if (link->retry) link->retry->cancel();
    const std::lock_guard lock(link->writer);
    link->dropped = true;
    if (link->connection) link->connection->close();
    link->connection.reset();
  }
};

PeerMesh::PeerMesh(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerMesh::~PeerMesh() { stop(); }

std::expected<std::unique_ptr<PeerMesh>, std::string> PeerMesh::make(
    const std::string& listen, const PoolKey& key, std::chrono::nanoseconds poll_window) {
  const auto at = parse_endpoint(listen);
  if (!at) {
    return std::unexpected(fmt::format("peer address {}: address:port was expected", listen));
  }
  auto impl = std::make_shared<Impl>(key, poll_window);
  boost::system::error_code error;
  impl->acceptor.open(at->protocol(), error);
  if (!error) impl->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) impl->acceptor.bind(*at, error);
  if (!error) impl->acceptor.listen(128, error);
  if (error) {
    return std::unexpected(fmt::format("peer address {}: {}", listen, error.message()));
  }
  return std::unique_ptr<PeerMesh>(new PeerMesh(std::move(impl)));
}

std::string PeerMesh::address() const {
  boost::system::error_code error;
  const auto at = impl_->acceptor.local_endpoint(error);
  const std::string host = at.address().to_string();
  return fmt::format("{}:{}", at.address().is_v6() ? "[" + host + "]" : host, at.port());
}

void PeerMesh::start(Receive receive) {
  impl_->receive = std::move(receive);
  impl_->accept();
  impl_->thread = std::thread([impl = impl_] {
    runtime::begin_serving_thread("peers");
    impl->run();
  });
}

void PeerMesh::stop() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [impl = impl_] {
    boost::system::error_code ignored;
    impl->acceptor.close(ignored);
    for (const LinkPtr& link : impl->all_links()) impl->drop(link);
    impl->work.reset();
    impl->io.stop();
  });
  impl_->thread.join();
}

void PeerMesh::set_view(MemberId self, const std::vector<Member>& members) {
  std::vector<LinkPtr> dropped;
  std::vector<LinkPtr> added;
  {
    const std::lock_guard lock(impl_->mutex);
    const bool other_life = impl_->self != self;
    impl_->self = self;
    for (auto at = impl_->links.begin(); at != impl_->links.end();) {
      bool stays = !other_life;
      if (stays) {
        stays = false;
        for (const Member& member : members) stays = stays || member.id == at->second->peer;
      }
      if (stays) {
        ++at;
        continue;
      }
      dropped.push_back(std::move(at->second));
      at = impl_->links.erase(at);
    }
    for (const Member& member : members) {
      if (member.id.node == self.node || impl_->links.contains(member.id.node)) continue;
      auto link = std::make_shared<PeerLink>();
      link->peer = member.id;
      link->endpoint = member.facts.peer;
      impl_->links.emplace(member.id.node, link);
      added.push_back(std::move(link));
    }
  }
  asio::post(impl_->io, [impl = impl_, dropped = std::move(dropped), added = std::move(added)] {
    for (const LinkPtr& link : dropped) impl->drop(link);
    for (const LinkPtr& link : added) impl->call(link);
  });
}

void PeerMesh::send(NodeId to, PeerTraffic traffic, Bytes body) {
  queue(to, traffic, std::move(body));
  push(to);
}

void PeerMesh::queue(NodeId to, PeerTraffic traffic, Bytes body) {
  Bytes message;
  message.reserve(5 + body.size());
  ByteWriter out(message);
  out.u32(static_cast<std::uint32_t>(body.size()));
  out.u8(static_cast<std::uint8_t>(traffic));
  out.bytes(body);
  const LinkPtr link = impl_->find(to);
  if (!link) return;
  const std::lock_guard lock(link->queue_mutex);
  link->queue.push_back(std::move(message));
}

void PeerMesh::push(NodeId to) {
  if (const LinkPtr link = impl_->find(to)) Impl::flush(*link);
}

void PeerMesh::drop_connections() {
  asio::post(impl_->io, [impl = impl_] {
    for (const LinkPtr& link : impl->all_links()) {
      ConnectionPtr connection;
      {
        const std::lock_guard lock(link->writer);
        connection = link->connection;
      }
      if (!connection) continue;
      connection->close();
      impl->on_closed(connection);
    }
  });
}

}  // namespace flotilla::pool
