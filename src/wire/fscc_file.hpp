// [MS-FSCC] 2.4: what QUERY_INFO and SET_INFO carry about one file. decode<T>/encode as ever.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/fscc_constants.hpp"

namespace flotilla::wire {

/// [MS-FSCC] 2.4.7. On set: a time of 0 keeps the old one, -1 (all ones) stops and -2 resumes
/// automatic updates through this open; attributes 0 keeps them.
struct FileBasicInformation {
  NtTime creation_time;
  NtTime last_access_time;
  NtTime last_write_time;
  NtTime change_time;
  std::uint32_t file_attributes = 0;
};
/// [MS-FSCC] 2.4.47
struct FileStandardInformation {
  std::uint64_t allocation_size = 0;
  std::uint64_t end_of_file = 0;
  std::uint32_t number_of_links = 1;
  std::uint8_t delete_pending = 0;
  std::uint8_t directory = 0;
};
/// [MS-FSCC] 2.4.27
struct FileInternalInformation {
  std::uint64_t index_number = 0;
};
/// [MS-FSCC] 2.4.13
struct FileEaInformation {
  std::uint32_t ea_size = 0;
};
/// [MS-FSCC] 2.4.1
struct FileAccessInformation {
  std::uint32_t access_flags = 0;
};
/// [MS-FSCC] 2.4.40
struct FilePositionInformation {
  std::uint64_t current_byte_offset = 0;
};
/// [MS-FSCC] 2.4.31
struct FileModeInformation {
  std::uint32_t mode = 0;
};
/// [MS-FSCC] 2.4.3
struct FileAlignmentInformation {
  std::uint32_t alignment_requirement = 0;
};
/// [MS-FSCC] 2.4.32 FileNameInformation, 2.4.36 FileNormalizedNameInformation, 2.4.5
/// FileAlternateNameInformation: one layout (2.1.7 FILE_NAME_INFORMATION).
struct FileNameInformation {
  std::u16string file_name;
};
/// [MS-FSCC] 2.4.2
struct FileAllInformation {
  FileBasicInformation basic;
  FileStandardInformation standard;
  FileInternalInformation internal;
  FileEaInformation ea;
  FileAccessInformation access;
  FilePositionInformation position;
  FileModeInformation mode;
  FileAlignmentInformation alignment;
  FileNameInformation name;
};
/// [MS-FSCC] 2.4.9
struct FileCompressionInformation {
  std::uint64_t compressed_file_size = 0;
  std::uint16_t compression_format = 0;
  std::uint8_t compression_unit_shift = 0;
  std::uint8_t chunk_shift = 0;
  std::uint8_t cluster_shift = 0;
};
/// [MS-FSCC] 2.4.34
struct FileNetworkOpenInformation {
  NtTime creation_time;
  NtTime last_access_time;
  NtTime last_write_time;
  NtTime change_time;
  std::uint64_t allocation_size = 0;
  std::uint64_t end_of_file = 0;
  std::uint32_t file_attributes = 0;
};
/// [MS-FSCC] 2.4.6
struct FileAttributeTagInformation {
  std::uint32_t file_attributes = 0;
  std::uint32_t reparse_tag = 0;
};
/// [MS-FSCC] 2.4.26
struct FileIdInformation {
  std::uint64_t volume_serial_number = 0;
  std::array<std::uint8_t, 16> file_id{};
};
/// [MS-FSCC] 2.4.42.2 FileRenameInformation for SMB2, 2.4.28.2 FileLinkInformation: one layout.
/// root_directory must be 0 (the handler judges).
struct FileRenameInformation {
  std::uint8_t replace_if_exists = 0;
  std::uint64_t root_directory = 0;
  std::u16string file_name;
};
using FileLinkInformation = FileRenameInformation;
/// [MS-FSCC] 2.4.43 FileRenameInformationEx
struct FileRenameInformationEx {
  std::uint32_t flags = 0;  ///< rename_flags
  std::uint64_t root_directory = 0;
  std::u16string file_name;
};
/// [MS-FSCC] 2.4.11
struct FileDispositionInformation {
  std::uint8_t delete_pending = 0;
};
/// [MS-FSCC] 2.4.12
struct FileDispositionInformationEx {
  std::uint32_t flags = 0;  ///< disposition_flags
};
/// [MS-FSCC] 2.4.14
struct FileEndOfFileInformation {
  std::uint64_t end_of_file = 0;
};
/// [MS-FSCC] 2.4.4
struct FileAllocationInformation {
  std::uint64_t allocation_size = 0;
};
/// [MS-FSCC] 2.4.49
struct FileValidDataLengthInformation {
  std::uint64_t valid_data_length = 0;
};
/// [MS-FSCC] 2.4.37
struct FilePipeInformation {
  std::uint32_t read_mode = 0;
  std::uint32_t completion_mode = 0;
};
/// [MS-FSCC] 2.4.38
struct FilePipeLocalInformation {
  std::uint32_t named_pipe_type = 0;
  std::uint32_t named_pipe_configuration = 0;
  std::uint32_t maximum_instances = 0;
  std::uint32_t current_instances = 0;
  std::uint32_t inbound_quota = 0;
  std::uint32_t read_data_available = 0;
  std::uint32_t outbound_quota = 0;
  std::uint32_t write_quota_available = 0;
  std::uint32_t named_pipe_state = 0;
  std::uint32_t named_pipe_end = 0;
};

/// [MS-FSCC] 2.4.49 FileStreamInformation: one stream, name as ":name:$DATA".
struct FileStreamEntry {
  std::uint64_t stream_size = 0;
  std::uint64_t stream_allocation_size = 0;
  std::u16string stream_name;
  friend bool operator==(const FileStreamEntry&, const FileStreamEntry&) = default;
};
/// Appends entries (8-aligned, chained) until the next one would pass `limit_bytes`; returns how
/// many were written.
std::size_t encode_streams(const std::vector<FileStreamEntry>& streams, std::size_t limit_bytes,
                           Bytes& out);
[[nodiscard]] Wire<std::vector<FileStreamEntry>> decode_streams(ByteView bytes);

/// [MS-FSCC] 2.4.15 FileFullEaInformation: one attribute. Names are ASCII; value may be empty,
/// which on set removes the attribute.
struct FileFullEaEntry {
  std::uint8_t flags = 0;
  std::string ea_name;
  Bytes ea_value;
  friend bool operator==(const FileFullEaEntry&, const FileFullEaEntry&) = default;
};
/// Entries are 4-aligned and chained; returns how many fit into `limit_bytes`. The list also ends
/// at an entry whose name passes 255 or whose value passes 65535 bytes.
std::size_t encode_full_ea_list(const std::vector<FileFullEaEntry>& list, std::size_t limit_bytes,
                                Bytes& out);
[[nodiscard]] Wire<std::vector<FileFullEaEntry>> decode_full_ea_list(ByteView bytes);
/// [MS-FSCC] 2.4.15.1 FILE_GET_EA_INFORMATION: the names that a client asks for.
[[nodiscard]] Wire<std::vector<std::string>> decode_get_ea_list(ByteView bytes);
void encode_get_ea_list(const std::vector<std::string>& names, Bytes& out);

}  // namespace flotilla::wire
