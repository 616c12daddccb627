// Placement: which member owns a file, and since when without a break. Pure; equal on every member
// because it reads nothing but the agreed views.
#pragma once

#include <deque>
#include <vector>

#include "pool/membership.hpp"

namespace flotilla::pool {

/// Rendezvous hashing: the member with the highest score for this file owns it, so that a change of
/// members moves only the files of those that left or to those that came.
/// Input   `members` not empty
[[nodiscard]] const Member& owner_among(const std::vector<Member>& members, const FileKey& key);

/// All members in the order of their score: the owner, then who would be it without the former.
[[nodiscard]] std::vector<const Member*> ranked(const std::vector<Member>& members,
                                                const FileKey& key);

/// The quorate views that this member has lived through or was told of.
class ViewLog {
 public:
  /// Takes the view and what its history adds. Views arrive in order of epoch.
  void install(const View& view);
  /// A new incarnation: what it lived through before does not count.
  void clear() { views_.clear(); }

  [[nodiscard]] bool empty() const noexcept { return views_.empty(); }
  [[nodiscard]] Epoch epoch() const noexcept {
    return views_.empty() ? Epoch{} : views_.back().epoch;
  }
  [[nodiscard]] const std::vector<Member>& members() const noexcept {
    return views_.back().members;
  }
  [[nodiscard]] const Member* find(NodeId node) const noexcept;

  /// The owner now. Input: not empty().
  [[nodiscard]] const Member& owner(const FileKey& key) const {
    return owner_among(views_.back().members, key);
  }
  /// True where the file's owner in the last view decided about it before and goes on: it owned
  /// the file in every view from the last in which it had recovered. Else the file's state is
  /// asserted anew to it.
  [[nodiscard]] bool continuous(const FileKey& key) const {
    return continuous_at(views_.size() - 1, key);
  }
  /// True where the node has been in with one life in every view since `epoch`.
  [[nodiscard]] bool stayed(NodeId node, Epoch epoch) const noexcept;
  /// True where what was said about the file in `epoch` still counts.
  [[nodiscard]] bool valid_since(const FileKey& key, Epoch epoch) const;

 private:
  [[nodiscard]] bool continuous_at(std::size_t index, const FileKey& key) const;
  std::deque<PastView> views_;  ///< ascending
};

}  // namespace flotilla::pool
