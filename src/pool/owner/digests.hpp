// Digests of what a node knows about files, by which `flotilla status` shows that a pool at rest
// agrees. Pure. Every sum is of one hash for each thing, modulo 2^64: no order, and parts may be
// added as the caller finds time for them.
#pragma once

#include <cstdint>
#include <span>

#include "coherence/file_table.hpp"
#include "pool/owner/holder.hpp"

namespace flotilla::pool {

/// `state`    all of it: what this node decides about, holds, and keeps for others. Zero where it
///            has nothing, and only then as good as certain
/// `decided`  the answered opens, with their locks, in files that this node decides about
/// `held`     the same of its own clients' opens
/// At rest the members' `decided` add up to the sum of their `held`: DESIGN.md's invariant 6.
struct StateDigests {
  std::uint64_t state = 0;
  std::uint64_t decided = 0;
  std::uint64_t held = 0;
  friend bool operator==(const StateDigests&, const StateDigests&) = default;
};

/// Adds the files `keys` of `table`.
void add_decided(StateDigests& digests, const coherence::FileTable& table,
                 std::span<const FileKey> keys);
void add_held(StateDigests& digests, const FileKey& key, const HeldFile& file, NodeId self);
void add_copy(StateDigests& digests, const FileKey& key, const coherence::KeptFile& copy);

}  // namespace flotilla::pool
