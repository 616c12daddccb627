// The logging facade: rooms say what happened; apps/ decides where lines go (spdlog).
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace flotilla::log {

enum class Level { Debug, Info, Warn, Error };

/// Receives one finished line without a newline. Called from any thread.
using Sink = void (*)(Level level, std::string_view line);

/// Replaces the sink (default: standard error). Call once, before threads start.
void set_sink(Sink sink) noexcept;
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;
void write(Level level, std::string_view line) noexcept;

template <class... Args>
void line(Level level, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  line(Level::Debug, text, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  line(Level::Info, text, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  line(Level::Warn, text, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  line(Level::Error, text, std::forward<Args>(args)...);
}

}  // namespace flotilla::log
