// A pool in one process and on one thread, for tests: virtual time, a network that delivers when
// told to, and a membership that does what corosync would.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "pool/embedded/embedded_engine.hpp"
#include "pool/peer/links.hpp"
#include "pool/pool_engine.hpp"
#include "pool/view_agreement.hpp"

namespace flotilla::pool::testing {

class VirtualClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return now_; }
  [[nodiscard]] NtTime wall() const noexcept override {
    return NtTime{kUnixEpochTicks + static_cast<std::uint64_t>(now_.ns / 100)};
  }
  void advance(std::chrono::nanoseconds by) { now_ = now_ + by; }

 private:
  MonoTime now_{1'000'000'000};
};

/// Messages between engines, in order per pair, delivered one after another by pump().
class FakeNetwork {
 public:
  class Links final : public PeerLinks {
   public:
    Links(FakeNetwork& network, NodeId node) : network_(network), node_(node) {}
    ~Links() override { network_.ends_.erase(node_); }
    void start(Receive receive) override {
      receive_ = std::move(receive);
      network_.ends_[node_] = this;
    }
    void stop() override { receive_ = nullptr; }
    void set_view(MemberId self, const std::vector<Member>& members) override {
      self_ = self;
      members_.clear();
      for (const Member& member : members) members_.insert(member.id);
    }
    void send(NodeId to, PeerTraffic traffic, Bytes body) override {
      for (const MemberId& member : members_) {
        if (member.node == to) {
          ++network_.sent_count;
          network_.queue_.push_back({self_, member, traffic, std::move(body)});
          return;
        }
      }
    }

   private:
    friend class FakeNetwork;
    FakeNetwork& network_;
    NodeId node_;
    Receive receive_;
    MemberId self_;
    std::set<MemberId> members_;
  };

  /// Delivers until nothing is under way. A message to a life that has not linked up yet waits.
  void pump() {
    for (bool moved = true; moved;) {
      moved = false;
      std::deque<Item> waiting = std::exchange(queue_, {});
      for (Item& item : waiting) {
        const auto end = ends_.find(item.to.node);
        if (end == ends_.end() || !end->second->receive_) continue;
        Links& links = *end->second;
        if (links.self_ != item.to || !links.members_.contains(item.from)) continue;
        std::vector<PeerDelivery> batch;
        batch.push_back({item.traffic, std::move(item.body)});
        links.receive_(item.from, batch);
        moved = true;
      }
      moved = moved || !queue_.empty();
    }
  }
  /// What a node has sent and nobody has got yet dies with it.
  void forget_from(NodeId node) {
    std::erase_if(queue_, [&](const Item& item) { return item.from.node == node; });
  }
  [[nodiscard]] std::size_t queued_count() const { return queue_.size(); }
  std::uint64_t sent_count = 0;  ///< since the beginning

 private:
  struct Item {
    MemberId from;
    MemberId to;
    PeerTraffic traffic;
    Bytes body;
  };
  std::map<NodeId, Links*> ends_;
  std::deque<Item> queue_;
};

/// Corosync's part: tells groups of nodes that they are a view.
class FakeCluster {
 public:
  explicit FakeCluster(std::uint32_t quorum) : quorum_(quorum) {}

  class Node final : public Membership {
   public:
    Node(FakeCluster& cluster, NodeId node) : cluster_(cluster), node_(node) {}
    void start(MembershipEvents& events, NodeFacts self) override {
      events_ = &events;
      agreement_.emplace(node_, cluster_.fresh_++, std::move(self));
    }
    void stop() override { events_ = nullptr; }
    void publish(const std::string& key, ByteView value) override {
      for (auto& [id, node] : cluster_.nodes_) {
        if (node->events_ != nullptr) node->events_->on_fact(node_, key, value);
      }
    }
    [[nodiscard]] NodeId self() const noexcept override { return node_; }

   private:
    friend class FakeCluster;
    FakeCluster& cluster_;
    NodeId node_;
    MembershipEvents* events_ = nullptr;
    std::optional<ViewAgreement> agreement_;
  };

  Node& add(NodeId node) {
    nodes_[node] = std::make_unique<Node>(*this, node);
    return *nodes_[node];
  }

  /// These nodes become a view together, `unclean` having been lost.
  void form(const std::vector<NodeId>& group, const std::vector<NodeId>& unclean = {}) {
    std::vector<Hello> hellos;
    for (const NodeId id : group) {
      Node& node = *nodes_.at(id);
      const Epoch recovered = node.events_->on_change_begins(group.size() >= quorum_);
      hellos.push_back(node.agreement_->hello(group, recovered, fresh_++));
      hellos.back().quorum = quorum_;
    }
    hellos.front().unclean = unclean;
    View view = agree(hellos);
    for (const NodeId id : group) nodes_.at(id)->agreement_->installed(view);
    for (const NodeId id : group) {
      nodes_.at(id)->events_->on_view(view);
      nodes_.at(id)->events_->on_alive(INT64_MAX / 2);
    }
  }

 private:
  const std::uint32_t quorum_;
  std::uint64_t fresh_ = 100;
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
};

/// Any number of engines that serve the same files; zero: one embedded engine.
class TestPool {
 public:
  explicit TestPool(std::size_t node_count, ClaimOptions claims = {})
      : cluster(static_cast<std::uint32_t>(node_count / 2 + 1)), claims_(claims) {
    if (node_count == 0) {
      EmbeddedOptions options;
      options.tick_interval = std::chrono::milliseconds{0};
      embedded_ = std::make_unique<EmbeddedEngine>(clock, options);
      return;
    }
    std::vector<NodeId> all;
    for (std::uint32_t id = 1; id <= node_count; ++id) {
      boot(NodeId{id});
      all.emplace_back(id);
    }
    cluster.form(all);
    network.pump();
    advance(Timing{}.grant_margin);
  }
  ~TestPool() {
    for (auto& [id, engine] : engines_) engine->stop();
  }

  void boot(NodeId id) {
    PoolOptions options;
    options.node = id;
    options.name = "node" + std::to_string(id.raw());
    options.tick_interval = std::chrono::milliseconds{0};
    options.claims = claims_;
    PoolCallbacks callbacks;
    callbacks.on_lost_quorum = [this, id] { ++lost_count[id]; };
    engines_[id] = std::make_unique<PoolEngine>(clock, options, std::move(callbacks));
    engines_[id]->set_orphan_handler(
        [this, id](const FileKey& key, OpenId open, const std::string& path) {
          orphans.push_back({id, key, open, path});
        });
    engines_[id]->start(cluster.add(id), std::make_unique<FakeNetwork::Links>(network, id));
  }
  /// Kill -9: the engine object stays for its callers, but reaches nobody.
  void kill(NodeId id) {
    network.forget_from(id);
    engines_.at(id)->stop();
    dead_.push_back(std::move(engines_.at(id)));
    engines_.erase(id);
  }

  [[nodiscard]] std::size_t node_count() const { return embedded_ ? 0 : engines_.size(); }
  /// Engine of the index'th node; all indexes are one engine where there is only one.
  ports::Engine& at(std::size_t index) {
    if (embedded_) return *embedded_;
    auto it = engines_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(index % engines_.size()));
    return *it->second;
  }
  PoolEngine& node(std::uint32_t id) { return *engines_.at(NodeId{id}); }

  void settle() {
    if (!embedded_) network.pump();
  }
  void advance(std::chrono::nanoseconds by) {
    clock.advance(by);
    if (embedded_) embedded_->tick(clock.mono());
    for (auto& [id, engine] : engines_) engine->tick(clock.mono());
    settle();
  }

  VirtualClock clock;
  FakeNetwork network;
  FakeCluster cluster;
  std::map<NodeId, int> lost_count;
  struct Orphan {
    NodeId at;
    FileKey key;
    OpenId open;
    std::string path;
  };
  std::vector<Orphan> orphans;  ///< names that a node was asked to remove

 private:
  const ClaimOptions claims_;
  std::unique_ptr<EmbeddedEngine> embedded_;
  std::map<NodeId, std::unique_ptr<PoolEngine>> engines_;
  std::vector<std::unique_ptr<PoolEngine>> dead_;
};

/// One open as a handler would keep it, and what it was told.
class TestOpen final : public ports::OpenEvents {
 public:
  void on_break(const coherence::Break& what) override { breaks.push_back(what); }
  void on_revoked(coherence::RevokeReason reason) override { revoked = reason; }

  coherence::Open command;
  ports::Engine* engine = nullptr;
  FileKey key;
  RequestId request;
  bool done = false;
  bool pending = false;
  coherence::Outcome outcome;
  std::shared_ptr<ports::IoGate> gate;
  std::vector<coherence::Break> breaks;
  std::optional<coherence::RevokeReason> revoked;

  [[nodiscard]] OpenId id() const { return command.open; }
  [[nodiscard]] NtStatus status() const { return outcome.status; }
};
using TestOpenPtr = std::shared_ptr<TestOpen>;

struct TestReply {
  bool done = false;
  bool pending = false;
  RequestId request;
  coherence::Outcome outcome;
};
using TestReplyPtr = std::shared_ptr<TestReply>;

inline TestOpenPtr start_open(TestPool& pool, ports::Engine& engine, const FileKey& key,
                              coherence::Open command) {
  auto open = std::make_shared<TestOpen>();
  open->command = std::move(command);
  open->command.open = engine.next_open_id();
  open->engine = &engine;
  open->key = key;
  open->request = engine.open(
      key, open->command, open,
      [open](ports::OpenOutcome result) {
        open->done = true;
        open->outcome = std::move(result.outcome);
        open->gate = std::move(result.gate);
      },
      [open] { open->pending = true; });
  pool.settle();
  return open;
}

inline TestReplyPtr start_command(TestPool& pool, ports::Engine& engine, const FileKey& key,
                                  coherence::Body body) {
  auto reply = std::make_shared<TestReply>();
  ports::Completion completion;
  completion.done = [reply](coherence::Outcome outcome) {
    reply->done = true;
    reply->outcome = std::move(outcome);
  };
  completion.pending = [reply] { reply->pending = true; };
  reply->request = engine.submit(key, std::move(body), std::move(completion));
  pool.settle();
  return reply;
}

}  // namespace flotilla::pool::testing
