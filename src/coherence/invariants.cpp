#include "coherence/invariants.hpp"

#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/kept.hpp"
#include "coherence/locks.hpp"
#include "coherence/share.hpp"
#include "coherence/turn.hpp"

namespace flotilla::coherence {
namespace {

std::string name(OpenId open) { return "open " + std::to_string(open.raw()); }

void check_shares(const FileState& file, std::vector<std::string>& wrong) {
  ShareCounts counts;
  for (const auto& [open, state] : file.opens) count_share(counts, state.access, state.share, 1);
  if (counts != file.shares) wrong.emplace_back("share modes are counted wrongly");
  FileState counted;
  for (const auto& [open, state] : file.opens) count_acting(counted, state, 1);
  if (counted.acting != file.acting) wrong.emplace_back("acting opens are counted wrongly");
  for (auto a = file.opens.begin(); a != file.opens.end(); ++a) {
    for (auto b = std::next(a); b != file.opens.end(); ++b) {
      if (!share_conflict(a->second.access, a->second.share, b->second.access, b->second.share)) {
        continue;
      }
      wrong.push_back("share modes of " + name(a->first) + " and " + name(b->first) + " conflict");
    }
  }
}

void check_cache(const FileState& file, const CacheId& id, const Cache& cache,
                 std::vector<std::string>& wrong) {
  const std::string who = cache.opens.empty() ? "a cache without opens" : name(cache.opens[0]);
  const bool oplock = cache.kind == CacheKind::Oplock;
  if (cache.opens.empty() || (oplock && cache.opens.size() != 1)) {
    wrong.push_back(who + ": wrong number of opens in its cache");
  }
  if (!std::is_sorted(cache.opens.begin(), cache.opens.end())) {
    wrong.push_back(who + ": opens of the lease out of order");
  }
  if (cache.rights != valid_rights(cache.rights)) wrong.push_back(who + ": rights without R");
  if (oplock && (cache.rights == 0 || cache.rights == (kCacheRead | kCacheHandle))) {
    wrong.push_back(who + ": not the rights of an oplock");
  }
  if (cache.breaking && ((cache.offered & ~cache.rights) != 0 || cache.offered == cache.rights ||
                         (cache.required & ~cache.offered) != 0)) {
    wrong.push_back(who + ": a break that offers what is not held");
  }
  for (const OpenId open : cache.opens) {
    const auto it = file.opens.find(open);
    if (it == file.opens.end() || !it->second.cached || it->second.cache != id) {
      wrong.push_back(name(open) + ": its lease knows it, it does not know its lease");
    }
  }
}

void check_caches(const FileState& file, std::vector<std::string>& wrong) {
  for (const auto& [id, cache] : file.caches) {
    check_cache(file, id, cache, wrong);
    if ((cache.rights & kCacheWrite) == 0) continue;
    for (const auto& [other_id, other] : file.caches) {
      if (other_id != id && other.rights != 0) {
        wrong.push_back("write caching is held beside other caching by " + name(cache.opens[0]));
      }
    }
    for (const auto& [open, state] : file.opens) {
      if (state.cached && state.cache == id) continue;
      if ((state.access & kSharedAccess) != 0) {
        wrong.push_back("write caching of " + name(cache.opens[0]) + " beside " + name(open));
      }
    }
  }
  for (const auto& [open, state] : file.opens) {
    if (!state.cached) continue;
    const auto it = file.caches.find(state.cache);
    if (it == file.caches.end() ||
        !std::binary_search(it->second.opens.begin(), it->second.opens.end(), open)) {
      wrong.push_back(name(open) + ": its lease does not know it");
    }
  }
}

void check_locks(const FileState& file, std::vector<std::string>& wrong) {
  std::vector<HeldLock> of_opens;
  for (const auto& [id, open] : file.opens) {
    of_opens.insert(of_opens.end(), open.locks.begin(), open.locks.end());
    for (const HeldLock& held : open.locks) {
      if (held.open != id) wrong.push_back(name(id) + " has a lock of " + name(held.open));
    }
  }
  if (LockSet(std::move(of_opens)) != file.locks) {
    wrong.emplace_back("the file's locks are not those of its opens");
  }
  const std::vector<HeldLock> locks(file.locks.begin(), file.locks.end());
  for (std::size_t i = 0; i < locks.size(); ++i) {
    if (!file.opens.contains(locks[i].open)) {
      wrong.push_back(name(locks[i].open) + " is gone but its lock is held");
    }
    // A shared lock may be laid over an exclusive one of the same open, not the other way about.
    for (std::size_t k = i + 1; k < locks.size(); ++k) {
      if (lock_conflict(locks[i], locks[k].open, locks[k].range) &&
          lock_conflict(locks[k], locks[i].open, locks[i].range)) {
        wrong.push_back("locks of " + name(locks[i].open) + " and " + name(locks[k].open) +
                        " conflict");
      }
    }
  }
}

void check_waits(const FileState& file, std::vector<std::string>& wrong) {
  const bool breaking = std::any_of(file.caches.begin(), file.caches.end(),
                                    [](const auto& entry) { return entry.second.breaking; });
  for (const Waiter& waiter : file.waiters) {
    const std::string who = "request " + std::to_string(waiter.request.raw());
    if (const auto* const lock = std::get_if<Lock>(&waiter.what)) {
      const bool blocked = !lock->ranges.empty() && lock_refused(file, lock->open, lock->ranges[0]);
      if (!blocked) wrong.push_back(who + " waits for a lock that nobody holds");
      if (!file.opens.contains(lock->open)) wrong.push_back(who + " waits through no open");
    } else if (std::holds_alternative<Renamed>(waiter.what)) {
      if (file.renaming.raw() == 0) wrong.push_back(who + " waits for a rename that is none");
    } else if (!breaking && !file.unlinking) {
      wrong.push_back(who + " waits for a break that is not under way");
    }
  }
  for (const HeldReply& reply : file.held) {
    if (reply.missing.empty()) wrong.push_back("an answer is held back for nobody");
    if (reply.open.raw() == 0) continue;
    const auto it = file.opens.find(reply.open);
    if (it == file.opens.end() || it->second.answered != reply.reclaims) {
      wrong.push_back(name(reply.open) + " is held back but gone or answered");
    }
  }
  for (const auto& [open, state] : file.opens) {
    if (state.answered) continue;
    const auto count = std::count_if(file.held.begin(), file.held.end(),
                                     [&](const HeldReply& reply) { return reply.open == open; });
    if (count != 1) wrong.push_back(name(open) + " will never be answered, or more than once");
  }
}

void check_kept(const FileState& file, std::vector<std::string>& wrong) {
  for (const auto& [open, kept] : file.kept) {
    if (!file.opens.contains(open)) wrong.push_back(name(open) + " is gone but kept");
    if (!std::is_sorted(kept.sequences.begin(), kept.sequences.end())) {
      wrong.push_back(name(open) + ": lock sequences out of order");
    }
  }
  for (const auto& [open, state] : file.opens) {
    if (!is_detached(state)) continue;
    const auto kept = file.kept.find(open);
    if (kept == file.kept.end() || kept->second.durability.kind == DurableKind::None) {
      wrong.push_back(name(open) + " has no client and nothing keeps it");
    }
    if (!state.answered) wrong.push_back(name(open) + " is detached before it was answered");
    const bool waits =
        std::any_of(file.waiters.begin(), file.waiters.end(), [&, id = open](const Waiter& waiter) {
          const auto* const lock = std::get_if<Lock>(&waiter.what);
          return lock != nullptr && lock->open == id;
        });
    if (waits) wrong.push_back(name(open) + " is detached and waits for a lock");
  }
  for (const auto& [id, cache] : file.caches) {
    if (cache.untold && !cache.breaking) wrong.emplace_back("an untold break that is none");
  }
}

}  // namespace

std::vector<std::string> broken_invariants(const FileState& file) {
  std::vector<std::string> wrong;
  check_shares(file, wrong);
  check_caches(file, wrong);
  check_locks(file, wrong);
  check_waits(file, wrong);
  check_kept(file, wrong);
  if (file.unlinking && !file.opens.empty()) wrong.emplace_back("opened while it is unlinked");
  if (file.delete_pending && file.opens.empty() && !file.unlinking) {
    wrong.emplace_back("delete-pending with nobody to delete it");
  }
  return wrong;
}

}  // namespace flotilla::coherence
