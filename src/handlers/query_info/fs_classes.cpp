// The share's file system, as clients see it. Calls into the backend block.
#include "handlers/query_info/info_answer.hpp"
#include "wire/fscc.hpp"
#include "wire/posix.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

using Class = wire::FsInformationClass;

constexpr std::uint32_t kSectorBytes = 512;

template <class T>
InfoAnswer fixed(const T& info, std::size_t fixed_bytes) {
  return {wire::encoded(info), fixed_bytes};
}

std::uint32_t attributes_of(const FileOpen& target, const ports::VolumeFacts& volume) {
  namespace fs = wire::fs_attribute;
  std::uint32_t attributes = fs::kCasePreservedNames | fs::kUnicodeOnDisk | fs::kPersistentAcls |
                             fs::kSupportsHardLinks | fs::kSupportsExtendedAttributes |
                             fs::kNamedStreams | fs::kSupportsSparseFiles | fs::kSupportsObjectIds;
  // As NTFS has it: names differ by case where somebody makes them so by other means.
  attributes |= fs::kCaseSensitiveSearch;
  if (!target.share->config.named_streams) attributes &= ~fs::kNamedStreams;
  if (volume.compresses) attributes |= fs::kFileCompression;
  if (volume.clones) attributes |= fs::kSupportsBlockRefcounting;
  if (volume.read_only || target.share->config.read_only) attributes |= fs::kReadOnlyVolume;
  return attributes;
}

}  // namespace

Result<InfoAnswer> query_filesystem(const FileOpen& target, const wire::QueryInfoRequest& query) {
  const auto volume = target.share->backend->volume();
  if (!volume) return fail(volume.error());
  const std::uint32_t block_bytes = volume->block_bytes ? volume->block_bytes : 4096;
  const std::uint32_t sectors = std::max(block_bytes / kSectorBytes, 1U);
  const std::uint64_t unit_bytes = std::uint64_t{sectors} * kSectorBytes;
  switch (static_cast<Class>(query.file_info_class)) {
    case Class::FileFsVolumeInformation: {
      wire::FileFsVolumeInformation info;
      info.volume_creation_time = volume->created;
      info.volume_serial_number =
          static_cast<std::uint32_t>(volume->serial ^ (volume->serial >> 32));
      info.volume_label = wire::utf16_of(target.share->config.name).value_or(u"");
      return fixed(info, 24);
    }
    case Class::FileFsSizeInformation: {
      wire::FileFsSizeInformation info;
      info.total_allocation_units = volume->total_bytes / unit_bytes;
      info.available_allocation_units = volume->available_bytes / unit_bytes;
      info.sectors_per_allocation_unit = sectors;
      info.bytes_per_sector = kSectorBytes;
      return fixed(info, 24);
    }
    case Class::FileFsFullSizeInformation: {
      wire::FileFsFullSizeInformation info;
      info.total_allocation_units = volume->total_bytes / unit_bytes;
      info.caller_available_allocation_units = volume->available_bytes / unit_bytes;
      info.actual_available_allocation_units = volume->free_bytes / unit_bytes;
      info.sectors_per_allocation_unit = sectors;
      info.bytes_per_sector = kSectorBytes;
      return fixed(info, 32);
    }
    case Class::FileFsDeviceInformation: {
      wire::FileFsDeviceInformation info;
      info.device_type = wire::device_type::kDisk;
      info.characteristics = wire::device_characteristics::kDeviceIsMounted;
      if (volume->read_only || target.share->config.read_only) {
        info.characteristics |= wire::device_characteristics::kReadOnlyDevice;
      }
      return fixed(info, 8);
    }
    case Class::FileFsAttributeInformation: {
      wire::FileFsAttributeInformation info;
      info.file_system_attributes = attributes_of(target, *volume);
      info.file_system_name = u"NTFS";
      return fixed(info, 16);
    }
    case Class::FileFsControlInformation: {
      // No quotas: thresholds and limits of "none".
      return fixed(wire::FileFsControlInformation{}, 48);
    }
    case Class::FileFsObjectIdInformation: {
      wire::FileFsObjectIdInformation info;
      store_le(info.object_id.data(), target.share->backend->volume_id());
      store_le(info.object_id.data() + 8, volume->serial);
      return fixed(info, 64);
    }
    case Class::FileFsSectorSizeInformation: {
      constexpr std::uint32_t kTrimEnabled = 0x8;  // SSINFO_FLAGS_TRIM_ENABLED
      wire::FileFsSectorSizeInformation info;
      info.flags |= kTrimEnabled;
      info.physical_bytes_per_sector_for_atomicity = block_bytes;
      info.physical_bytes_per_sector_for_performance = block_bytes;
      info.effective_physical_bytes_per_sector_for_atomicity = block_bytes;
      return fixed(info, 28);
    }
    case Class::FileFsPosixInformation: {
      wire::PosixFsInformation info;
      info.optimal_transfer_size = info.block_size = block_bytes;
      info.total_blocks = volume->total_bytes / block_bytes;
      info.free_blocks = volume->free_bytes / block_bytes;
      info.available_blocks = volume->available_bytes / block_bytes;
      info.file_system_id = target.share->backend->volume_id();
      return fixed(info, 56);
    }
    case Class::FileFsLabelInformation:
    case Class::FileFsDriverPathInformation:
    case Class::FileFsVolumeFlagsInformation:
      return fail(NtStatus::NotSupported);
    default:
      return fail(NtStatus::InvalidInfoClass);
  }
}

}  // namespace flotilla::handlers
