// A CREATE, checked and translated before anything is touched. Pure: no file system, no engine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "coherence/types.hpp"
#include "handlers/create/create_name.hpp"
#include "ports/backend.hpp"
#include "ports/channel.hpp"
#include "wire/security_descriptor.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

/// The create contexts that matter, decoded. [MS-SMB2] 2.2.13.2.
struct CreateAsks {
  std::optional<NtTime> maximal_access;  ///< MxAc; its timestamp, 0 for none
  bool disk_id = false;                  ///< QFid
  std::uint64_t allocation_bytes = 0;    ///< AlSi
  std::vector<ports::ExtendedAttribute> eas;
  std::optional<wire::SecurityDescriptor> security;        ///< SecD
  std::optional<NtTime> version;                           ///< TWrp: the snapshot that is meant
  coherence::CacheRequest cache;                           ///< from RequestedOplockLevel and RqLs
  bool durable_v1 = false;                                 ///< DHnQ
  std::optional<wire::DurableHandleRequestV2> durable_v2;  ///< DH2Q
  std::optional<FileId> reconnect_v1;                      ///< DHnC
  std::optional<wire::DurableHandleReconnectV2> reconnect_v2;  ///< DH2C
  std::optional<std::uint32_t> posix_mode;  ///< of the POSIX extensions, where they were agreed on
  AppInstanceId app_instance;               ///< zero for none
  wire::AppInstanceVersion app_version;
};

/// Errors  InvalidParameter    a context with a bad tag, of a wrong size, or beside one that
/// excludes
///                             it ([MS-SMB2] 3.3.5.9.6, .7, .10, .12)
/// `leases`: what was negotiated. Other contexts are ignored.
[[nodiscard]] Result<CreateAsks> read_create_contexts(const wire::CreateRequest& body,
                                                      const ports::ConnectionFacts& facts,
                                                      bool leases);

/// Everything that can be refused by looking at the request alone.
/// Spec    [MS-SMB2] 3.3.5.9; [MS-FSA] 2.1.5.1 Server Requests an Open of a File (parameters)
/// Errors  BadImpersonationLevel, InvalidParameter, AccessDenied (no right asked), NotSupported
///         (open by file id, and options that have no meaning over SMB)
[[nodiscard]] Status check_create(const wire::CreateRequest& body);

/// FileAttributes of a new file or one that is overwritten: what can be kept, with Archive.
[[nodiscard]] std::uint32_t initial_attributes(std::uint32_t asked, bool directory) noexcept;

/// Supersede, Overwrite or OverwriteIf.
[[nodiscard]] constexpr bool overwrites(wire::CreateDisposition disposition) noexcept {
  return disposition == wire::CreateDisposition::Supersede ||
         disposition == wire::CreateDisposition::Overwrite ||
         disposition == wire::CreateDisposition::OverwriteIf;
}
/// A missing file is an error: Open and Overwrite.
[[nodiscard]] constexpr bool must_exist(wire::CreateDisposition disposition) noexcept {
  return disposition == wire::CreateDisposition::Open ||
         disposition == wire::CreateDisposition::Overwrite;
}

/// Whether the request may be carried out on what is there.
/// Spec    [MS-FSA] 2.1.5.1.2 Open of an Existing File
/// Input   `granted` is what grant_access gave
/// Errors  ObjectNameCollision, FileIsADirectory, NotADirectory, AccessDenied (read-only, or hidden
///         or system attributes that an overwrite does not repeat), CannotDelete
[[nodiscard]] Status check_existing(const wire::CreateRequest& body, const CreateName& name,
                                    const ports::FileFacts& facts, coherence::AccessMask granted);

}  // namespace flotilla::handlers
