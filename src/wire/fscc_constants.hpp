// Numbers of [MS-FSCC], scoped; the names are the specification's without their shared prefix.
#pragma once

#include <cstdint>

namespace flotilla::wire {

/// [MS-FSCC] 2.4 File Information Classes.
enum class FileInformationClass : std::uint8_t {
  FileDirectoryInformation = 1,
  FileFullDirectoryInformation = 2,
  FileBothDirectoryInformation = 3,
  FileBasicInformation = 4,
  FileStandardInformation = 5,
  FileInternalInformation = 6,
  FileEaInformation = 7,
  FileAccessInformation = 8,
  FileNameInformation = 9,
  FileRenameInformation = 10,
  FileLinkInformation = 11,
  FileNamesInformation = 12,
  FileDispositionInformation = 13,
  FilePositionInformation = 14,
  FileFullEaInformation = 15,
  FileModeInformation = 16,
  FileAlignmentInformation = 17,
  FileAllInformation = 18,
  FileAllocationInformation = 19,
  FileEndOfFileInformation = 20,
  FileAlternateNameInformation = 21,
  FileStreamInformation = 22,
  FilePipeInformation = 23,
  FilePipeLocalInformation = 24,
  FilePipeRemoteInformation = 25,
  FileMailslotQueryInformation = 26,
  FileMailslotSetInformation = 27,
  FileCompressionInformation = 28,
  FileObjectIdInformation = 29,
  FileQuotaInformation = 32,
  FileReparsePointInformation = 33,
  FileNetworkOpenInformation = 34,
  FileAttributeTagInformation = 35,
  FileIdBothDirectoryInformation = 37,
  FileIdFullDirectoryInformation = 38,
  FileValidDataLengthInformation = 39,
  FileShortNameInformation = 40,
  FileSfioReserveInformation = 44,
  FileHardLinkInformation = 46,
  FileNormalizedNameInformation = 48,
  FileIdGlobalTxDirectoryInformation = 50,
  FileStandardLinkInformation = 54,
  FileIdInformation = 59,
  FileIdExtdDirectoryInformation = 60,
  FileDispositionInformationEx = 64,
  FileRenameInformationEx = 65,
  FileIdExtdBothDirectoryInformation = 63,
  FilePosixInformation = 100,  ///< SMB3 POSIX extensions
};

/// [MS-FSCC] 2.5 File System Information Classes.
enum class FsInformationClass : std::uint8_t {
  FileFsVolumeInformation = 1,
  FileFsLabelInformation = 2,
  FileFsSizeInformation = 3,
  FileFsDeviceInformation = 4,
  FileFsAttributeInformation = 5,
  FileFsControlInformation = 6,
  FileFsFullSizeInformation = 7,
  FileFsObjectIdInformation = 8,
  FileFsDriverPathInformation = 9,
  FileFsVolumeFlagsInformation = 10,
  FileFsSectorSizeInformation = 11,
  FileFsPosixInformation = 100,
};

/// [MS-FSCC] 2.6 File Attributes.
namespace file_attribute {
inline constexpr std::uint32_t kReadonly = 0x00000001;
inline constexpr std::uint32_t kHidden = 0x00000002;
inline constexpr std::uint32_t kSystem = 0x00000004;
inline constexpr std::uint32_t kDirectory = 0x00000010;
inline constexpr std::uint32_t kArchive = 0x00000020;
inline constexpr std::uint32_t kNormal = 0x00000080;
inline constexpr std::uint32_t kTemporary = 0x00000100;
inline constexpr std::uint32_t kSparseFile = 0x00000200;
inline constexpr std::uint32_t kReparsePoint = 0x00000400;
inline constexpr std::uint32_t kCompressed = 0x00000800;
inline constexpr std::uint32_t kOffline = 0x00001000;
inline constexpr std::uint32_t kNotContentIndexed = 0x00002000;
inline constexpr std::uint32_t kEncrypted = 0x00004000;
inline constexpr std::uint32_t kIntegrityStream = 0x00008000;
inline constexpr std::uint32_t kNoScrubData = 0x00020000;
inline constexpr std::uint32_t kRecallOnOpen = 0x00040000;
inline constexpr std::uint32_t kPinned = 0x00080000;
inline constexpr std::uint32_t kUnpinned = 0x00100000;
inline constexpr std::uint32_t kRecallOnDataAccess = 0x00400000;
}  // namespace file_attribute

/// [MS-FSCC] 2.5.1 FileFsAttributeInformation, FileSystemAttributes.
namespace fs_attribute {
inline constexpr std::uint32_t kCaseSensitiveSearch = 0x00000001;
inline constexpr std::uint32_t kCasePreservedNames = 0x00000002;
inline constexpr std::uint32_t kUnicodeOnDisk = 0x00000004;
inline constexpr std::uint32_t kPersistentAcls = 0x00000008;
inline constexpr std::uint32_t kFileCompression = 0x00000010;
inline constexpr std::uint32_t kVolumeQuotas = 0x00000020;
inline constexpr std::uint32_t kSupportsSparseFiles = 0x00000040;
inline constexpr std::uint32_t kSupportsReparsePoints = 0x00000080;
inline constexpr std::uint32_t kVolumeIsCompressed = 0x00008000;
inline constexpr std::uint32_t kSupportsObjectIds = 0x00010000;
inline constexpr std::uint32_t kSupportsEncryption = 0x00020000;
inline constexpr std::uint32_t kNamedStreams = 0x00040000;
inline constexpr std::uint32_t kReadOnlyVolume = 0x00080000;
inline constexpr std::uint32_t kSupportsHardLinks = 0x00400000;
inline constexpr std::uint32_t kSupportsExtendedAttributes = 0x00800000;
inline constexpr std::uint32_t kSupportsOpenByFileId = 0x01000000;
inline constexpr std::uint32_t kSupportsBlockRefcounting = 0x08000000;
}  // namespace fs_attribute

/// [MS-FSCC] 2.5.10 FileFsDeviceInformation.
namespace device_type {
inline constexpr std::uint32_t kCdRom = 0x00000002;
inline constexpr std::uint32_t kDisk = 0x00000007;
inline constexpr std::uint32_t kNamedPipe = 0x00000011;
}  // namespace device_type
namespace device_characteristics {
inline constexpr std::uint32_t kReadOnlyDevice = 0x00000002;
inline constexpr std::uint32_t kRemoteDevice = 0x00000010;
inline constexpr std::uint32_t kDeviceIsMounted = 0x00000020;
}  // namespace device_characteristics

/// [MS-FSCC] 2.4.12 FileDispositionInformationEx, Flags.
namespace disposition_flags {
inline constexpr std::uint32_t kDelete = 0x00000001;
inline constexpr std::uint32_t kPosixSemantics = 0x00000002;
inline constexpr std::uint32_t kForceImageSectionCheck = 0x00000004;
inline constexpr std::uint32_t kOnClose = 0x00000008;
inline constexpr std::uint32_t kIgnoreReadonlyAttribute = 0x00000010;
}  // namespace disposition_flags
/// [MS-FSCC] 2.4.43 FileRenameInformationEx, Flags.
namespace rename_flags {
inline constexpr std::uint32_t kReplaceIfExists = 0x00000001;
inline constexpr std::uint32_t kPosixSemantics = 0x00000002;
inline constexpr std::uint32_t kIgnoreReadonlyAttribute = 0x00000040;
}  // namespace rename_flags
/// [MS-FSCC] 2.4.15 FileFullEaInformation, Flags.
namespace ea_flags {
inline constexpr std::uint8_t kNeedEa = 0x80;
}

}  // namespace flotilla::wire
