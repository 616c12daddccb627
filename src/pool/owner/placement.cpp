#include "pool/owner/placement.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace flotilla::pool {

namespace {
/// Views kept for messages that were long under way; recovery itself needs what `history` brings.
constexpr std::size_t kViewsKept = 128;

std::uint64_t score_of(const Member& member, std::uint64_t file) {
  return mix64(file ^ mix64(member.id.node.raw() + 0x9E3779B97F4A7C15ULL));
}
}  // namespace

const Member& owner_among(const std::vector<Member>& members, const FileKey& key) {
  FLOTILLA_CHECK(!members.empty());
  const std::uint64_t file = hash_of(key);
  const Member* best = &members.front();
  std::uint64_t best_score = score_of(*best, file);
  for (const Member& member : members) {
    const std::uint64_t score = score_of(member, file);
    if (score > best_score) {
      best = &member;
      best_score = score;
    }
  }
  return *best;
}

std::vector<const Member*> ranked(const std::vector<Member>& members, const FileKey& key) {
  std::vector<const Member*> all;
  all.reserve(members.size());
  for (const Member& member : members) all.push_back(&member);
  const std::uint64_t file = hash_of(key);
  // Stable, as owner_among takes the first of equals.
  std::stable_sort(all.begin(), all.end(), [file](const Member* a, const Member* b) {
    return score_of(*a, file) > score_of(*b, file);
  });
  return all;
}

void ViewLog::install(const View& view) {
  // What this member knows itself comes first; history fills in what came before its time.
  std::deque<PastView> merged;
  for (const PastView& past : view.history) {
    if (views_.empty() || past.epoch < views_.front().epoch) merged.push_back(past);
  }
  for (PastView& past : views_) merged.push_back(std::move(past));
  views_ = std::move(merged);
  for (const PastView& past : view.history) {
    if (past.epoch > views_.back().epoch) views_.push_back(past);
  }
  views_.push_back(PastView{view.epoch, view.members});
  Epoch needed = view.epoch;
  for (const Member& member : view.members) {
    if (member.recovered_epoch != Epoch{}) needed = std::min(needed, member.recovered_epoch);
  }
  while (views_.size() > kViewsKept && views_.front().epoch < needed) views_.pop_front();
}

const Member* ViewLog::find(NodeId node) const noexcept {
  if (views_.empty()) return nullptr;
  for (const Member& member : views_.back().members) {
    if (member.id.node == node) return &member;
  }
  return nullptr;
}

bool ViewLog::continuous_at(std::size_t index, const FileKey& key) const {
  const Member& owner = owner_among(views_[index].members, key);
  if (owner.recovered_epoch == Epoch{}) return false;
  for (std::size_t at = index; at-- > 0;) {
    if (views_[at].epoch < owner.recovered_epoch) return true;
    if (owner_among(views_[at].members, key).id != owner.id) return false;
    if (views_[at].epoch == owner.recovered_epoch) return true;
  }
  return false;  // the view in which it recovered is not known: be safe
}

bool ViewLog::stayed(NodeId node, Epoch epoch) const noexcept {
  const Member* now = find(node);
  if (now == nullptr || epoch < views_.front().epoch) return false;
  return std::ranges::all_of(views_, [&](const PastView& view) {
    return view.epoch < epoch ||
           std::ranges::any_of(
               view.members, [&](const Member& member) { return member.id == now->id; });
  });
}

bool ViewLog::valid_since(const FileKey& key, Epoch epoch) const {
  if (views_.empty() || epoch > views_.back().epoch) return false;
  if (epoch == views_.back().epoch) return true;
  if (epoch < views_.front().epoch) return false;
  for (std::size_t at = views_.size(); at-- > 0 && views_[at].epoch > epoch;) {
    if (!continuous_at(at, key)) return false;
  }
  return true;
}

}  // namespace flotilla::pool
