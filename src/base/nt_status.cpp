#include "base/nt_status.hpp"

namespace flotilla {

std::string_view name_of(NtStatus status) noexcept {
  switch (status) {
#define FLOTILLA_X(name, value) \
  case NtStatus::name:          \
    return #name;
    FLOTILLA_NT_STATUS_LIST(FLOTILLA_X)
#undef FLOTILLA_X
  }
  return "Unknown";
}

}  // namespace flotilla
