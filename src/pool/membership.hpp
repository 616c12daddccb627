// Membership: who is in the pool, agreed by all of its members. corosync/ is the real one;
// FakeMembership serves tests and the simulator. Must not know of files.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace flotilla::pool {

/// One life of a node's state. A node that restarts, or that was out of the quorate pool for a
/// moment, comes back with another incarnation: it has nothing of its former self.
struct MemberId {
  NodeId node;
  std::uint64_t incarnation = 0;
  friend constexpr auto operator<=>(const MemberId&, const MemberId&) noexcept = default;
};

/// What a node says about itself when it joins: no address is configured anywhere else.
/// `peer`, `front`  "address:port" where other nodes reach its peer mesh and its client links
/// `ids`            what it makes SIDs of, as a short text: equal on nodes that agree
struct NodeFacts {
  std::string name;
  std::string peer;
  std::string front;
  std::string ids;
  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

/// `recovered_epoch`  the last view in which this member served all files that it owned then; 0
///                    for a new incarnation. Frozen before the view was agreed: all members know
///                    from it which files go on without being asserted anew.
struct Member {
  MemberId id;
  Epoch recovered_epoch;
  NodeFacts facts;
  friend bool operator==(const Member&, const Member&) = default;
};

/// `members`  ascending by node
struct PastView {
  Epoch epoch;
  std::vector<Member> members;
  friend bool operator==(const PastView&, const PastView&) = default;
};

/// A view as all of its members install it, equal on each.
/// `history`        quorate views before this one, ascending, back to the smallest recovered_epoch
/// `unclean_left`   nodes that may still do I/O for as long as their serve lease lasts: some member
///                  saw them lost, a short time ago, and not ended
struct View {
  Epoch epoch;
  std::vector<Member> members;
  bool quorate = false;
  std::vector<PastView> history;
  std::vector<NodeId> unclean_left;

  /// The member whose node holds the pool's address: the one that has been in for longest (the
  /// smallest incarnation), so that a node which comes back does not take it from clients that are
  /// being served; 0 where nobody may.
  [[nodiscard]] NodeId address_holder() const noexcept {
    if (!quorate) return NodeId{};
    const Member* oldest = nullptr;
    for (const Member& member : members) {
      if (oldest == nullptr || member.id.incarnation < oldest->id.incarnation) oldest = &member;
    }
    return oldest == nullptr ? NodeId{} : oldest->id.node;
  }
  [[nodiscard]] const Member* find(NodeId node) const noexcept {
    for (const Member& member : members) {
      if (member.id.node == node) return &member;
    }
    return nullptr;
  }
};

/// Called on the membership's own thread, in the order that is the same on every member.
class MembershipEvents {
 public:
  virtual ~MembershipEvents() = default;
  /// A change has begun. From here to on_view the answer must stay true: the epoch up to which
  /// this node has recovered. `quorate` false: fence local I/O before returning.
  [[nodiscard]] virtual Epoch on_change_begins(bool quorate) = 0;
  virtual void on_view(const View& view) = 0;
  /// This node has no view any more (corosync is gone, or quorum is). I/O is fenced on return.
  virtual void on_lost() = 0;
  /// At `boottime_ns` this node's membership service was alive and had no other view to tell.
  virtual void on_alive(std::int64_t boottime_ns) = 0;
  /// A pool-wide fact; also delivered on the node that published it.
  virtual void on_fact(NodeId from, const std::string& key, ByteView value) = 0;
};

class Membership {
 public:
  virtual ~Membership() = default;
  /// Joins. `events` outlives the membership or is stopped before it goes.
  virtual void start(MembershipEvents& events, NodeFacts self) = 0;
  virtual void stop() = 0;
  /// Multicasts a small fact (< 4 KiB) in the order of all; lost where this node has no view.
  virtual void publish(const std::string& key, ByteView value) = 0;
  [[nodiscard]] virtual NodeId self() const noexcept = 0;
};

}  // namespace flotilla::pool
