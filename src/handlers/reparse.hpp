// Reparse points: what a CREATE says where one is in its way, and the three FSCTLs.
#pragma once

#include <string_view>

#include "handlers/file_call.hpp"
#include "handlers/request.hpp"

namespace flotilla::handlers {

/// The answer to a CREATE whose path leads over a reparse point: where it is Windows' symbolic
/// link, the link itself, in the ERROR response that is appended to the request's answer.
/// Spec    [MS-SMB2] 3.3.5.9 (Open Execution), 2.2.2.2.1 Symbolic Link Error Response
/// Input   `path` what was asked for, as ports::Backend has it
/// Output  StoppedOnSymlink, or IoReparseTagNotHandled for what the server cannot name a target of
runtime::Task<NtStatus> stop_on_reparse_point(Request& request, const Share* share,
                                              ports::Credentials who, std::string path);

/// FSCTL_GET_REPARSE_POINT: the buffer. [MS-FSA] 2.1.5.10.12
/// Errors  NotAReparsePoint, BufferTooSmall
runtime::Task<Result<Bytes>> get_reparse_point(Request& request, FileOpen target,
                                               std::uint32_t room_bytes);

/// FSCTL_SET_REPARSE_POINT. Spec [MS-FSA] 2.1.5.10.37
/// Errors  AccessDenied (a right is missing; also devices, which a client would open as its own),
///         IoReparseDataInvalid, IoReparseTagInvalid, IoReparseTagMismatch, NotADirectory (a
///         junction on a file), DirectoryNotEmpty
runtime::Task<NtStatus> set_reparse_point(Request& request, FileOpen target, ByteView input);

/// FSCTL_DELETE_REPARSE_POINT. Spec [MS-FSA] 2.1.5.10.3
/// Errors  AccessDenied, IoReparseDataInvalid, IoReparseTagMismatch, NotAReparsePoint
runtime::Task<NtStatus> delete_reparse_point(Request& request, FileOpen target, ByteView input);

}  // namespace flotilla::handlers
