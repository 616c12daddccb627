// Names whose removal nobody is left to carry out: the last open of a delete-pending file died with
// its node, or was revoked.
#pragma once

namespace flotilla::handlers {

class Server;

/// From now on the engine's orphans are removed, on the blocking pool, as the owner of their share.
/// Once, before the first open; `server` outlives its engine's use.
void remove_orphans(Server& server);

}  // namespace flotilla::handlers
