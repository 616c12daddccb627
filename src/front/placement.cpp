#include "front/placement.hpp"

namespace flotilla::front {

NodeId SessionSpread::assign(const std::vector<Member>& members) {
  const std::scoped_lock lock(mutex_);
  // Among equals the first one after the last choice, in order of node id, wins.
  NodeId best;
  std::uint32_t best_count = 0;
  bool best_after_last = false;
  bool found = false;
  for (const Member& member : members) {
    const auto known = assigned_.find(member.node);
    const std::uint32_t count = known == assigned_.end() ? 0 : known->second;
    const bool after_last = member.node > last_;
    const bool better =
        !found || count < best_count ||
        (count == best_count && (after_last != best_after_last ? after_last : member.node < best));
    if (!better) continue;
    found = true;
    best = member.node;
    best_count = count;
    best_after_last = after_last;
  }
  if (!found) return NodeId{};
  ++assigned_[best];
  ++totals_[best];
  last_ = best;
  return best;
}

void SessionSpread::release(NodeId node) {
  const std::scoped_lock lock(mutex_);
  const auto known = assigned_.find(node);
  if (known == assigned_.end()) return;
  if (known->second > 1) {
    --known->second;
  } else {
    assigned_.erase(known);
  }
}

std::map<NodeId, std::uint32_t> SessionSpread::counts() const {
  const std::scoped_lock lock(mutex_);
  return assigned_;
}

std::map<NodeId, std::uint64_t> SessionSpread::totals() const {
  const std::scoped_lock lock(mutex_);
  return totals_;
}

}  // namespace flotilla::front
