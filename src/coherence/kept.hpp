// Opens that outlive their client: detached, reclaimed, restored; and what must be kept safe of
// them. docs/coherence.md, "Durable opens".
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

[[nodiscard]] inline bool is_detached(const OpenState& open) noexcept {
  return open.node.raw() == 0;
}

/// Whether the open stays when its client is lost: resilient, persistent; or durable while the
/// batch oplock, or the lease's H, is held and is not being broken.
/// Spec  [MS-SMB2] 3.3.7.1
[[nodiscard]] bool survives(const FileState& file, OpenId open);

/// A new open (in the file already) brings its Durability.
void take_in_durability(Turn& turn, OpenId open, const Durability& durability,
                        std::vector<LockSequence> sequences);
/// The open is about to be answered: Durable without H is not durable at all.
void decide_durability(FileState& file, OpenId open);
/// A lock or unlock of `open` has succeeded. Spec [MS-SMB2] 3.3.5.14.1, 3.3.5.14.2
void remember_sequence(FileState& file, OpenId open, LockSequence sequence);

/// Opens lose their client; those that nothing keeps are removed. `node_lives`: it may still hold
/// files for those that stay. Returns the last one that was removed; zero where all stay.
OpenId lose_client(Turn& turn, const std::vector<OpenId>& opens, bool node_lives);

[[nodiscard]] Outcome detach(Turn& turn, NodeId from, const Detach& asked);
[[nodiscard]] NtStatus update_kept(Turn& turn, NodeId from, const UpdateKept& asked);

/// Success with the answer in `turn.answers`, or the refusal.
[[nodiscard]] NtStatus reclaim(Turn& turn, NodeId from, RequestId request, const Reclaim& asked);
[[nodiscard]] Outcome reclaimed_now(Turn& turn, NodeId holder, OpenId open);

/// The node has lost an open without having closed it: all Opened wait until its I/O has ended.
void fence(Turn& turn, NodeId node);
/// Another node closes the open: the one that has it, or holds it for its client, is told.
void tell_holder(Turn& turn, NodeId from, OpenId open);
/// Ends an open whose client did not ask for it: its node is told, and fenced.
void end_open(Turn& turn, OpenId open, RevokeReason reason);
/// Ends a detached open that somebody is in the way of. False where its name must go with it, which
/// needs somebody to do it: then it is due at the next Tick.
bool end_detached(Turn& turn, OpenId open);
/// Detached durable opens whose H has gone since, end. True where one did.
bool end_forsaken(Turn& turn);
/// Detached opens whose time is over. Returns the last one; zero for none.
OpenId expire_detached(Turn& turn);
/// Whether a persistent open waits for its client: nobody else gets in meanwhile.
/// Spec  [MS-SMB2] 3.3.5.9
[[nodiscard]] bool awaits_persistent(const FileState& file);

[[nodiscard]] KeptOpen kept_open(const FileState& file, OpenId open);
/// The opens that would survive now. `version` is left zero.
[[nodiscard]] KeptFile kept_file(const FileKey& key, const FileState& file);

}  // namespace flotilla::coherence
