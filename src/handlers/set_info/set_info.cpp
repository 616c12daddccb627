// SMB2 SET_INFO. Spec [MS-SMB2] 3.3.5.21 Receiving an SMB2 SET_INFO Request
#include "handlers/set_info/set_info.hpp"
#include "handlers/posix.hpp"
#include "handlers/quota/quota.hpp"
#include "handlers/system_rights.hpp"

#include "handlers/access.hpp"
#include "handlers/pipe.hpp"
#include "handlers/security_view.hpp"
#include "wire/fscc.hpp"

namespace flotilla::handlers {

namespace {

using Class = wire::FileInformationClass;

/// [MS-FSA] 2.1.5.15.10 FilePositionInformation
NtStatus set_position(session::Open& open, ByteView buffer) {
  if (buffer.size() < 8) return NtStatus::InfoLengthMismatch;
  const auto info = wire::decode<wire::FilePositionInformation>(buffer);
  if (!info || info->current_byte_offset > INT64_MAX) return NtStatus::InvalidParameter;
  open.position = info->current_byte_offset;
  return NtStatus::Success;
}

/// [MS-FSA] 2.1.5.15.9 FileModeInformation
NtStatus set_mode(session::Open& open, ByteView buffer) {
  namespace options = wire::create_options;
  constexpr std::uint32_t kSettable = options::kWriteThrough | options::kSequentialOnly |
                                      options::kSynchronousIoAlert |
                                      options::kSynchronousIoNonalert;
  constexpr std::uint32_t kSynchronous =
      options::kSynchronousIoAlert | options::kSynchronousIoNonalert;
  if (buffer.size() < 4) return NtStatus::InfoLengthMismatch;
  const auto info = wire::decode<wire::FileModeInformation>(buffer);
  if (!info || (info->mode & ~kSettable) || (info->mode & kSynchronous) == kSynchronous) {
    return NtStatus::InvalidParameter;
  }
  open.mode = info->mode;
  return NtStatus::Success;
}

/// For classes that are not carried out.
/// Spec    [MS-SMB2] 3.3.5.21.1: InvalidInfoClass for what cannot be set, NotSupported for what
/// SMB2
///         does not list
NtStatus refusal_of(Class c) noexcept {
  switch (c) {
    case Class::FileValidDataLengthInformation:
      return NtStatus::PrivilegeNotHeld;  // SE_MANAGE_VOLUME: nobody has it
    case Class::FileShortNameInformation:
      return NtStatus::NotSupported;  // no short names
    case Class::FileObjectIdInformation:
    case Class::FileQuotaInformation:
    case Class::FileReparsePointInformation:
    case Class::FileSfioReserveInformation:
    case Class::FileMailslotSetInformation:
    case Class::FilePipeInformation:
    case Class::FilePipeRemoteInformation:
      return NtStatus::NotSupported;
    default:
      return NtStatus::InvalidInfoClass;
  }
}

SetInfoTask set_file(Request& request, FileOpen target, const wire::SetInfoRequest& set) {
  const ByteView buffer = set.buffer;
  switch (static_cast<Class>(set.file_info_class)) {
    case Class::FileBasicInformation:
      co_return co_await set_basic(request, std::move(target), buffer);
    case Class::FilePositionInformation:
      co_return set_position(*target.open, buffer);
    case Class::FileModeInformation:
      co_return set_mode(*target.open, buffer);
    case Class::FileEndOfFileInformation:
      co_return co_await set_size(request, std::move(target), buffer, false);
    case Class::FileAllocationInformation:
      co_return co_await set_size(request, std::move(target), buffer, true);
    case Class::FileFullEaInformation:
      co_return co_await set_full_ea(request, std::move(target), buffer);
    case Class::FileDispositionInformation:
      co_return co_await set_disposition(request, std::move(target), buffer, false);
    case Class::FileDispositionInformationEx:
      co_return co_await set_disposition(request, std::move(target), buffer, true);
    case Class::FileRenameInformation:
      co_return co_await set_rename(request, std::move(target), buffer, false);
    case Class::FileRenameInformationEx:
      co_return co_await set_rename(request, std::move(target), buffer, true);
    case Class::FileLinkInformation:
      co_return co_await set_link(request, std::move(target), buffer);
    default:
      co_return refusal_of(static_cast<Class>(set.file_info_class));
  }
}

/// Spec    [MS-SMB2] 3.3.5.21.3 Handling SMB2_0_INFO_SECURITY; [MS-FSA] 2.1.5.17
SetInfoTask set_security(Request& request, FileOpen target, const wire::SetInfoRequest& set) {
  namespace info = wire::security_information;
  const std::uint32_t wanted =
      set.additional_information & (info::kOwner | info::kGroup | info::kDacl | info::kSacl);
  std::uint32_t needed = 0;
  if (set.additional_information & (info::kOwner | info::kGroup | info::kLabel)) {
    needed |= wire::access::kWriteOwner;
  }
  if (wanted & info::kDacl) needed |= wire::access::kWriteDac;
  if (wanted & info::kSacl) needed |= wire::access::kAccessSystemSecurity;
  if ((target.open->granted_access & needed) != needed) co_return NtStatus::AccessDenied;
  auto asked = wire::SecurityDescriptor::decode(set.buffer);
  if (!asked) co_return NtStatus::InvalidSecurityDescr;
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  const bool posix = speaks_posix(request) && (wanted & info::kDacl) != 0;
  Requester who = requester_of(request.server, *request.session, *target.share);
  // An open for restoring gives the file to whom it belonged.
  who.privileged = who.privileged || target.state().acts_as != nullptr;
  auto call = [file = target.file, asked = std::move(*asked), wanted, posix,
               who = std::move(who)]() -> Status {
    const auto present = security_of(*file, who.ids);
    if (!present) return fail(present.error());
    if (posix) {
      const auto mode = mode_meant_by(asked, present->owner.value_or(wire::Sid{}),
                                      present->group.value_or(wire::Sid{}));
      const auto stored = file->stored_security();
      if (mode && stored && !*stored) return file->set_mode(who.kernel, *mode);
    }
    const auto whole = with_parts(*present, asked, wanted, who.sids, who.privileged);
    if (!whole) return fail(whole.error());
    return keep_security(*file, who, *whole);
  };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!done) co_return done.error();
  report_change(request, *target.open, wire::notify_filter::kSecurity);
  co_return NtStatus::Success;
}

}  // namespace

HandlerTask handle_set_info(Request& request) {
  const auto decoded = wire::decode<wire::SetInfoRequest>(request.message);
  if (!decoded) co_return wire::status_of(decoded.error());
  const wire::SetInfoRequest set = *decoded;
  auto found = request.find_open(set.file_id);
  if (!found) co_return found.error();
  if (set.buffer.size() > max_transaction_bytes(request)) co_return NtStatus::InvalidParameter;
  NtStatus status = NtStatus::InvalidParameter;
  if (set.info_type == wire::InfoType::Quota) {
    status = co_await set_quota(request, *found, set);
  } else if (set.info_type == wire::InfoType::Filesystem && !request.tree->ipc) {
    // Labels and object ids of a volume belong to the machine's administrator.
    status = static_cast<wire::FsInformationClass>(set.file_info_class) ==
                     wire::FsInformationClass::FileFsControlInformation
                 ? co_await set_quota_control(request, share_of(*request.tree), set.buffer)
                 : NtStatus::AccessDenied;
  } else if ((*found)->pipe) {
    // Read and completion mode mean nothing to SMB2 readers; clients set them and go on.
    const bool pipe_mode = set.info_type == wire::InfoType::File &&
                           static_cast<Class>(set.file_info_class) == Class::FilePipeInformation;
    status = pipe_mode ? NtStatus::Success : NtStatus::NotSupported;
  } else {
    const auto target = file_of(request, *found);
    if (!target) co_return target.error();
    switch (set.info_type) {
      case wire::InfoType::File:
        status = co_await set_file(request, *target, set);
        break;
      case wire::InfoType::Security:
        status = co_await set_security(request, *target, set);
        break;
      case wire::InfoType::Filesystem:
      case wire::InfoType::Quota:
        break;
    }
  }
  if (is_error(status)) co_return status;
  wire::encode(wire::SetInfoResponse{}, request.out);
  co_return status;
}

}  // namespace flotilla::handlers
