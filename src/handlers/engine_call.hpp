// Coroutines around Engine: submit, tell the client STATUS_PENDING where it takes long, cancel, and
// resume on the session's executor.
#pragma once

#include <memory>

#include "handlers/open_link.hpp"
#include "handlers/request.hpp"
#include "ports/engine.hpp"

namespace flotilla::handlers {

/// Opens `key`; sends the interim response where the open waits for a break.
/// Calls   the request's executor. After it look session, tree and channel up again.
runtime::Task<ports::OpenOutcome> engine_open(Request& request, FileKey key,
                                              coherence::Open command,
                                              std::shared_ptr<OpenLink> events);

/// Takes over an open that waits for its client.
runtime::Task<ports::OpenOutcome> engine_reclaim(Request& request, FileKey key,
                                                 coherence::Reclaim command,
                                                 std::shared_ptr<ports::OpenEvents> events);
/// Which opens of the whole pool can be named so.
runtime::Task<std::vector<coherence::KeptFound>> engine_find(Request& request,
                                                             coherence::KeptQuery query);

/// Any other command that may wait (Lock, BeginRename); CANCEL ends the wait.
runtime::Task<coherence::Outcome> engine_submit(Request& request, FileKey key,
                                                coherence::Body body);

/// A command without a request behind it, or one that never waits for a client (Close, Modify).
runtime::Task<coherence::Outcome> engine_submit(Server& server, runtime::Executor& executor,
                                                FileKey key, coherence::Body body);

}  // namespace flotilla::handlers
