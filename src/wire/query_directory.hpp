// SMB2 QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO, SET_INFO. What is inside is [MS-FSCC]: fscc.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/fscc_constants.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.33 SMB2 QUERY_DIRECTORY Request.
struct QueryDirectoryRequest {
  FileInformationClass file_information_class{};
  std::uint8_t flags = 0;  ///< query_directory_flags
  std::uint32_t file_index = 0;
  FileId file_id;
  std::u16string search_pattern;
  std::uint32_t output_buffer_length = 0;
};
/// [MS-SMB2] 2.2.34 SMB2 QUERY_DIRECTORY Response. Entries: DirectoryWriter (fscc_directory.hpp).
struct QueryDirectoryResponse {
  static constexpr std::size_t kDataOffset = 72;  ///< from the SMB2 header's first byte
  ByteView output_buffer;
};

/// [MS-SMB2] 2.2.35 SMB2 CHANGE_NOTIFY Request.
struct ChangeNotifyRequest {
  std::uint16_t flags = 0;  ///< notify_flags
  std::uint32_t output_buffer_length = 0;
  FileId file_id;
  std::uint32_t completion_filter = 0;  ///< notify_filter
};
/// [MS-SMB2] 2.2.36 SMB2 CHANGE_NOTIFY Response. Entries: append_notify.
struct ChangeNotifyResponse {
  ByteView output_buffer;
};

/// [MS-SMB2] 2.2.37 SMB2 QUERY_INFO Request.
struct QueryInfoRequest {
  InfoType info_type{};
  std::uint8_t file_info_class = 0;  ///< FileInformationClass or FsInformationClass, by info_type
  std::uint32_t output_buffer_length = 0;
  std::uint32_t additional_information = 0;  ///< security_information
  std::uint32_t flags = 0;                   ///< query_info_flags
  FileId file_id;
  ByteView input_buffer;  ///< FileGetEaInformation list, quota query
};
/// [MS-SMB2] 2.2.38 SMB2 QUERY_INFO Response.
struct QueryInfoResponse {
  ByteView output_buffer;
};

/// [MS-SMB2] 2.2.39 SMB2 SET_INFO Request.
struct SetInfoRequest {
  InfoType info_type{};
  std::uint8_t file_info_class = 0;
  std::uint32_t additional_information = 0;
  FileId file_id;
  ByteView buffer;
};
/// [MS-SMB2] 2.2.40
struct SetInfoResponse {};

}  // namespace flotilla::wire
