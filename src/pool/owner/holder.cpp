#include "pool/owner/holder.hpp"

#include <algorithm>
#include <utility>

namespace flotilla::pool {

using coherence::CacheKind;
using coherence::Outcome;

namespace {
HeldOpen* open_in(HeldFile& file, OpenId open) {
  const auto at = file.opens.find(open);
  return at == file.opens.end() ? nullptr : &at->second;
}

void remember(HeldOpen& open, coherence::LockSequence sequence) {
  if (sequence.index == 0) return;
  const auto at = std::lower_bound(open.sequences.begin(), open.sequences.end(),
                                   coherence::LockSequence{sequence.index, 0});
  if (at != open.sequences.end() && at->index == sequence.index) {
    at->number = sequence.number;
  } else {
    open.sequences.insert(at, sequence);
  }
}
}  // namespace

HeldCache* Holder::cache_of(HeldFile& file, OpenId open, const ClientGuid& client,
                            const LeaseKey& key) {
  for (HeldCache& cache : file.caches) {
    if (key.is_zero()
            ? cache.kind == CacheKind::Oplock && cache.open == open
            : cache.kind == CacheKind::Lease && cache.client == client && cache.key == key) {
      return &cache;
    }
  }
  return nullptr;
}

const HeldCache* Holder::cache_of(const HeldFile& file, const HeldOpen& open) {
  for (const HeldCache& cache : file.caches) {
    if (cache.kind != open.kind) continue;
    if (open.kind == CacheKind::Oplock && cache.open == open.command.open) return &cache;
    if (open.kind == CacheKind::Lease && cache.client == open.command.client &&
        cache.key == open.command.cache.key) {
      return &cache;
    }
  }
  return nullptr;
}

HeldCache* Holder::cache_of(const FileKey& key, const coherence::AcknowledgeBreak& ack) {
  const auto file = files_.find(key);
  return file == files_.end() ? nullptr : cache_of(file->second, ack.open, ack.client, ack.key);
}

Inflight Holder::begin(const FileKey& key, coherence::Body body) {
  Inflight command{key, std::move(body), false, std::nullopt, 0, false};
  const auto file = files_.find(key);
  if (file == files_.end()) return command;
  if (const auto* close = std::get_if<coherence::Close>(&command.body)) {
    if (HeldOpen* open = open_in(file->second, close->open)) open->closing = true;
  } else if (const auto* lock = std::get_if<coherence::Lock>(&command.body)) {
    HeldOpen* open = open_in(file->second, lock->open);
    if (open != nullptr) command.reclaimed = open->reclaimed;
    if (!lock->unlock || open == nullptr) return command;
    Outcome settled;
    for (const coherence::LockRange& range : lock->ranges) {
      // As the table does: of those with this range an exclusive one first.
      coherence::HeldLock same{lock->open, {range.offset, range.length_bytes, true}};
      if (open->locks.erase(same)) continue;
      same.range.exclusive = false;
      if (open->locks.erase(same)) continue;
      settled.status = NtStatus::RangeNotLocked;
      break;
    }
    command.settled = settled;
  } else if (const auto* ack = std::get_if<coherence::AcknowledgeBreak>(&command.body)) {
    HeldCache* cache = cache_of(file->second, ack->open, ack->client, ack->key);
    if (cache == nullptr || !cache->breaking_to || (ack->kept & ~*cache->breaking_to) != 0) {
      return command;
    }
    // While W is held nobody else writes.
    command.leaves_doubt =
        (cache->rights & coherence::kCacheWrite) == 0 && (ack->kept & coherence::kCacheRead) != 0;
    cache->rights = ack->kept;
    cache->breaking_to.reset();
    if (command.leaves_doubt) ++cache->acks;
    command.settled = Outcome{NtStatus::Success, coherence::BreakAcknowledged{ack->kept}};
  }
  return command;
}

void Holder::opened(const FileKey& key, const coherence::Open& command,
                    const coherence::Opened& answer) {
  HeldFile& file = files_[key];
  // The answer was made out before what the owner has told since.
  if (file.opens.empty() && !file.told) {
    file.path = answer.path.empty() ? command.path : answer.path;
    file.delete_pending = false;
  }
  HeldOpen& open = file.opens[command.open];
  open.command = command;
  open.kind = answer.kind;
  open.lease_version = answer.lease_version;
  if (answer.kind == CacheKind::None) return;
  const bool lease = answer.kind == CacheKind::Lease;
  HeldCache* cache =
      cache_of(file, command.open, command.client, lease ? command.cache.key : LeaseKey{});
  const bool is_new = cache == nullptr;
  if (is_new) {
    cache = &file.caches.emplace_back();
    cache->kind = answer.kind;
    cache->open = command.open;
    cache->client = command.client;
    if (lease) cache->key = command.cache.key;
  }
  if (answer.break_in_progress && !is_new && !cache->breaking_to) {
    // Made out while the lease was breaking, and the client has acknowledged since.
    cache->rights = static_cast<coherence::CacheRights>(cache->rights & answer.rights);
    return;
  }
  cache->rights = answer.rights;
  cache->epoch = answer.lease_epoch;
  // Of a lease that was told through an open which is closed by now.
  if (is_new && answer.break_in_progress) cache->breaking_to = answer.breaking_to;
}

void Holder::reclaimed(const FileKey& key, const coherence::Reclaimed& answer) {
  const coherence::KeptOpen& what = answer.what;
  HeldFile& file = files_[key];
  if (file.opens.empty() && !file.told) {
    file.path = what.open.path;
    file.delete_pending = answer.delete_pending;
  }
  file.detached.erase(what.open.open);
  HeldOpen& open = file.opens[what.open.open];
  open.command = what.open;
  open.kind = what.open.cache.kind;
  open.lease_version = what.open.cache.version;
  open.locks = {};
  for (const coherence::LockRange& range : what.locks) open.locks.insert({what.open.open, range});
  open.sequences = what.sequences;
  open.closing = false;
  open.reclaimed = ++reclaimed_count_;
  if (open.kind == CacheKind::None) return;
  const bool lease = open.kind == CacheKind::Lease;
  HeldCache* cache =
      cache_of(file, what.open.open, what.open.client, lease ? what.open.cache.key : LeaseKey{});
  if (cache == nullptr) {
    cache = &file.caches.emplace_back();
    cache->kind = open.kind;
    cache->open = what.open.open;
    cache->client = what.open.client;
    if (lease) cache->key = what.open.cache.key;
  }
  cache->rights = what.open.cache.rights;
  cache->epoch = what.lease_epoch;
  if (answer.owed.from == answer.owed.to) return;
  // The break that goes to the client with the answer, or of which it was told elsewhere.
  cache->rights = answer.owed.from;
  cache->breaking_to = answer.owed.to;
}

void Holder::acknowledged(const Inflight& command, const Outcome& outcome) {
  HeldCache* cache = cache_of(command.key, std::get<coherence::AcknowledgeBreak>(command.body));
  if (cache == nullptr) return;
  if (command.settled) {
    if (command.leaves_doubt && cache->acks > 0) --cache->acks;
    return;
  }
  // Asked before the answer that told this node of the lease.
  const auto* kept = std::get_if<coherence::BreakAcknowledged>(&outcome.answer);
  if (kept == nullptr || outcome.status != NtStatus::Success) return;
  cache->rights = static_cast<coherence::CacheRights>(cache->rights & kept->rights);
  if (cache->breaking_to && (cache->rights & ~*cache->breaking_to) == 0) cache->breaking_to.reset();
}

void Holder::end_without_owner(const Inflight& command, const Outcome& outcome) {
  end(command, outcome);
  const auto* ack = std::get_if<coherence::AcknowledgeBreak>(&command.body);
  HeldCache* cache = ack == nullptr ? nullptr : cache_of(command.key, *ack);
  if (cache != nullptr && command.leaves_doubt) cache->doubtful = true;
}

void Holder::end(const Inflight& command, const Outcome& outcome) {
  const bool success = outcome.status == NtStatus::Success;
  if (const auto* back = std::get_if<coherence::Reclaimed>(&outcome.answer)) {
    if (success) reclaimed(command.key, *back);
    return;
  }
  if (const auto* open = std::get_if<coherence::Open>(&command.body)) {
    const auto* answer = std::get_if<coherence::Opened>(&outcome.answer);
    if (success && answer != nullptr) opened(command.key, *open, *answer);
    return;
  }
  if (std::holds_alternative<coherence::AcknowledgeBreak>(command.body)) {
    return acknowledged(command, outcome);
  }
  const auto file = files_.find(command.key);
  if (file == files_.end()) return;
  if (const auto* close = std::get_if<coherence::Close>(&command.body)) {
    const auto* closed = std::get_if<coherence::Closed>(&outcome.answer);
    if (success && closed != nullptr && closed->unlink) {
      file->second.unlinking = close->open;
      file->second.path = closed->path;
    }
    file->second.detached.erase(close->open);
    forget(file, close->open);
  } else if (const auto* lock = std::get_if<coherence::Lock>(&command.body)) {
    HeldOpen* open = open_in(file->second, lock->open);
    if (!success || open == nullptr) return;
    if (lock->unlock) return remember(*open, lock->sequence);
    // The Reclaimed that came first has the lock.
    if (open->reclaimed != command.reclaimed) return;
    for (const coherence::LockRange& range : lock->ranges) open->locks.insert({lock->open, range});
    remember(*open, lock->sequence);
  } else if (const auto* detach = std::get_if<coherence::Detach>(&command.body)) {
    if (!success) return;
    if (std::holds_alternative<std::monostate>(outcome.answer)) {
      file->second.detached.insert(detach->open);
    }
    forget(file, detach->open);
  } else if (const auto* update = std::get_if<coherence::UpdateKept>(&command.body)) {
    HeldOpen* open = open_in(file->second, update->open);
    if (success && open != nullptr) open->command.durability = update->durability;
  } else if (const auto* unlinked = std::get_if<coherence::Unlinked>(&command.body)) {
    if (file->second.unlinking == unlinked->open) file->second.unlinking = OpenId{};
    forget_if_empty(file);
  }
}

void Holder::on_break(const FileKey& key, const coherence::Break& what) {
  const auto file = files_.find(key);
  if (file == files_.end()) return;
  const HeldOpen* open = open_in(file->second, what.open);
  if (open == nullptr) return;
  HeldCache* cache = cache_of(file->second, what.open, open->command.client, what.key);
  if (cache == nullptr) return;
  cache->epoch = what.new_epoch;
  cache->doubtful = false;
  if (what.elsewhere) cache->rights = what.from;
  if (what.ack_required) {
    cache->breaking_to = what.to;
  } else {
    cache->rights = what.to;
    cache->breaking_to.reset();
  }
}

void Holder::on_revoked(const FileKey& key, OpenId open) {
  const auto file = files_.find(key);
  if (file == files_.end()) return;
  file->second.detached.erase(open);
  forget(file, open);
}

void Holder::on_fact(const FactMessage& fact, bool expected) {
  auto file = files_.find(fact.key);
  if (file == files_.end()) {
    if (!expected) return;
    file = files_.try_emplace(fact.key).first;
  }
  if (expected) file->second.told = true;
  file->second.delete_pending = fact.delete_pending;
  file->second.path = fact.path;
}

void Holder::settle(const FileKey& key) {
  const auto file = files_.find(key);
  if (file == files_.end()) return;
  file->second.told = false;
  forget_if_empty(file);
}

std::set<OpenId> Holder::take_detached(const FileKey& key) {
  const auto file = files_.find(key);
  if (file == files_.end()) return {};
  std::set<OpenId> all = std::exchange(file->second.detached, {});
  forget_if_empty(file);
  return all;
}

std::vector<AssertMessage> Holder::assertions(const FileKey& key) const {
  std::vector<AssertMessage> all;
  const auto at = files_.find(key);
  if (at == files_.end()) return all;
  const HeldFile& file = at->second;
  if (file.unlinking != OpenId{}) {
    AssertMessage message{key, {}, true};
    message.open.open.open = file.unlinking;
    message.open.open.path = file.path;
    message.open.open.share =
        coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
    message.open.delete_pending = true;
    all.push_back(std::move(message));
  }
  for (const auto& [id, open] : file.opens) {
    AssertMessage message{key, {}, false};
    coherence::AssertOpen& said = message.open;
    said.open = open.command;
    said.open.path = file.path;
    said.open.overwrites = false;
    said.open.created = false;
    said.delete_pending = file.delete_pending;
    const HeldCache* cache = cache_of(file, open);
    if (open.closing || cache == nullptr) {
      said.open.cache = {};
    } else {
      said.open.cache.kind = open.kind;
      if (open.lease_version != 0) said.open.cache.version = open.lease_version;
      said.held = cache->rights;
      said.lease_epoch = cache->epoch;
      said.breaking = cache->breaking_to || cache->acks > 0 || cache->doubtful;
      said.breaking_to = cache->breaking_to.value_or(cache->rights);
    }
    if (open.closing) {
      said.open.access = 0;
      said.open.share = coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
    } else {
      for (const coherence::HeldLock& held : open.locks) said.locks.push_back(held.range);
      said.sequences = open.sequences;
      // Where one open has shared and exclusive locks on a byte, the exclusive ones were first.
      std::stable_partition(said.locks.begin(), said.locks.end(),
                            [](const coherence::LockRange& range) { return range.exclusive; });
    }
    all.push_back(std::move(message));
  }
  return all;
}

bool Holder::told(const FileKey& key) const {
  const auto file = files_.find(key);
  return file != files_.end() && file->second.told;
}

bool Holder::holds(const FileKey& key, OpenId open) const {
  const auto file = files_.find(key);
  return file != files_.end() && file->second.opens.contains(open);
}

std::size_t Holder::open_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [key, file] : files_) count += file.opens.size();
  return count;
}

void Holder::forget(std::map<FileKey, HeldFile>::iterator at, OpenId open) {
  HeldFile& file = at->second;
  file.opens.erase(open);
  // A lease goes with its last open, an oplock with its only one.
  std::erase_if(file.caches, [&](const HeldCache& cache) {
    return std::none_of(file.opens.begin(), file.opens.end(), [&](const auto& entry) {
      const HeldOpen& other = entry.second;
      if (other.kind != cache.kind) return false;
      return cache.kind == CacheKind::Oplock
                 ? other.command.open == cache.open
                 : other.command.client == cache.client && other.command.cache.key == cache.key;
    });
  });
  forget_if_empty(at);
}

void Holder::forget_if_empty(std::map<FileKey, HeldFile>::iterator file) {
  const HeldFile& what = file->second;
  if (what.opens.empty() && what.detached.empty() && !what.told && what.unlinking == OpenId{}) {
    files_.erase(file);
  }
}

}  // namespace flotilla::pool
