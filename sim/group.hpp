// What corosync does, as far as it matters: rings form and break, all members of a ring agree about
// the view, and a node is told so late or not at all while it hangs. The rules of
// pool/corosync's adapter for extending a node's serve lease are here too.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "pool/membership.hpp"
#include "pool/timing.hpp"
#include "pool/view_agreement.hpp"
#include "sim/node.hpp"
#include "sim/random.hpp"
#include "sim/report.hpp"

namespace flotilla::sim {

class Group {
 public:
  Group(Schedule& schedule, Random& random, Report& report, const Nodes& nodes);

  /// The membership of a node's new life; it joins when the engine starts it.
  [[nodiscard]] pool::Membership& boot(NodeId node);
  /// `clean`: the process ended and the group saw it, with all its I/O; else the host is gone.
  void crashed(NodeId node, bool clean);
  /// Some node has begun to hang, or stopped hanging, or the network has changed: rings follow
  /// after at least `after`.
  void look_again(std::chrono::milliseconds within, std::chrono::milliseconds after = {});
  /// The node's own corosync dies and comes back: fenced at once, a new life later.
  void lose(NodeId node);
  /// What the adapter does every alive_interval.
  void prove_alive(NodeId node);
  [[nodiscard]] std::uint32_t quorum() const noexcept {
    return static_cast<std::uint32_t>(nodes_.size() / 2 + 1);
  }

 private:
  struct Ring {
    std::vector<NodeId> members;
    std::map<NodeId, pool::Hello> hellos;
    std::optional<pool::View> view;
    std::set<NodeId> installed;
  };
  /// A node as its corosync and its adapter see it.
  /// `ring`       as corosync knows it; `told`: as the node was last told
  /// `unclean`    nodes that it saw lost, and when
  class Port final : public pool::Membership {
   public:
    Port(Group& group, NodeId node) : group_(group), node_(node) {}
    void start(pool::MembershipEvents& events, pool::NodeFacts self) override;
    void stop() override { events_ = nullptr; }
    void publish(const std::string& key, ByteView value) override;
    [[nodiscard]] NodeId self() const noexcept override { return node_; }

   private:
    friend class Group;
    Group& group_;
    NodeId node_;
    pool::MembershipEvents* events_ = nullptr;
    std::optional<pool::ViewAgreement> agreement_;
    std::shared_ptr<Ring> ring_;
    std::shared_ptr<Ring> told_;
    std::shared_ptr<Ring> missed_;  ///< its view is to be installed first, when the node runs again
    std::vector<NodeId> known_;
    std::map<NodeId, MonoTime> unclean_;
    std::uint64_t change_ = 0;  ///< a newer ring makes what an older one planned void
    bool fenced_ = true;
    bool changing_ = false;
    bool away_ = false;  ///< its corosync is down
    MonoTime proven_at_;
  };

  void in(Port& port, std::chrono::nanoseconds delay, void (Group::*what)(Port&));
  void change_rings();
  void told_of_ring(Port& port);
  void install_told(Port& port);
  void install(Port& port, const std::shared_ptr<Ring>& ring);
  [[nodiscard]] bool heard(const Port& port) const;
  [[nodiscard]] const Node& node_of(const Port& port) const {
    return *nodes_[port.node_.raw() - 1];
  }

  Schedule& schedule_;
  Random& random_;
  Report& report_;
  const Nodes& nodes_;
  const pool::Timing timing_;
  std::map<NodeId, std::unique_ptr<Port>> ports_;
  std::set<NodeId> clean_;
  std::uint64_t fresh_ = 1000;
};

}  // namespace flotilla::sim
