// What all files of the IOCTL handler share.
#pragma once

#include "handlers/file_call.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::handlers {

/// What only these FSCTLs answer ([MS-ERREF] 2.3.1).
namespace fsctl_status {
inline constexpr NtStatus kIntegerOverflow{0xC0000095};
inline constexpr NtStatus kNoRangesProcessed{0xC0000460};
inline constexpr NtStatus kInvalidToken{0xC0000465};
inline constexpr NtStatus kOffloadReadFileNotSupported{0xC000A2A3};
inline constexpr NtStatus kOffloadWriteFileNotSupported{0xC000A2A4};
}  // namespace fsctl_status

/// Encodes the response around `output`; `status` Success or a warning, or an error that carries
/// data (SRV_COPYCHUNK's limits).
NtStatus send_ioctl(Request& request, const wire::IoctlRequest& ioctl, ByteView output,
                    NtStatus status = NtStatus::Success);

/// [MS-FSA] 2.1.5.10.18 FSCTL_OFFLOAD_READ
HandlerTask offload_read(Request& request, wire::IoctlRequest ioctl, FileOpen target);
/// [MS-FSA] 2.1.5.10.19 FSCTL_OFFLOAD_WRITE. Never makes the file longer.
HandlerTask offload_write(Request& request, wire::IoctlRequest ioctl, FileOpen target);

/// [MS-FSA] 2.1.5.10.6 FSCTL_FILE_LEVEL_TRIM: whole clusters of the ranges become holes.
HandlerTask file_level_trim(Request& request, wire::IoctlRequest ioctl, FileOpen target);
/// [MS-FSCC] 2.3.57 FSCTL_QUERY_FILE_REGIONS: all of a file up to its size is valid data.
HandlerTask query_file_regions(Request& request, wire::IoctlRequest ioctl, FileOpen target);

/// FSCTL_CREATE_OR_GET_OBJECT_ID, _GET_, _SET_, _SET_OBJECT_ID_EXTENDED, _DELETE_OBJECT_ID.
/// Spec    [MS-FSA] 2.1.5.10.1, .3, .10, .30, .31; [MS-FSCC] 2.1.3.1
/// Deviation: as in Samba every file has an id. Where none was set it is made of the volume's
/// identity and the file's number, so asking for it changes nothing. Ids are not found by.
HandlerTask object_id(Request& request, wire::IoctlRequest ioctl, FileOpen target);

}  // namespace flotilla::handlers
