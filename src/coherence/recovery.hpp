// Nodes that go, opens that are fenced, and a new owner's picture made of what holders assert.
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

/// Takes in one open as its holder knows it. The first of two that conflict stays; the second is
/// revoked (ViewLost): such a pair is a bug or a node that missed a view.
[[nodiscard]] Outcome assert_open(Turn& turn, NodeId from, const AssertOpen& asserted);

/// All holders have asserted: what was being broken when the former owner was lost goes.
void settle_doubts(Turn& turn);

/// Takes in what was kept: opens that wait for their clients.
[[nodiscard]] NtStatus restore(Turn& turn, const KeptFile& kept);

/// Drops all that `node` has here but the opens that survive it; returns what is to be done about a
/// delete-pending name.
[[nodiscard]] Closed node_gone(Turn& turn, NodeId node, NodeId told_by, bool answer_wanted);

/// Breaks past their deadline. While somebody waits, or written data may be held back, the holder's
/// opens are revoked; where only R or H was to go and nobody waits for it, the right just lapses.
/// Returns what is to be done about a delete-pending name, as node_gone does.
[[nodiscard]] Closed expire_breaks(Turn& turn, NodeId told_by, bool answer_wanted);

}  // namespace flotilla::coherence
