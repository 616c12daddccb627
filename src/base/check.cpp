#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace flotilla::detail {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "flotilla: bug: %s does not hold at %s:%d; please report this line\n",
               expression, file, line);
  std::abort();
}

}  // namespace flotilla::detail
