// Who may do what on lsarpc, samr and srvsvc: everybody who has logged on may read, administrators
// may see what others do, nobody may write. Internal to rpc/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "rpc/pipe_server.hpp"

namespace flotilla::rpc {

/// Guests and anonymous callers are told nothing about others.
[[nodiscard]] inline bool is_known_user(const PipeContext& context) {
  return context.caller && !context.caller->anonymous && !context.caller->guest;
}

/// The access that a handle gets, or nothing where it asks for more than there is.
/// Input   `readable` what every caller may have; `everything` what an administrator's handle has
///         (its writing operations are refused one by one)
/// Spec    [MS-LSAD] 3.1.4.2.1, [MS-SAMR] 3.1.2.1: MAXIMUM_ALLOWED and generic rights
[[nodiscard]] inline std::optional<std::uint32_t> granted_access(const PipeContext& context,
                                                                 std::uint32_t desired,
                                                                 std::uint32_t readable,
                                                                 std::uint32_t everything) {
  constexpr std::uint32_t kMaximumAllowed = 0x02000000;
  constexpr std::uint32_t kGenericAll = 0x10000000;
  constexpr std::uint32_t kGenericExecute = 0x20000000;
  constexpr std::uint32_t kGenericWrite = 0x40000000;
  constexpr std::uint32_t kGenericRead = 0x80000000;
  const std::uint32_t maximal =
      context.caller && is_administrator(*context.caller) ? everything : readable;
  std::uint32_t wanted = desired & 0x01FFFFFF;
  if (desired & (kGenericRead | kGenericExecute)) wanted |= readable;
  if (desired & (kGenericAll | kGenericWrite)) wanted |= everything;
  if (desired & kMaximumAllowed) wanted |= maximal;
  if ((wanted & ~maximal) != 0) return std::nullopt;
  return wanted;
}

}  // namespace flotilla::rpc
