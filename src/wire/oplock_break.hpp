// SMB2 OPLOCK_BREAK, which is two messages in one command: StructureSize tells oplock (24) from
// lease (36, 44).
#pragma once

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.23.1 Oplock Break Notification, 2.2.24.1 Acknowledgment, 2.2.25.1 Response: the
/// same bytes.
struct OplockBreak {
  OplockLevel oplock_level = OplockLevel::None;
  FileId file_id;
};
/// [MS-SMB2] 2.2.23.2 Lease Break Notification.
struct LeaseBreakNotification {
  std::uint16_t new_epoch = 0;
  std::uint32_t flags = 0;  ///< lease_flags::kBreakAckRequired
  LeaseKey lease_key;
  std::uint32_t current_lease_state = 0;
  std::uint32_t new_lease_state = 0;
};
/// [MS-SMB2] 2.2.24.2 Lease Break Acknowledgment, 2.2.25.2 Response: the same bytes.
struct LeaseBreak {
  std::uint32_t flags = 0;
  LeaseKey lease_key;
  std::uint32_t lease_state = 0;
};

enum class BreakKind { Oplock, Lease };
/// What a client's OPLOCK_BREAK request is, by its StructureSize (24 or 36).
[[nodiscard]] Wire<BreakKind> break_kind_of(ByteView message) noexcept;

}  // namespace flotilla::wire
