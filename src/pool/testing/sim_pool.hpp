// A pool of owner machines in a virtual world: links with delays, nodes that crash, hang and come
// back, networks that split, clients that do what they like. One seed, one history.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "pool/owner/machine.hpp"
#include "pool/view_agreement.hpp"

namespace flotilla::pool::testing {

/// What a client of a node believes of one open. It may do I/O on it while the node's lease lasts.
struct SimOpen {
  FileKey key;
  coherence::Open command;
  coherence::CacheKind kind = coherence::CacheKind::None;
  std::vector<coherence::LockRange> locks;
};

struct SimCacheName {
  FileKey key;
  OpenId oplock;
  ClientGuid client;
  LeaseKey lease;
  friend auto operator<=>(const SimCacheName&, const SimCacheName&) = default;
};

struct SimRequest {
  FileKey key;
  coherence::Body body;
};

struct SimRing {
  std::vector<NodeId> members;
  std::map<NodeId, Hello> hellos;
  std::optional<View> view;
  std::set<NodeId> installed;
};

struct SimNode {
  NodeId id;
  bool up = false;
  bool hung = false;
  MonoTime hung_since;
  int network = 0;
  std::unique_ptr<OwnerMachine> machine;
  std::optional<ViewAgreement> agreement;
  MemberId life;
  std::set<MemberId> linked;
  std::shared_ptr<SimRing> ring;       ///< as its corosync knows it
  std::shared_ptr<SimRing> ring_told;  ///< as the node was last told
  std::vector<NodeId> ring_known;      ///< its members
  std::map<NodeId, MonoTime> unclean;
  std::set<std::uint64_t> membership_events;  ///< to be cancelled by a newer ring
  bool fenced = true;
  bool changing = false;
  MonoTime lease_until;
  MonoTime proven_at;
  std::deque<LocalEffect> effects;
  std::vector<std::pair<FileKey, ConfirmId>> confirms;
  std::map<OpenId, SimOpen> opens;
  std::map<SimCacheName, coherence::CacheRights> caches;
  std::map<SimCacheName, coherence::CacheRights> acknowledged;  ///< by the last break
  std::map<RequestId, SimRequest> requests;
  std::map<FileKey, coherence::Restrictions> known;
  std::vector<coherence::AcknowledgeBreak> acks;
  std::vector<std::pair<FileKey, coherence::AcknowledgeBreak>> to_acknowledge;
  std::vector<std::pair<FileKey, OpenId>> to_unlink;
};

class SimPool {
 public:
  SimPool(std::uint64_t seed, std::size_t node_count);

  /// Runs `step_count` random steps with faults, then heals everything and lets it settle.
  /// Returns sentences about what went wrong; empty where nothing did.
  [[nodiscard]] std::vector<std::string> run(std::size_t step_count);

  /// Clients open files of their own to be kept, and one node after the other is lost, each when
  /// what the former left has settled: invariant 5.
  [[nodiscard]] std::vector<std::string> run_kept(std::size_t round_count);

  std::map<std::string, std::uint64_t> counts;  ///< what happened, to show that something did

 private:
  using Random = std::mt19937_64;
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t percent) { return pick(100) < percent; }
  SimNode& random_node() { return nodes_[pick(nodes_.size())]; }

  // sim_world.cpp: time, links, rings
  void at(std::chrono::nanoseconds delay, std::function<void()> what);
  std::uint64_t at_for(SimNode& node, std::chrono::nanoseconds delay, std::function<void()> what);
  void advance(std::chrono::nanoseconds by);
  void ping(SimNode& node);
  void boot(SimNode& node);
  void crash(SimNode& node, bool clean);
  void hang(SimNode& node);
  void wake(SimNode& node);
  void split();
  void heal();
  void change_rings_later(std::chrono::milliseconds within, std::chrono::milliseconds after = {});
  [[nodiscard]] bool heard(const SimNode& node) const;
  void change_rings();
  void told_of_ring(SimNode& node);
  void install(SimNode& node, const std::shared_ptr<SimRing>& ring);
  bool deliver_message(bool any);
  bool deliver_effect(SimNode& node);
  void step(SimNode& node, Input input);
  void trace(const SimNode& node, const Input& input) const;
  void trace(const SimNode& node, const LocalEffect& effect) const;

  // sim_clients.cpp: what clients do and believe
  void client_action(SimNode& node);
  void submit(SimNode& node, const FileKey& key, coherence::Body body);
  void start_open(SimNode& node);
  void believe(SimNode& node, const FileKey& key, const coherence::Outcome& outcome,
               const SimRequest& request);
  void forget(SimNode& node, OpenId open);
  void on_effect(SimNode& node, LocalEffect& effect);
  static void learn(SimNode& node, const FileKey& key, const coherence::Restrictions& what);
  void duties(SimNode& node, bool all);
  [[nodiscard]] bool may_serve(const SimNode& node) const {
    return node.up && !node.fenced && node.machine->serving() && node.lease_until > now_;
  }

  // sim_kept.cpp
  void kept_action(SimNode& node);
  void kept_steps(std::size_t step_count);
  void settle();
  void check_kept(const std::map<OpenId, FileKey>& waiting);

  // sim_checks.cpp
  void check();
  void check_pair(const SimNode& a, const SimOpen& x, const SimNode& b, const SimOpen& y);
  [[nodiscard]] bool revoked_by_owner(const SimNode& node, const SimOpen& open) const;
  void check_settled();
  void wrong(std::string what);

  Random random_;
  MonoTime now_{1'000'000'000};
  std::uint64_t next_event_ = 1;
  std::map<std::pair<MonoTime, std::uint64_t>, std::function<void()>> events_;
  std::vector<SimNode> nodes_;
  struct Sent {
    MemberId from;
    MemberId to;
    PeerMessage message;
  };
  std::map<std::pair<NodeId, NodeId>, std::deque<Sent>> links_;
  std::set<NodeId> clean_;  ///< ended in a way that the group saw
  std::uint64_t fresh_ = 1000;
  std::uint64_t next_open_ = 1;
  std::uint64_t next_request_ = 1;
  /// By the view's members: two views that nobody could install both may have one epoch.
  std::map<std::pair<std::set<MemberId>, FileKey>, MemberId> deciders_;
  std::vector<std::string> wrong_;
};

}  // namespace flotilla::pool::testing
