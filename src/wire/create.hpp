// SMB2 CREATE, CLOSE, FLUSH; create contexts are in create_contexts.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.13.2 SMB2_CREATE_CONTEXT Request Values: one of the list, undecoded.
/// `name` is a 4-byte tag ("MxAc") or a 16-byte GUID.
struct CreateContext {
  ByteView name;
  ByteView data;
  [[nodiscard]] std::string_view tag() const noexcept { return as_text(name); }
};

/// [MS-SMB2] 2.2.13 SMB2 CREATE Request.
struct CreateRequest {
  OplockLevel requested_oplock_level = OplockLevel::None;
  ImpersonationLevel impersonation_level = ImpersonationLevel::Impersonation;
  std::uint32_t desired_access = 0;   ///< access
  std::uint32_t file_attributes = 0;  ///< file_attribute (fscc_constants.hpp)
  std::uint32_t share_access = 0;     ///< share_access
  CreateDisposition create_disposition = CreateDisposition::Open;
  std::uint32_t create_options = 0;  ///< create_options
  std::u16string name;               ///< relative to the share, backslashes; empty is its root
  std::vector<CreateContext> create_contexts;
};

/// [MS-SMB2] 2.2.14 SMB2 CREATE Response.
struct CreateResponse {
  OplockLevel oplock_level = OplockLevel::None;
  std::uint8_t flags = 0;  ///< create_response_flags
  CreateAction create_action = CreateAction::Opened;
  NtTime creation_time;
  NtTime last_access_time;
  NtTime last_write_time;
  NtTime change_time;
  std::uint64_t allocation_size = 0;
  std::uint64_t end_of_file = 0;
  std::uint32_t file_attributes = 0;
  FileId file_id;
  std::vector<CreateContext> create_contexts;  ///< see CreateContextList
};

/// [MS-SMB2] 2.2.15 SMB2 CLOSE Request.
struct CloseRequest {
  std::uint16_t flags = 0;  ///< close_flags
  FileId file_id;
};
/// [MS-SMB2] 2.2.16 SMB2 CLOSE Response. All zero without kPostqueryAttrib.
struct CloseResponse {
  std::uint16_t flags = 0;
  NtTime creation_time;
  NtTime last_access_time;
  NtTime last_write_time;
  NtTime change_time;
  std::uint64_t allocation_size = 0;
  std::uint64_t end_of_file = 0;
  std::uint32_t file_attributes = 0;
};
/// [MS-SMB2] 2.2.17, 2.2.18
struct FlushRequest {
  FileId file_id;
};
struct FlushResponse {};

}  // namespace flotilla::wire
