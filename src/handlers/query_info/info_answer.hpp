// What a QUERY_INFO class answers, and the rules about the client's buffer that all share.
#pragma once

#include <cstddef>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "handlers/file_call.hpp"
#include "wire/query_directory.hpp"

namespace flotilla::handlers {

/// `fixed_bytes`  less room is InfoLengthMismatch; between that and data.size(): cut, with
///                BufferOverflow
/// `status`       Success, or BufferOverflow where a list was cut at an entry already
struct InfoAnswer {
  Bytes data;
  std::size_t fixed_bytes = 0;
  NtStatus status = NtStatus::Success;
};

/// What a file's classes are made from: read where blocking is allowed.
struct FileData {
  ports::FileFacts facts;
  std::vector<ports::ExtendedAttribute> eas;  ///< for FileFullEaInformation only
  std::vector<ports::StreamFacts> streams;    ///< for FileStreamInformation only: the named ones
  std::uint64_t unnamed_bytes = 0;            ///< then of the unnamed one
  std::uint64_t unnamed_allocation_bytes = 0;
  bool unnamed = false;  ///< there is one: not of a directory
};

/// Errors  AccessDenied  the open lacks the right that the class needs
[[nodiscard]] Status may_query_file(const FileOpen& target, const wire::QueryInfoRequest& query);
/// Calls   blocks; any thread
/// Input   `base` is the file itself where `file` is a stream that is asked for its siblings
[[nodiscard]] Result<FileData> read_file_data(ports::BackendFile& file, ports::BackendFile* base,
                                              std::uint8_t file_info_class);
/// Spec    [MS-SMB2] 3.3.5.20.1 Handling SMB2_0_INFO_FILE; [MS-FSA] 2.1.5.12
/// Errors  InvalidInfoClass  no such class, or none that can be asked for
///         NotSupported      a class that SMB2 does not carry, or that nothing here stands behind
///         InfoLengthMismatch, BufferTooSmall by the class
[[nodiscard]] Result<InfoAnswer> query_file(Request& request, const FileOpen& target,
                                            const FileData& data,
                                            const wire::QueryInfoRequest& query);
/// The few classes that pipes answer.
[[nodiscard]] Result<InfoAnswer> query_pipe(session::Open& open,
                                            const wire::QueryInfoRequest& query);
/// Spec    [MS-SMB2] 3.3.5.20.2 Handling SMB2_0_INFO_FILESYSTEM; [MS-FSA] 2.1.5.13
/// Input   `uid` whose quota limits what is shown
[[nodiscard]] Result<InfoAnswer> query_filesystem(const FileOpen& target,
                                                  const wire::QueryInfoRequest& query,
                                                  std::uint32_t uid);
/// The whole descriptor asked for; the caller compares its size with the client's buffer.
/// Spec    [MS-SMB2] 3.3.5.20.3 Handling SMB2_0_INFO_SECURITY; [MS-FSA] 2.1.5.14
[[nodiscard]] Result<Bytes> query_security(Request& request, const FileOpen& target,
                                           const wire::QueryInfoRequest& query);

}  // namespace flotilla::handlers
