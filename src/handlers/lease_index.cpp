#include "handlers/lease_index.hpp"

namespace flotilla::handlers {

bool LeaseIndex::claim(const ClientGuid& client, const LeaseKey& key, const FileKey& file,
                       OpenId open) {
  const std::scoped_lock lock(mutex_);
  const auto [found, fresh] = leases_.try_emplace({client, key}, Lease{file, {}});
  if (found->second.file != file) return false;
  found->second.opens.insert(open);
  return true;
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
  return Place{found->second.file, *found->second.opens.begin()};
}

}  // namespace flotilla::handlers
