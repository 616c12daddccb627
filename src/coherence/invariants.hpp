// DESIGN.md section 3's invariants as far as one file's state shows them. For tests, the fuzzer and
// the simulator; costs the square of the opens.
#pragma once

#include <string>
#include <vector>

#include "coherence/state.hpp"

namespace flotilla::coherence {

/// Sentences about what is wrong, with the ids concerned; empty where all is well. Checked: share
/// modes, caching rights, byte-range locks, deletion, that every reference leads somewhere, and
/// that whoever waits waits for something.
[[nodiscard]] std::vector<std::string> broken_invariants(const FileState& file);

}  // namespace flotilla::coherence
