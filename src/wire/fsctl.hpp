// What IOCTLs carry: [MS-SMB2] 2.2.31.1 and 2.2.32.1 ff., [MS-FSCC] 2.3.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.31.4 VALIDATE_NEGOTIATE_INFO Request.
struct ValidateNegotiateInfoRequest {
  std::uint32_t capabilities = 0;
  ClientGuid guid;
  std::uint16_t security_mode = 0;
  std::vector<Dialect> dialects;
};
/// [MS-SMB2] 2.2.32.6 VALIDATE_NEGOTIATE_INFO Response.
struct ValidateNegotiateInfoResponse {
  std::uint32_t capabilities = 0;
  ServerGuid guid;
  std::uint16_t security_mode = 0;
  Dialect dialect{};
};

/// [MS-SMB2] 2.2.32.5 NETWORK_INTERFACE_INFO Response: one address of one interface.
struct NetworkInterfaceInfo {
  static constexpr std::uint32_t kRssCapable = 0x00000001;
  static constexpr std::uint32_t kRdmaCapable = 0x00000002;
  static constexpr std::uint16_t kInterNetwork = 0x0002;
  static constexpr std::uint16_t kInterNetworkV6 = 0x0017;
  std::uint32_t if_index = 0;
  std::uint32_t capability = 0;
  std::uint64_t link_speed = 0;  ///< bits per second
  std::uint16_t family = kInterNetwork;
  std::uint16_t port = 0;
  std::array<std::uint8_t, 16> address{};  ///< network order; IPv4 in the first four bytes
  std::uint32_t scope_id = 0;
  friend bool operator==(const NetworkInterfaceInfo&, const NetworkInterfaceInfo&) = default;
};
/// The list that answers FSCTL_QUERY_NETWORK_INTERFACE_INFO (152 bytes each).
void encode_network_interfaces(const std::vector<NetworkInterfaceInfo>& list, Bytes& out);
[[nodiscard]] Wire<std::vector<NetworkInterfaceInfo>> decode_network_interfaces(ByteView bytes);

/// [MS-SMB2] 2.2.31.1 SRV_COPYCHUNK_COPY, 2.2.31.1.1 SRV_COPYCHUNK.
struct SrvCopychunk {
  std::uint64_t source_offset = 0;
  std::uint64_t target_offset = 0;
  std::uint32_t length = 0;
};
struct SrvCopychunkCopy {
  std::array<std::uint8_t, 24> source_key{};
  std::vector<SrvCopychunk> chunks;
};
/// [MS-SMB2] 2.2.32.1
struct SrvCopychunkResponse {
  std::uint32_t chunks_written = 0;
  std::uint32_t chunk_bytes_written = 0;
  std::uint32_t total_bytes_written = 0;
};
/// [MS-SMB2] 2.2.32.3 (ContextLength 0, one empty Context word as Windows sends it)
struct SrvRequestResumeKeyResponse {
  std::array<std::uint8_t, 24> resume_key{};
};
/// [MS-SMB2] 2.2.32.2 SRV_SNAPSHOT_ARRAY; `snapshots`: multi-string, each ended by NUL, one more
/// NUL at the end.
struct SrvSnapshotArray {
  std::uint32_t number_of_snapshots = 0;
  std::uint32_t number_of_snapshots_returned = 0;
  std::u16string snapshots;
};
/// [MS-SMB2] 2.2.31.3 NETWORK_RESILIENCY_REQUEST
struct NetworkResiliencyRequest {
  std::uint32_t timeout_ms = 0;
};
/// [MS-FSCC] 2.3.49 FSCTL_PIPE_WAIT Request
struct PipeWaitRequest {
  std::uint64_t timeout = 0;  ///< 100 ns units
  std::uint8_t timeout_specified = 0;
  std::u16string name;
};
/// [MS-FSCC] 2.1.2.2 REPARSE_DATA_BUFFER
struct ReparseDataBuffer {
  std::uint32_t reparse_tag = 0;
  ByteView data;
};
/// [MS-FSCC] 2.1.2.4 Symbolic Link Reparse Data Buffer, tag and length included.
struct SymbolicLinkReparseDataBuffer {
  static constexpr std::uint32_t kFlagRelative = 0x00000001;
  std::uint32_t reparse_tag = reparse_tag::kSymlink;
  std::u16string substitute_name;
  std::u16string print_name;
  std::uint32_t flags = 0;
};
/// [MS-FSCC] 2.3.71 FSCTL_SET_ZERO_DATA; [offset, beyond_final_zero)
struct FileZeroDataInformation {
  std::uint64_t file_offset = 0;
  std::uint64_t beyond_final_zero = 0;
};
/// [MS-FSCC] 2.3.54, 2.3.55 FSCTL_QUERY_ALLOCATED_RANGES: in one, out a sequence of these.
struct FileAllocatedRange {
  std::uint64_t file_offset = 0;
  std::uint64_t length = 0;
};
/// [MS-FSCC] 2.3.69 FSCTL_SET_SPARSE; no input at all means true.
struct FileSetSparseBuffer {
  std::uint8_t set_sparse = 1;
};
/// [MS-FSCC] 2.3.20, 2.3.67: COMPRESSION_FORMAT_*.
struct CompressionFormat {
  static constexpr std::uint16_t kNone = 0;
  static constexpr std::uint16_t kDefault = 1;
  static constexpr std::uint16_t kLznt1 = 2;
  std::uint16_t compression_format = 0;
};
/// [MS-FSCC] 2.3.9 FSCTL_DUPLICATE_EXTENTS_TO_FILE Request, with a 64-bit handle field.
struct DuplicateExtentsData {
  FileId source_file_id;
  std::uint64_t source_file_offset = 0;
  std::uint64_t target_file_offset = 0;
  std::uint64_t byte_count = 0;
};
/// [MS-FSCC] 2.1.3.1 FILE_OBJECTID_BUFFER Type 1.
struct FileObjectIdBuffer {
  std::array<std::uint8_t, 16> object_id{};
  std::array<std::uint8_t, 16> birth_volume_id{};
  std::array<std::uint8_t, 16> birth_object_id{};
  std::array<std::uint8_t, 16> domain_id{};
};
/// [MS-FSCC] 2.3.73 FILE_LEVEL_TRIM
struct FileLevelTrim {
  std::uint32_t key = 0;
  std::vector<FileAllocatedRange> ranges;
};
/// [MS-FSCC] 2.3.41 FSCTL_OFFLOAD_READ_INPUT; offsets and lengths in whole sectors
struct OffloadReadInput {
  static constexpr std::uint32_t kBytes = 32;
  std::uint32_t size = kBytes;
  std::uint32_t flags = 0;
  std::uint32_t token_time_to_live_ms = 0;  ///< 0: as the server likes
  std::uint64_t file_offset = 0;
  std::uint64_t copy_length = 0;
};
/// [MS-FSCC] 2.3.42
struct OffloadReadOutput {
  static constexpr std::uint32_t kBytes = 528;
  std::uint32_t size = kBytes;
  std::uint32_t flags = 0;
  std::uint64_t transfer_length = 0;
  std::array<std::uint8_t, 512> token{};
};
/// [MS-FSCC] 2.3.43
struct OffloadWriteInput {
  static constexpr std::uint32_t kBytes = 544;
  std::uint32_t size = kBytes;
  std::uint32_t flags = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t copy_length = 0;
  std::uint64_t transfer_offset = 0;  ///< in what the token stands for
  std::array<std::uint8_t, 512> token{};
};
/// [MS-FSCC] 2.3.44
struct OffloadWriteOutput {
  static constexpr std::uint32_t kBytes = 16;
  std::uint32_t size = kBytes;
  std::uint32_t flags = 0;
  std::uint64_t length_written = 0;
};
/// [MS-DFSC] 2.2.2 REQ_GET_DFS_REFERRAL
struct DfsReferralRequest {
  std::uint16_t max_referral_level = 0;
  std::u16string request_file_name;  ///< with its NUL, as sent
};

}  // namespace flotilla::wire
