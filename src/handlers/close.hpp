// Ending an open, whoever ends it: CLOSE, TREE_DISCONNECT, LOGOFF, or the connection's loss.
#pragma once

#include <memory>

#include "handlers/server.hpp"
#include "runtime/task.hpp"
#include "session/session.hpp"

namespace flotilla::handlers {

/// Takes the open out of its session at once, then tells the engine, and removes the file where
/// this was the last close of a delete-pending one.
/// Spec    [MS-SMB2] 3.3.4.17 Server Application Requests Closing an Open; [MS-FSA] 2.1.5.5
/// Output  why a file that was to go with this close is still there; the open is closed all the
///         same
/// Calls   the session's executor; a second call for the same open does nothing
runtime::Task<NtStatus> close_open(Server& server, runtime::Executor& executor,
                                   std::shared_ptr<session::Session> session,
                                   std::shared_ptr<session::Open> open);

/// The session of the open goes, or its connection has: a durable open is kept for its client,
/// every other one is closed.
/// Spec    [MS-SMB2] 3.3.7.1 Handling Loss of a Connection
runtime::Task<void> end_open(Server& server, runtime::Executor& executor,
                             std::shared_ptr<session::Session> session,
                             std::shared_ptr<session::Open> open);

/// Releases what hangs on an open that is in no session (any more).
void release_open(Server& server, session::Open& open);

/// Takes it out of its session and releases what hangs on it, without a word to the engine: the
/// engine has revoked it.
void drop_open(Server& server, session::Session& session,
               const std::shared_ptr<session::Open>& open);

/// On whose wish a file goes; zero: nobody's that has a lease on its directory.
struct Deleter {
  ClientGuid client;
  LeaseKey parent_key;
  bool on_close = false;  ///< said with the CREATE: others may learn of it only now
};

/// Ends the engine's grant of an open that never reached its session (a CREATE that failed after
/// it), deleting the file where that was the last close of a delete-pending one.
/// Output  as close_open
runtime::Task<NtStatus> give_back(Server& server, runtime::Executor& executor, const Share& share,
                                  ports::Credentials who, FileKey key, OpenId open, bool directory,
                                  Deleter deleter = {}, bool keeps_name = false);
/// The rest of it, once the engine has closed the open: `outcome` says whether its name goes.
runtime::Task<NtStatus> finish_close(Server& server, runtime::Executor& executor,
                                     const Share& share, ports::Credentials who, FileKey key,
                                     OpenId open, bool directory, coherence::Outcome outcome,
                                     Deleter deleter = {});

}  // namespace flotilla::handlers
