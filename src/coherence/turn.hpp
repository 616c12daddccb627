// One command at work on one file: the state, the outbox, and what must be settled before the turn
// ends (restrictions to publish, waiters to look at again, answers to hold back or to send).
#pragma once

#include <optional>

#include "coherence/file_table.hpp"
#include "coherence/state.hpp"

namespace flotilla::coherence {

struct Turn {
  FileState& file;
  Outbox& out;
  const Limits& limits;
  MonoTime now;
  std::uint64_t& version_counter;  ///< of the table: a file that comes back never repeats a version
  bool locks_changed = false;
  bool cachers_changed = false;
  bool look_again = false;         ///< something went that waiters may have waited for
  std::vector<NodeId> fenced;      ///< nodes that lost an open by revocation
  std::vector<HeldReply> answers;  ///< made in this turn, `missing` not yet known

  /// Answers now, unless nobody wants to know.
  /// `opened`  of an Opened, zero else
  void reply(NodeId to, RequestId request, Outcome outcome, OpenId opened = {}) {
    if (request.raw() != 0) out.replies.push_back({to, request, std::move(outcome), opened});
  }
  /// Answers when every node with an open knows the restrictions of this turn.
  void reply_when_known(NodeId to, RequestId request, Outcome outcome) {
    answers.push_back({to, request, OpenId{}, std::move(outcome), {}, false});
  }
  /// Answers an open that is in the state now; what it holds is read when the answer leaves.
  void reply_opened(NodeId to, RequestId request, OpenId open) {
    answers.push_back({to, request, open, Outcome{}, {}, false});
  }
};

/// Whether a command may go on, must wait for a client, or is refused.
struct Verdict {
  bool waits = false;
  NtStatus status = NtStatus::Success;
};

// opens.cpp
/// Grants, refuses or delays an open. `again`: it has waited before. On a grant the answer is in
/// `turn.answers`; on a refusal the caller replies.
[[nodiscard]] Verdict try_open(Turn& turn, NodeId from, RequestId request, const Open& open,
                               bool again);
/// Takes an open out of the file with its locks, its part of a lease and what waits through it.
/// Returns false where it is unknown. Sets delete_pending where it was opened to delete on close.
bool remove_open(Turn& turn, OpenId open);
/// Ends what waits through the open, which stays.
void drop_waits(Turn& turn, OpenId open);
/// Looks at every waiter in order of arrival until none of them moves.
void resume_waiters(Turn& turn);

// restrictions.cpp
/// Before (`by` -1) and after (1) a change of what FileState::acting counts, and of an open.
void count_acting(FileState& file, const OpenState& open, int by);
[[nodiscard]] Restrictions restrictions_of(const FileState& file);
/// Publishes changed restrictions and sends or holds the answers of the turn.
void settle(Turn& turn);
/// `node` confirms `version`: held answers that waited for nobody else leave.
void confirm(Turn& turn, NodeId node, std::uint64_t version);
/// `node` is gone and counts as having confirmed everything.
void confirm_gone(Turn& turn, NodeId node);

}  // namespace flotilla::coherence
