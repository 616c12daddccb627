// What a thread that serves requests tells the kernel about itself.
#pragma once

namespace flotilla::runtime {

/// Names the calling thread (15 bytes count) and asks for short turns: with many of them it is
/// woken sooner where others compute, and has no more of the core than before. Kernels before Linux
/// 6.12 know no such wish; nothing changes there.
void begin_serving_thread(const char* name) noexcept;

}  // namespace flotilla::runtime
