// LeaseIndex: which file a client's lease key belongs to, over all shards of this node. The file's
// state itself is the engine's; this only finds it. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/ids.hpp"

namespace flotilla::handlers {

class LeaseIndex {
 public:
  struct Place {
    FileKey file;
    OpenId open;  ///< one of the lease's
  };
  /// Spec    [MS-SMB2] 3.3.5.9.8 Handling the SMB2_CREATE_REQUEST_LEASE Create Context
  /// Output  false: the client uses this key for another file already: InvalidParameter
  [[nodiscard]] bool claim(const ClientGuid& client, const LeaseKey& key, const FileKey& file,
                           OpenId open);
  void release(const ClientGuid& client, const LeaseKey& key, OpenId open);
  [[nodiscard]] std::optional<Place> find(const ClientGuid& client, const LeaseKey& key) const;

 private:
  struct Lease {
    FileKey file;
    std::set<OpenId> opens;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<ClientGuid, LeaseKey>, Lease> leases_;
};

}  // namespace flotilla::handlers
