// How many descriptors this process may have, and how many of them clients' opens may take.
#pragma once

#include <cstdint>

namespace flotilla::app {

/// Every open costs a descriptor: takes as many as the system lets this process have. Who may raise
/// the hard limit too takes what the kernel has as its own (fs.nr_open).
/// Returns  the limit from now on
std::uint64_t raise_descriptor_limit();

/// Opens that fit in `limit` descriptors, at most `opens_max`: an eighth of the limit (at most
/// `connections_max`) is for connections, 128 are the daemon's own. At least 1.
[[nodiscard]] std::uint32_t opens_within(std::uint64_t limit, std::uint32_t opens_max,
                                         std::uint32_t connections_max);

}  // namespace flotilla::app
