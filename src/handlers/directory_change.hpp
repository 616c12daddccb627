// Who caches a directory's entries hears of it when one of them changes: claiming the mark that
// says so pool-wide, and breaking leases of the parent. Nobody has such a lease: one atomic.
#pragma once

#include "handlers/file_call.hpp"
#include "handlers/pool_marks.hpp"

namespace flotilla::handlers {

/// False: no change of a directory's entries needs to be told to anybody.
[[nodiscard]] inline bool listings_cached(Server& server) noexcept {
  return server.marks().any(Mark::Kind::Listing);
}

/// What changed, and through whom.
/// `path`                  of the entry, as stored; "" (the share's root) has no parent to tell
/// `client`, `parent_key`  the changer's lease on the directory, which is not broken; zero: none
struct EntryChange {
  const Share* share = nullptr;
  std::string path;
  ports::Credentials who;
  ClientGuid client;
  LeaseKey parent_key;
};

/// An entry was made, removed, renamed, or shows other attributes, sizes or times: leases on its
/// directory are broken. Done when the breaks are on their way; nobody waits for acknowledgments.
/// Call it after the change and before its answer: who lists again must see it.
/// Spec    [MS-FSA] 2.1.4.12 with PARENT_OBJECT; [MS-SMB2] 3.3.4.7
runtime::Task<void> tell_parent(Server& server, runtime::Executor& executor, EntryChange change);
/// The same for an open whose file has changed. The parent's key is kept on the open.
runtime::Task<void> tell_parent_of(Request& request, std::shared_ptr<session::Open> open);
/// The same without a coroutine: by the daemon itself. Blocks.
void tell_parent_now(Server& server, const Share& share, std::string_view path);

/// The lease on its parent that an open named in its CREATE: [MS-SMB2] 2.2.13.2.10 ParentLeaseKey.
[[nodiscard]] LeaseKey parent_key_of(const coherence::CacheRequest& asked) noexcept;

/// Every node is to know that a client caches what is in the directory.
/// Output  false: no lease can be had on it now
runtime::Task<bool> claim_listing(Server& server, runtime::Executor& executor, FileKey directory,
                                  OpenId open);

}  // namespace flotilla::handlers
