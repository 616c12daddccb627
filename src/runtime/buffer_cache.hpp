// Reuse of message buffers within a thread, so that READ and WRITE allocate nothing in the steady
// state: the front takes request buffers from here and gives sent responses back; handlers may do
// the same the other way round.
#pragma once

#include <cstddef>

#include "base/bytes.hpp"

namespace flotilla::runtime {

/// A buffer of exactly `size_bytes`; its contents are whatever an earlier user left, or zero.
/// Whoever sends it writes every byte of it.
[[nodiscard]] Bytes take_buffer(std::size_t size_bytes);

/// Keeps the buffer for a later take_buffer() of this thread, or frees it: a thread keeps 32 MiB at
/// most, nothing below 1 KiB or above 9 MiB, and no more buffers than it has taken: answers that
/// were made without it, as listings are, would fill it up for nobody. `buffer` is empty
/// afterwards.
void recycle_buffer(Bytes&& buffer) noexcept;

/// Bytes that the calling thread keeps.
[[nodiscard]] std::size_t cached_buffer_bytes() noexcept;

}  // namespace flotilla::runtime
