// srvsvc: who is connected and what is open, for administrators. Internal to rpc/.
#pragma once

#include "rpc/calls.hpp"

namespace flotilla::rpc::srvsvc {

/// NetrConnectionEnum, NetrFileEnum, NetrFileGetInfo, NetrSessionEnum: `context.listing` is there
/// where the caller may see it; else AccessDenied.
[[nodiscard]] std::span<const Operation> activity_operations();

}  // namespace flotilla::rpc::srvsvc
