// [MS-FSCC] 2.5: what QUERY_INFO answers about a file system.
#pragma once

#include <array>
#include <string>

#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/fscc_constants.hpp"

namespace flotilla::wire {

/// [MS-FSCC] 2.5.9
struct FileFsVolumeInformation {
  NtTime volume_creation_time;
  std::uint32_t volume_serial_number = 0;
  std::uint8_t supports_objects = 0;
  std::u16string volume_label;
};
/// [MS-FSCC] 2.5.5
struct FileFsLabelInformation {
  std::u16string volume_label;
};
/// [MS-FSCC] 2.5.8
struct FileFsSizeInformation {
  std::uint64_t total_allocation_units = 0;
  std::uint64_t available_allocation_units = 0;
  std::uint32_t sectors_per_allocation_unit = 0;
  std::uint32_t bytes_per_sector = 0;
};
/// [MS-FSCC] 2.5.10
struct FileFsDeviceInformation {
  std::uint32_t device_type = 0;      ///< device_type
  std::uint32_t characteristics = 0;  ///< device_characteristics
};
/// [MS-FSCC] 2.5.1
struct FileFsAttributeInformation {
  std::uint32_t file_system_attributes = 0;  ///< fs_attribute
  std::uint32_t maximum_component_name_length = 255;
  std::u16string file_system_name;
};
/// [MS-FSCC] 2.5.2
struct FileFsControlInformation {
  std::uint64_t free_space_start_filtering = 0;
  std::uint64_t free_space_threshold = 0;
  std::uint64_t free_space_stop_filtering = 0;
  std::uint64_t default_quota_threshold = ~std::uint64_t{0};
  std::uint64_t default_quota_limit = ~std::uint64_t{0};
  std::uint32_t file_system_control_flags = 0;
};
/// [MS-FSCC] 2.5.4
struct FileFsFullSizeInformation {
  std::uint64_t total_allocation_units = 0;
  std::uint64_t caller_available_allocation_units = 0;
  std::uint64_t actual_available_allocation_units = 0;
  std::uint32_t sectors_per_allocation_unit = 0;
  std::uint32_t bytes_per_sector = 0;
};
/// [MS-FSCC] 2.5.6
struct FileFsObjectIdInformation {
  std::array<std::uint8_t, 16> object_id{};
  std::array<std::uint8_t, 48> extended_info{};
};
/// [MS-FSCC] 2.5.7
struct FileFsSectorSizeInformation {
  static constexpr std::uint32_t kAlignedDevice = 0x00000001;
  static constexpr std::uint32_t kPartitionAlignedOnDevice = 0x00000002;
  std::uint32_t logical_bytes_per_sector = 512;
  std::uint32_t physical_bytes_per_sector_for_atomicity = 512;
  std::uint32_t physical_bytes_per_sector_for_performance = 512;
  std::uint32_t effective_physical_bytes_per_sector_for_atomicity = 512;
  std::uint32_t flags = kAlignedDevice | kPartitionAlignedOnDevice;
  std::uint32_t byte_offset_for_sector_alignment = 0;
  std::uint32_t byte_offset_for_partition_alignment = 0;
};

}  // namespace flotilla::wire
