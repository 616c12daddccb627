// FLOTILLA_CHECK: a bug of ours, on in release builds. No client or peer may reach one with bytes.
#pragma once

namespace flotilla::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
}

#define FLOTILLA_CHECK(expression)                                       \
  do {                                                                   \
    if (!(expression)) [[unlikely]]                                      \
      ::flotilla::detail::check_failed(#expression, __FILE__, __LINE__); \
  } while (false)
