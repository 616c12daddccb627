#include "handlers/pool_marks.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"

namespace flotilla::handlers {

Mark client_mark(const ClientGuid& client) noexcept {
  return {Mark::Kind::Client,
          {load_le<std::uint64_t>(client.bytes.data()),
           load_le<std::uint64_t>(client.bytes.data() + 8), 0}};
}

void PoolMarks::set_relay(MarkRelay* relay) {
  relay_ = relay;
  unknown_ = relay != nullptr;
}

void PoolMarks::count(const Mark& mark, bool on) {
  std::atomic<std::size_t>& counter = counts_[index_of(mark.kind)];
  if (on) {
    ++counter;
  } else {
    --counter;
  }
}

void PoolMarks::forget(Peer& peer) {
  for (const auto& [mark, entry] : peer.marks) {
    if (entry.on) count(mark, false);
  }
  peer.marks.clear();
}

void PoolMarks::refresh_unknown() {
  unknown_ = relay_ != nullptr &&
             (life_ == 0 || skewed_ ||
              std::ranges::any_of(peers_, [](const auto& peer) { return !peer.second.synced; }));
}

MarkNote PoolMarks::retire(std::map<Mark, Own>::iterator at) {
  const MarkNote note{life_, ++seq_, at->first, false};
  count(at->first, false);
  own_.erase(at);
  return note;
}

void PoolMarks::claim(const Mark& mark, std::uint64_t holder, Done done) {
  if (relay_ != nullptr && mark.kind == Mark::Kind::Listing && !relay_->settled()) {
    return done(false);
  }
  std::vector<NodeId> to;
  MarkNote note;
  {
    const std::scoped_lock lock(mutex_);
    const auto [at, is_new] = own_.try_emplace(mark);
    Own& own = at->second;
    own.holders.insert(holder);
    if (!is_new && !own.known) {
      own.waiting.push_back(std::move(done));
      return;
    }
    if (is_new) {
      own.seq = ++seq_;
      own.missing = audience_.size();
      own.known = audience_.empty();
      count(mark, true);
      note = {life_, own.seq, mark, true};
      to.assign(audience_.begin(), audience_.end());
      if (!own.known) {
        own.waiting.push_back(std::move(done));
        done = nullptr;
      }
    }
  }
  if (to.empty()) return done(true);
  for (const NodeId node : to) {
    relay_->tell(node, note, [this, mark, seq = note.seq] { told(mark, seq); });
  }
}

void PoolMarks::told(const Mark& mark, std::uint64_t seq) {
  std::vector<Done> waiting;
  std::vector<NodeId> to;
  MarkNote off;
  {
    const std::scoped_lock lock(mutex_);
    const auto at = own_.find(mark);
    if (at == own_.end() || at->second.seq != seq || at->second.missing == 0) return;
    if (--at->second.missing > 0) return;
    at->second.known = true;
    waiting = std::move(at->second.waiting);
    if (at->second.holders.empty()) {
      off = retire(at);
      to.assign(audience_.begin(), audience_.end());
    }
  }
  for (const NodeId node : to) relay_->tell(node, off, [] {});
  for (Done& done : waiting) done(true);
}

void PoolMarks::release(const Mark& mark, std::uint64_t holder) {
  std::vector<NodeId> to;
  MarkNote off;
  {
    const std::scoped_lock lock(mutex_);
    const auto at = own_.find(mark);
    if (at == own_.end() || at->second.holders.erase(holder) == 0) return;
    // What is still being told is taken back when everybody has heard it: notes never overtake.
    if (!at->second.holders.empty() || !at->second.known) return;
    off = retire(at);
    to.assign(audience_.begin(), audience_.end());
  }
  for (const NodeId node : to) relay_->tell(node, off, [] {});
}

bool PoolMarks::marked(const Mark& mark) const {
  if (unknown_) return true;
  const std::scoped_lock lock(mutex_);
  if (own_.contains(mark)) return true;
  return std::ranges::any_of(peers_,
                             [&](const auto& peer) { return peer.second.marks.contains(mark); });
}

std::vector<NodeId> PoolMarks::elsewhere(const Mark& mark) const {
  std::vector<NodeId> nodes;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, peer] : peers_) {
    if (!peer.synced || skewed_ || peer.marks.contains(mark)) nodes.push_back(node);
  }
  return nodes;
}

std::vector<Mark> PoolMarks::own(Mark::Kind kind) const {
  std::vector<Mark> marks;
  const std::scoped_lock lock(mutex_);
  for (const auto& [mark, own] : own_) {
    if (mark.kind == kind) marks.push_back(mark);
  }
  return marks;
}

bool PoolMarks::on_members(std::uint64_t self_life, const std::vector<MarkPeer>& others) {
  std::vector<NodeId> ask;
  bool lost = false;
  {
    const std::scoped_lock lock(mutex_);
    const bool reborn = self_life != life_;
    life_ = self_life;
    skewed_ = false;
    for (auto at = peers_.begin(); at != peers_.end();) {
      const bool stays = std::ranges::any_of(others, [&](const MarkPeer& peer) {
        return peer.node == at->first && peer.life == at->second.life;
      });
      lost = lost || !stays;
      if (stays && !reborn) {
        ++at;
        continue;
      }
      forget(at->second);
      at = peers_.erase(at);
    }
    audience_.clear();
    for (const MarkPeer& other : others) {
      audience_.insert(other.node);
      const auto [at, is_new] = peers_.try_emplace(other.node);
      at->second.life = other.life;
      if (!at->second.synced) ask.push_back(other.node);
    }
    refresh_unknown();
    if (lost) ++losses_;
  }
  for (const NodeId node : ask) pull(node);
  return lost;
}

void PoolMarks::pull(NodeId from) {
  {
    const std::scoped_lock lock(mutex_);
    const auto at = peers_.find(from);
    if (at == peers_.end() || at->second.synced || std::exchange(at->second.pulling, true)) return;
  }
  relay_->pull(from, [this, from](std::optional<MarkList> list) { pulled(from, std::move(list)); });
}

void PoolMarks::pulled(NodeId from, std::optional<MarkList> list) {
  const std::scoped_lock lock(mutex_);
  const auto at = peers_.find(from);
  if (at == peers_.end()) return;
  Peer& peer = at->second;
  peer.pulling = false;
  // A node that has yet to install its view asks us when it does; then we ask it once more.
  if (!list || list->life != peer.life || peer.synced) return;
  for (auto entry = peer.marks.begin(); entry != peer.marks.end();) {
    const bool later = entry->second.seq > list->seq;
    if (later && entry->second.on) {
      ++entry;
      continue;
    }
    if (later) std::erase(list->marks, entry->first);
    if (entry->second.on) count(entry->first, false);
    entry = peer.marks.erase(entry);
  }
  for (const Mark& mark : list->marks) {
    if (peer.marks.try_emplace(mark, Entry{list->seq, true}).second) count(mark, true);
  }
  peer.synced = true;
  peer.synced_seq = list->seq;
  refresh_unknown();
}

void PoolMarks::receive(NodeId from, const MarkNote& note) {
  const std::scoped_lock lock(mutex_);
  const auto at = peers_.find(from);
  if (at == peers_.end() || at->second.life != note.life) {
    // It is ahead of us by a view, and relies on what it has just said.
    if (note.on) skewed_ = true;
    return refresh_unknown();
  }
  Peer& peer = at->second;
  if (peer.synced && note.seq <= peer.synced_seq) return;
  const auto known = peer.marks.find(note.mark);
  if (known != peer.marks.end() && known->second.seq > note.seq) return;
  const bool was_on = known != peer.marks.end() && known->second.on;
  if (was_on != note.on) count(note.mark, note.on);
  if (note.on || !peer.synced) {
    peer.marks[note.mark] = {note.seq, note.on};
  } else if (known != peer.marks.end()) {
    peer.marks.erase(known);
  }
}

MarkList PoolMarks::list_for(NodeId asker) {
  MarkList list;
  {
    const std::scoped_lock lock(mutex_);
    audience_.insert(asker);
    list.life = life_;
    list.seq = seq_;
    for (const auto& [mark, own] : own_) list.marks.push_back(mark);
  }
  pull(asker);
  return list;
}

}  // namespace flotilla::handlers
