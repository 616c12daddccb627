#include "base/log.hpp"

#include <atomic>
#include <cstdio>

namespace flotilla::log {
namespace {

void to_stderr(Level level, std::string_view line) {
  static constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
  std::fprintf(stderr, "%s: %.*s\n", kNames[static_cast<int>(level)], static_cast<int>(line.size()),
               line.data());
}

std::atomic<Sink> sink_{&to_stderr};
std::atomic<Level> level_{Level::Info};

}  // namespace

void set_sink(Sink sink) noexcept { sink_.store(sink); }
void set_level(Level level) noexcept { level_.store(level); }
bool enabled(Level level) noexcept { return level >= level_.load(std::memory_order_relaxed); }
void write(Level level, std::string_view line) noexcept { sink_.load()(level, line); }

}  // namespace flotilla::log
