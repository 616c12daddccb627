// How members that have heard the same hellos come to the same view. Pure; the corosync adapter,
// the fake membership and the simulator share it. Must not know how hellos travel.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "pool/membership.hpp"

namespace flotilla::pool {

/// What each member multicasts when the membership changes.
/// `members`            the membership that it answers, ascending: an answer to another is ignored
/// `process`            tells two lives of one node id apart while both are in the group
/// `incarnation`        of the state it has; `fresh_incarnation` the one it takes if it has to drop
///                      that state
/// `last_view`          digest of the last view that it installed; 0: none that counts
/// `epoch_floor`        where epochs start when nobody comes from a quorate view: from the wall
///                      clock, so that a pool that was lost as a whole does not repeat its own
/// `unclean`            nodes that it saw lost within the last second or so, not ended
/// `votes`, `quorum`    of votequorum: its own votes, and how many a quorum needs
struct Hello {
  NodeId node;
  std::uint32_t process = 0;
  std::vector<NodeId> members;
  std::uint64_t incarnation = 0;
  std::uint64_t fresh_incarnation = 0;
  std::uint64_t last_view = 0;
  Epoch last_epoch;
  bool last_quorate = false;
  Epoch recovered_epoch;
  Epoch epoch_floor;
  std::uint32_t votes = 1;
  std::uint32_t quorum = 1;
  NodeFacts facts;
  std::vector<NodeId> unclean;
  std::vector<PastView> history;
  friend bool operator==(const Hello&, const Hello&) = default;
};

void encode(const Hello& hello, Bytes& out);
[[nodiscard]] std::optional<Hello> decode_hello(ByteReader& in);

/// The view that these hellos make: the same for everybody who gives the same hellos.
/// Who comes from the quorate view of the latest epoch keeps its incarnation, if those who do are a
/// quorum by themselves (else a later view may have been and be forgotten); everybody else takes
/// its fresh one, and with it loses all state.
/// Input   one hello per member, at least one
[[nodiscard]] View agree(const std::vector<Hello>& hellos);

/// One member's side: what it says, and what it remembers of the views that it installed.
class ViewAgreement {
 public:
  ViewAgreement(NodeId self, std::uint64_t first_incarnation, NodeFacts facts)
      : self_(self), incarnation_(first_incarnation), facts_(std::move(facts)) {}

  /// `fresh` differs from every incarnation that this node ever had.
  [[nodiscard]] Hello hello(std::vector<NodeId> members, Epoch recovered,
                            std::uint64_t fresh) const;
  void installed(const View& view);
  /// All state is gone; the next view is joined as a new incarnation.
  void lost() { last_quorate_ = false; }

 private:
  NodeId self_;
  std::uint64_t incarnation_;
  NodeFacts facts_;
  std::uint64_t last_view_ = 0;
  Epoch last_epoch_;
  bool last_quorate_ = false;
  std::vector<PastView> history_;  ///< quorate, ascending, without facts
};

}  // namespace flotilla::pool
