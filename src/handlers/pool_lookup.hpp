// Coroutines around PoolQueries and PoolMarks: what several nodes know together. A node alone
// answers at once.
#pragma once

#include "handlers/pool_queries.hpp"
#include "handlers/request.hpp"

namespace flotilla::handlers {

/// What is open below the directory `path` of the share on any node: see OpenFiles::below.
runtime::Task<std::vector<FileKey>> opens_below(Server& server, runtime::Executor& executor,
                                                const Share* share, std::string path);
/// The other nodes' opens of a file learn its new name.
runtime::Task<void> tell_renamed(Server& server, runtime::Executor& executor, FileKey file,
                                 std::string path);
/// The other nodes' opens of a file show whether it is delete-pending.
runtime::Task<void> tell_delete_pending(Server& server, runtime::Executor& executor, FileKey file,
                                        bool pending);

/// This node has a session of `client` from now on, and the others know it.
runtime::Task<void> claim_client(Server& server, runtime::Executor& executor, ClientGuid client,
                                 SessionId session);
/// True where `client` has sessions on other nodes, and so leases there that this node's LeaseIndex
/// does not know. Mostly false, and cheap.
[[nodiscard]] bool client_elsewhere(Server& server, const ClientGuid& client);
/// The lease's places on other nodes: none or one for each.
runtime::Task<std::vector<LeasePlace>> lease_elsewhere(Server& server, runtime::Executor& executor,
                                                       ClientGuid client, LeaseKey key);

}  // namespace flotilla::handlers
