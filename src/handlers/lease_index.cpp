#include "handlers/lease_index.hpp"

#include <algorithm>
#include <utility>

#include "handlers/open_link.hpp"

namespace flotilla::handlers {

bool LeaseIndex::claim(const ClientGuid& client, const LeaseKey& key, const FileKey& file,
                       OpenId open, const std::shared_ptr<OpenLink>& link) {
  const std::scoped_lock lock(mutex_);
  const auto [found, fresh] = leases_.try_emplace({client, key}, Lease{file, {}, false});
  if (found->second.file != file) return false;
  found->second.opens[open] = link;
  std::erase(timed_out_, Name{client, key});
  return true;
}

std::optional<FileKey> LeaseIndex::spoil(const ClientGuid& client, const LeaseKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, key});
  if (found == leases_.end() || std::exchange(found->second.spoiled, true)) return std::nullopt;
  return found->second.file;
}

bool LeaseIndex::is_spoiled(const ClientGuid& client, const LeaseKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, key});
  return found != leases_.end() && found->second.spoiled;
}

void LeaseIndex::release(const ClientGuid& client, const LeaseKey& key, OpenId open) {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, key});
  if (found == leases_.end()) return;
  found->second.opens.erase(open);
  if (found->second.opens.empty()) leases_.erase(found);
}

std::optional<LeaseIndex::Place> LeaseIndex::find(const ClientGuid& client,
                                                  const LeaseKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, key});
  if (found == leases_.end()) return std::nullopt;
  return Place{found->second.file, found->second.opens.begin()->first};
}

std::shared_ptr<OpenLink> LeaseIndex::attached_link(const ClientGuid& client,
                                                    const LeaseKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, key});
  if (found == leases_.end()) return nullptr;
  for (const auto& [open, weak] : found->second.opens) {
    const std::shared_ptr<OpenLink> link = weak.lock();
    if (link && link->attached()) return link;
  }
  return nullptr;
}

void LeaseIndex::tell_early(const ClientGuid& client, const coherence::Break& what) const {
  const std::scoped_lock lock(mutex_);
  const auto found = leases_.find({client, what.key});
  if (found == leases_.end()) return;
  for (const auto& [open, weak] : found->second.opens) {
    if (open == what.open) continue;
    if (const std::shared_ptr<OpenLink> link = weak.lock()) link->hear_early(what);
  }
}

void LeaseIndex::timed_out(const ClientGuid& client, const LeaseKey& key) {
  const std::scoped_lock lock(mutex_);
  timed_out_.emplace_back(client, key);
  if (timed_out_.size() > kTimedOutKept) timed_out_.pop_front();
}

bool LeaseIndex::has_timed_out(const ClientGuid& client, const LeaseKey& key) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::find(timed_out_, Name{client, key}) != timed_out_.end();
}

}  // namespace flotilla::handlers
