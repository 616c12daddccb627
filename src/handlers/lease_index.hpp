// LeaseIndex: which file a client's lease key belongs to, over all shards of this node. The file's
// state itself is the engine's; this only finds it. Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/ids.hpp"
#include "coherence/command.hpp"

namespace flotilla::handlers {

class OpenLink;

class LeaseIndex {
 public:
  struct Place {
    FileKey file;
    OpenId open;  ///< one of the lease's
  };
  /// Spec    [MS-SMB2] 3.3.5.9.8 Handling the SMB2_CREATE_REQUEST_LEASE Create Context
  /// Output  false: the client uses this key for another file already: InvalidParameter
  [[nodiscard]] bool claim(const ClientGuid& client, const LeaseKey& key, const FileKey& file,
                           OpenId open, const std::shared_ptr<OpenLink>& link);
  /// The client names another file by the key as well, and cannot know: nobody caches by it until
  /// the lease's last open goes.
  /// Output  the file that has it; nothing: it has been said before, or nobody has it any more
  std::optional<FileKey> spoil(const ClientGuid& client, const LeaseKey& key);
  [[nodiscard]] bool is_spoiled(const ClientGuid& client, const LeaseKey& key) const;
  void release(const ClientGuid& client, const LeaseKey& key, OpenId open);
  [[nodiscard]] std::optional<Place> find(const ClientGuid& client, const LeaseKey& key) const;
  /// A link of the lease whose client can be asked; null where all of its opens are detached.
  [[nodiscard]] std::shared_ptr<OpenLink> attached_link(const ClientGuid& client,
                                                        const LeaseKey& key) const;
  /// A break that is told through `what.open`: CREATEs under way for the lease take it in.
  void tell_early(const ClientGuid& client, const coherence::Break& what) const;
  /// The lease's break was not acknowledged in time and its opens are fenced: an acknowledgment
  /// that comes yet is Unsuccessful (no break is in progress), as if the lease were still there.
  void timed_out(const ClientGuid& client, const LeaseKey& key);
  [[nodiscard]] bool has_timed_out(const ClientGuid& client, const LeaseKey& key) const;

 private:
  using Name = std::pair<ClientGuid, LeaseKey>;
  struct Lease {
    FileKey file;
    std::map<OpenId, std::weak_ptr<OpenLink>> opens;
    bool spoiled = false;
  };
  static constexpr std::size_t kTimedOutKept = 256;
  mutable std::mutex mutex_;
  std::map<Name, Lease> leases_;
  std::deque<Name> timed_out_;  ///< the latest ones
};

}  // namespace flotilla::handlers
