// The times that keep two sides of a split from serving the same file. docs/pool.md derives them.
#pragma once

#include <chrono>

namespace flotilla::pool {

/// `alive_interval`  how often membership proves that it is alive and extends the serve lease
/// `serve_lease`     how long such a proof lets this node's clients do I/O
/// `pause_suspected`  longer than this between two proofs, this node may have hung while the others
///                  went on: only a message that the group has ordered proves that it is still in
/// `grant_margin`    how long after a view change that lost a node its rights are still honoured:
///                   serve_lease and what two sides may differ in learning of a split
struct Timing {
  std::chrono::milliseconds alive_interval{50};
  std::chrono::milliseconds serve_lease{400};
  std::chrono::milliseconds pause_suspected{100};
  std::chrono::milliseconds grant_margin{700};
};

}  // namespace flotilla::pool
