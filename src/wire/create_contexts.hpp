// Typed create contexts: what is inside a CreateContext's data.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/create.hpp"

namespace flotilla::wire {

namespace create_tag {
inline constexpr std::string_view kExtA = "ExtA";  ///< data: decode_full_ea_list (fscc_file.hpp)
inline constexpr std::string_view kSecD = "SecD";  ///< data: SecurityDescriptor
inline constexpr std::string_view kDHnQ = "DHnQ";
inline constexpr std::string_view kDHnC = "DHnC";
inline constexpr std::string_view kAlSi = "AlSi";
inline constexpr std::string_view kMxAc = "MxAc";
inline constexpr std::string_view kTWrp = "TWrp";
inline constexpr std::string_view kQFid = "QFid";
inline constexpr std::string_view kRqLs = "RqLs";  ///< 32 bytes: LeaseContext; 52: LeaseContextV2
inline constexpr std::string_view kDH2Q = "DH2Q";
inline constexpr std::string_view kDH2C = "DH2C";
inline constexpr std::string_view kAapl = "AAPL";  ///< raw, Apple's
inline constexpr std::string_view kAppInstanceId{
    "\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74", 16};
inline constexpr std::string_view kAppInstanceVersion{
    "\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10", 16};
inline constexpr std::string_view kSvhdxOpenDevice{
    "\x9C\xCB\xCF\x9E\x04\xC1\xE6\x43\x98\x0E\x15\x8D\xA1\xF6\xEC\x83", 16};
/// SMB3 POSIX extensions; data is a u32 mode. Raw otherwise.
inline constexpr std::string_view kPosix{
    "\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C", 16};
}  // namespace create_tag

/// The first context with this tag, or null.
[[nodiscard]] const CreateContext* find_context(const std::vector<CreateContext>& contexts,
                                                std::string_view tag) noexcept;

/// Owns the data of contexts that are to be sent. `list()` borrows: keep the list object until the
/// response is encoded.
class CreateContextList {
 public:
  template <class T>
  void add(const T& value) {  ///< tag = T::kTag
    add(T::kTag, encoded(value));
  }
  void add(std::string_view tag, Bytes data) { items_.emplace_back(tag, std::move(data)); }
  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
  [[nodiscard]] std::vector<CreateContext> list() const;

 private:
  std::vector<std::pair<std::string, Bytes>> items_;
};

/// [MS-SMB2] 2.2.13.2.3 / 2.2.14.2.3: 16 resp. 8 reserved bytes.
struct DurableHandleRequest {
  static constexpr auto kTag = create_tag::kDHnQ;
};
struct DurableHandleResponse {
  static constexpr auto kTag = create_tag::kDHnQ;
};
/// [MS-SMB2] 2.2.13.2.4
struct DurableHandleReconnect {
  static constexpr auto kTag = create_tag::kDHnC;
  FileId data;
};
/// [MS-SMB2] 2.2.13.2.11
struct DurableHandleRequestV2 {
  static constexpr auto kTag = create_tag::kDH2Q;
  std::uint32_t timeout_ms = 0;
  std::uint32_t flags = 0;  ///< durable_handle_flags
  CreateGuid create_guid;
};
/// [MS-SMB2] 2.2.14.2.12
struct DurableHandleResponseV2 {
  static constexpr auto kTag = create_tag::kDH2Q;
  std::uint32_t timeout_ms = 0;
  std::uint32_t flags = 0;
};
/// [MS-SMB2] 2.2.13.2.12
struct DurableHandleReconnectV2 {
  static constexpr auto kTag = create_tag::kDH2C;
  FileId file_id;
  CreateGuid create_guid;
  std::uint32_t flags = 0;
};
/// [MS-SMB2] 2.2.13.2.6
struct AllocationSize {
  static constexpr auto kTag = create_tag::kAlSi;
  std::uint64_t allocation_size = 0;
};
/// [MS-SMB2] 2.2.13.2.5: empty, or a time; 0 stands for empty.
struct QueryMaximalAccessRequest {
  static constexpr auto kTag = create_tag::kMxAc;
  NtTime timestamp;
};
/// [MS-SMB2] 2.2.14.2.5
struct QueryMaximalAccessResponse {
  static constexpr auto kTag = create_tag::kMxAc;
  NtStatus query_status = NtStatus::Success;
  std::uint32_t maximal_access = 0;
};
/// [MS-SMB2] 2.2.13.2.7
struct TimewarpToken {
  static constexpr auto kTag = create_tag::kTWrp;
  NtTime timestamp;
};
/// [MS-SMB2] 2.2.14.2.9 SMB2_CREATE_QUERY_ON_DISK_ID response (the request is empty).
struct QueryOnDiskIdResponse {
  static constexpr auto kTag = create_tag::kQFid;
  std::uint64_t disk_file_id = 0;
  std::uint64_t volume_id = 0;
};
/// [MS-SMB2] 2.2.13.2.8 SMB2_CREATE_REQUEST_LEASE and 2.2.14.2.10 (same bytes): 32 bytes.
struct LeaseContext {
  static constexpr auto kTag = create_tag::kRqLs;
  static constexpr std::size_t kSize = 32;
  LeaseKey lease_key;
  std::uint32_t lease_state = 0;  ///< lease_state
  std::uint32_t lease_flags = 0;
};
/// [MS-SMB2] 2.2.13.2.10 SMB2_CREATE_REQUEST_LEASE_V2 and 2.2.14.2.11: 52 bytes.
struct LeaseContextV2 {
  static constexpr auto kTag = create_tag::kRqLs;
  static constexpr std::size_t kSize = 52;
  LeaseKey lease_key;
  std::uint32_t lease_state = 0;
  std::uint32_t lease_flags = 0;
  LeaseKey parent_lease_key;  ///< meaningful with lease_flags::kParentLeaseKeySet
  std::uint16_t epoch = 0;
};
/// [MS-SMB2] 2.2.13.2.13
struct AppInstanceIdContext {
  static constexpr auto kTag = create_tag::kAppInstanceId;
  AppInstanceId app_instance_id;
};
/// [MS-SMB2] 2.2.13.2.15
struct AppInstanceVersion {
  static constexpr auto kTag = create_tag::kAppInstanceVersion;
  std::uint64_t app_instance_version_high = 0;
  std::uint64_t app_instance_version_low = 0;
};

}  // namespace flotilla::wire
