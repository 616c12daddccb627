// Delete-pending and rename: a name goes only when nobody may still be using it.
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

/// Breaks the handle caching of others first, then marks the file (or takes the mark back).
/// Spec  [MS-FSA] 2.1.5.14.3 FileDispositionInformation
[[nodiscard]] Verdict try_delete(Turn& turn, NodeId from, RequestId request,
                                 const SetDeletePending& asked);
/// Spec  [MS-FSA] 2.1.5.14.11 FileRenameInformation
[[nodiscard]] Verdict try_rename(Turn& turn, NodeId from, RequestId request,
                                 const BeginRename& asked);

/// Takes FILE_DELETE_ON_CLOSE from an open. An unknown one is nothing.
void keep_name(Turn& turn, OpenId open);
/// One changes the name at a time: a Renamed that begins waits for the one before it to end.
[[nodiscard]] Verdict take_name(Turn& turn, NodeId from, RequestId request, const Renamed& told);
/// Who changes the name, through whatever open (zero) or this one, does so no more: both names
/// stay.
void end_rename(Turn& turn, NodeId node, OpenId open);

/// After opens went: where the last one of a delete-pending file did, `node` is to remove the name
/// and the answer says so. `open` is the last one.
[[nodiscard]] Closed after_close(Turn& turn, NodeId node, OpenId open);
void unlinked(Turn& turn, const Unlinked& told);

/// SharingViolation where somebody has the directory open for DELETE, or without sharing writes: a
/// rename opens its target's directory to add a name, and shares reads and writes.
[[nodiscard]] NtStatus may_take_names(const FileState& directory);

}  // namespace flotilla::coherence
