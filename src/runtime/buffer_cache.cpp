#include "runtime/buffer_cache.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

namespace flotilla::runtime {
namespace {

constexpr std::size_t kClassMin = 10;  // 1 KiB
constexpr std::size_t kClassMax = 23;  // 8 MiB and what headers add to it
constexpr std::size_t kBufferMax = 9U << 20;
constexpr std::size_t kKeptMax = 32U << 20;

/// Buffers by the power of two that their *size* reaches: a vector that is only ever shrunk never
/// has its bytes set to zero again.
struct Cache {
  std::array<std::vector<Bytes>, kClassMax - kClassMin + 1> classes;
  std::size_t kept_bytes = 0;
  /// How many more were taken than came back: what nobody will take is not kept.
  std::uint64_t owed = 0;
};

Cache& cache() {
  thread_local Cache instance;
  return instance;
}

}  // namespace

Bytes take_buffer(std::size_t size_bytes) {
  if (size_bytes >= (std::size_t{1} << kClassMin) / 2 && size_bytes <= kBufferMax) {
    Cache& kept = cache();
    if (size_bytes >= std::size_t{1} << kClassMin) ++kept.owed;
    // The class of `size_bytes` may hold buffers that are too small, the next one does not.
    const std::size_t own = std::bit_width(size_bytes) - 1;
    for (std::size_t level = std::max(own, kClassMin); level <= std::min(own + 2, kClassMax);
         ++level) {
      std::vector<Bytes>& list = kept.classes[level - kClassMin];
      if (list.empty() || list.back().size() < size_bytes) continue;
      Bytes buffer = std::move(list.back());
      list.pop_back();
      kept.kept_bytes -= buffer.capacity();
      buffer.resize(size_bytes);
      return buffer;
    }
  }
  return Bytes(size_bytes);
}

void recycle_buffer(Bytes&& buffer) noexcept {
  Bytes mine = std::move(buffer);
  if (mine.size() < (std::size_t{1} << kClassMin) || mine.capacity() > 2 * kBufferMax) return;
  Cache& kept = cache();
  if (kept.owed == 0) return;
  --kept.owed;
  if (kept.kept_bytes + mine.capacity() > kKeptMax) return;
  const std::size_t level = std::min(std::bit_width(mine.size()) - 1, kClassMax + 0UL);
  std::vector<Bytes>& list = kept.classes[level - kClassMin];
  if (list.size() == list.capacity()) list.reserve(std::max<std::size_t>(16, list.size() * 2));
  kept.kept_bytes += mine.capacity();
  list.push_back(std::move(mine));
}

std::size_t cached_buffer_bytes() noexcept { return cache().kept_bytes; }

}  // namespace flotilla::runtime
