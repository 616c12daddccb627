// Numbers of [MS-SMB2], scoped; the names are the specification's without their shared prefix.
#pragma once

#include <cstdint>

namespace flotilla::wire {

/// [MS-SMB2] 2.2.3, 2.2.4 DialectRevision.
enum class Dialect : std::uint16_t {
  Smb202 = 0x0202,
  Smb210 = 0x0210,
  Smb300 = 0x0300,
  Smb302 = 0x0302,
  Smb311 = 0x0311,
  Smb2Wildcard = 0x02FF,  ///< answer to an SMB1 negotiate that offered "SMB 2.???"
};

namespace security_mode {  // SMB2_NEGOTIATE_*
inline constexpr std::uint16_t kSigningEnabled = 0x0001;
inline constexpr std::uint16_t kSigningRequired = 0x0002;
}  // namespace security_mode

namespace capability {  // SMB2_GLOBAL_CAP_*
inline constexpr std::uint32_t kDfs = 0x00000001;
inline constexpr std::uint32_t kLeasing = 0x00000002;
inline constexpr std::uint32_t kLargeMtu = 0x00000004;
inline constexpr std::uint32_t kMultiChannel = 0x00000008;
inline constexpr std::uint32_t kPersistentHandles = 0x00000010;
inline constexpr std::uint32_t kDirectoryLeasing = 0x00000020;
inline constexpr std::uint32_t kEncryption = 0x00000040;
inline constexpr std::uint32_t kNotifications = 0x00000080;
}  // namespace capability

enum class NegotiateContextType : std::uint16_t {
  PreauthIntegrityCapabilities = 0x0001,
  EncryptionCapabilities = 0x0002,
  CompressionCapabilities = 0x0003,
  NetnameNegotiateContextId = 0x0005,
  TransportCapabilities = 0x0006,
  RdmaTransformCapabilities = 0x0007,
  SigningCapabilities = 0x0008,
  PosixExtensions = 0x0100,
};
enum class HashAlgorithm : std::uint16_t { Sha512 = 0x0001 };
enum class Cipher : std::uint16_t {
  None = 0,
  Aes128Ccm = 0x0001,
  Aes128Gcm = 0x0002,
  Aes256Ccm = 0x0003,
  Aes256Gcm = 0x0004,
};
enum class SigningAlgorithm : std::uint16_t { HmacSha256 = 0, AesCmac = 1, AesGmac = 2 };
enum class CompressionAlgorithm : std::uint16_t {
  None = 0,
  Lznt1 = 1,
  Lz77 = 2,
  Lz77Huffman = 3,
  PatternV1 = 4,
  Lz4 = 5,
};

namespace session_request_flags {
inline constexpr std::uint8_t kBinding = 0x01;
}
namespace session_flags {
inline constexpr std::uint16_t kIsGuest = 0x0001;
inline constexpr std::uint16_t kIsNull = 0x0002;
inline constexpr std::uint16_t kEncryptData = 0x0004;
}  // namespace session_flags

namespace tree_connect_flags {
inline constexpr std::uint16_t kClusterReconnect = 0x0001;
inline constexpr std::uint16_t kRedirectToOwner = 0x0002;
inline constexpr std::uint16_t kExtensionPresent = 0x0004;
}  // namespace tree_connect_flags
enum class ShareType : std::uint8_t { Disk = 1, Pipe = 2, Print = 3 };
namespace share_flags {
inline constexpr std::uint32_t kManualCaching = 0x00000000;
inline constexpr std::uint32_t kAutoCaching = 0x00000010;
inline constexpr std::uint32_t kVdoCaching = 0x00000020;
inline constexpr std::uint32_t kNoCaching = 0x00000030;
inline constexpr std::uint32_t kDfs = 0x00000001;
inline constexpr std::uint32_t kDfsRoot = 0x00000002;
inline constexpr std::uint32_t kRestrictExclusiveOpens = 0x00000100;
inline constexpr std::uint32_t kForceSharedDelete = 0x00000200;
inline constexpr std::uint32_t kAllowNamespaceCaching = 0x00000400;
inline constexpr std::uint32_t kAccessBasedDirectoryEnum = 0x00000800;
inline constexpr std::uint32_t kForceLevelIiOplock = 0x00001000;
inline constexpr std::uint32_t kEnableHashV1 = 0x00002000;
inline constexpr std::uint32_t kEnableHashV2 = 0x00004000;
inline constexpr std::uint32_t kEncryptData = 0x00008000;
inline constexpr std::uint32_t kIdentityRemoting = 0x00040000;
inline constexpr std::uint32_t kCompressData = 0x00100000;
inline constexpr std::uint32_t kIsolatedTransport = 0x00200000;
}  // namespace share_flags
namespace share_capability {
inline constexpr std::uint32_t kDfs = 0x00000008;
inline constexpr std::uint32_t kContinuousAvailability = 0x00000010;
inline constexpr std::uint32_t kScaleout = 0x00000020;
inline constexpr std::uint32_t kCluster = 0x00000040;
inline constexpr std::uint32_t kAsymmetric = 0x00000080;
inline constexpr std::uint32_t kRedirectToOwner = 0x00000100;
}  // namespace share_capability

/// [MS-SMB2] 2.2.13 RequestedOplockLevel.
enum class OplockLevel : std::uint8_t {
  None = 0x00,
  LevelII = 0x01,
  Exclusive = 0x08,
  Batch = 0x09,
  Lease = 0xFF,
};
namespace lease_state {
inline constexpr std::uint32_t kNone = 0x00;
inline constexpr std::uint32_t kReadCaching = 0x01;
inline constexpr std::uint32_t kHandleCaching = 0x02;
inline constexpr std::uint32_t kWriteCaching = 0x04;
}  // namespace lease_state
namespace lease_flags {
inline constexpr std::uint32_t kBreakInProgress = 0x00000002;
inline constexpr std::uint32_t kParentLeaseKeySet = 0x00000004;
inline constexpr std::uint32_t kBreakAckRequired = 0x00000001;  ///< in a break notification
}  // namespace lease_flags
namespace durable_handle_flags {
inline constexpr std::uint32_t kPersistent = 0x00000002;
}
enum class ImpersonationLevel : std::uint32_t {
  Anonymous = 0,
  Identification = 1,
  Impersonation = 2,
  Delegate = 3,
};
namespace share_access {
inline constexpr std::uint32_t kRead = 0x1;
inline constexpr std::uint32_t kWrite = 0x2;
inline constexpr std::uint32_t kDelete = 0x4;
}  // namespace share_access
enum class CreateDisposition : std::uint32_t {
  Supersede = 0,
  Open = 1,
  Create = 2,
  OpenIf = 3,
  Overwrite = 4,
  OverwriteIf = 5,
};
enum class CreateAction : std::uint32_t {
  Superseded = 0,
  Opened = 1,
  Created = 2,
  Overwritten = 3
};
namespace create_options {
inline constexpr std::uint32_t kDirectoryFile = 0x00000001;
inline constexpr std::uint32_t kWriteThrough = 0x00000002;
inline constexpr std::uint32_t kSequentialOnly = 0x00000004;
inline constexpr std::uint32_t kNoIntermediateBuffering = 0x00000008;
inline constexpr std::uint32_t kSynchronousIoAlert = 0x00000010;
inline constexpr std::uint32_t kSynchronousIoNonalert = 0x00000020;
inline constexpr std::uint32_t kNonDirectoryFile = 0x00000040;
inline constexpr std::uint32_t kCompleteIfOplocked = 0x00000100;
inline constexpr std::uint32_t kNoEaKnowledge = 0x00000200;
inline constexpr std::uint32_t kRandomAccess = 0x00000800;
inline constexpr std::uint32_t kDeleteOnClose = 0x00001000;
inline constexpr std::uint32_t kOpenByFileId = 0x00002000;
inline constexpr std::uint32_t kOpenForBackupIntent = 0x00004000;
inline constexpr std::uint32_t kNoCompression = 0x00008000;
inline constexpr std::uint32_t kOpenRemoteInstance = 0x00000400;
inline constexpr std::uint32_t kOpenRequiringOplock = 0x00010000;
inline constexpr std::uint32_t kDisallowExclusive = 0x00020000;
inline constexpr std::uint32_t kReserveOpfilter = 0x00100000;
inline constexpr std::uint32_t kOpenReparsePoint = 0x00200000;
inline constexpr std::uint32_t kOpenNoRecall = 0x00400000;
inline constexpr std::uint32_t kOpenForFreeSpaceQuery = 0x00800000;
}  // namespace create_options
namespace create_response_flags {
inline constexpr std::uint8_t kReparsePoint = 0x01;
}

/// [MS-SMB2] 2.2.13.1 SMB2 Access Mask Encoding; the same bits as an ACE's mask.
namespace access {
inline constexpr std::uint32_t kReadData = 0x00000001;
inline constexpr std::uint32_t kListDirectory = 0x00000001;
inline constexpr std::uint32_t kWriteData = 0x00000002;
inline constexpr std::uint32_t kAddFile = 0x00000002;
inline constexpr std::uint32_t kAppendData = 0x00000004;
inline constexpr std::uint32_t kAddSubdirectory = 0x00000004;
inline constexpr std::uint32_t kReadEa = 0x00000008;
inline constexpr std::uint32_t kWriteEa = 0x00000010;
inline constexpr std::uint32_t kExecute = 0x00000020;
inline constexpr std::uint32_t kTraverse = 0x00000020;
inline constexpr std::uint32_t kDeleteChild = 0x00000040;
inline constexpr std::uint32_t kReadAttributes = 0x00000080;
inline constexpr std::uint32_t kWriteAttributes = 0x00000100;
inline constexpr std::uint32_t kDelete = 0x00010000;
inline constexpr std::uint32_t kReadControl = 0x00020000;
inline constexpr std::uint32_t kWriteDac = 0x00040000;
inline constexpr std::uint32_t kWriteOwner = 0x00080000;
inline constexpr std::uint32_t kSynchronize = 0x00100000;
inline constexpr std::uint32_t kAccessSystemSecurity = 0x01000000;
inline constexpr std::uint32_t kMaximumAllowed = 0x02000000;
inline constexpr std::uint32_t kGenericAll = 0x10000000;
inline constexpr std::uint32_t kGenericExecute = 0x20000000;
inline constexpr std::uint32_t kGenericWrite = 0x40000000;
inline constexpr std::uint32_t kGenericRead = 0x80000000;
/// What the generic bits stand for on a file ([MS-SMB2] 2.2.13.1.1).
inline constexpr std::uint32_t kFileAllAccess = 0x001F01FF;
inline constexpr std::uint32_t kFileGenericRead = 0x00120089;
inline constexpr std::uint32_t kFileGenericWrite = 0x00120116;
inline constexpr std::uint32_t kFileGenericExecute = 0x001200A0;
}  // namespace access

namespace close_flags {
inline constexpr std::uint16_t kPostqueryAttrib = 0x0001;
}
namespace read_flags {
inline constexpr std::uint8_t kUnbuffered = 0x01;
inline constexpr std::uint8_t kRequestCompressed = 0x02;
}  // namespace read_flags
namespace write_flags {
inline constexpr std::uint32_t kWriteThrough = 0x00000001;
inline constexpr std::uint32_t kWriteUnbuffered = 0x00000002;
}  // namespace write_flags
namespace channel {
inline constexpr std::uint32_t kNone = 0;
inline constexpr std::uint32_t kRdmaV1 = 1;
inline constexpr std::uint32_t kRdmaV1Invalidate = 2;
inline constexpr std::uint32_t kRdmaTransform = 3;
}  // namespace channel
namespace lock_flags {
inline constexpr std::uint32_t kSharedLock = 0x01;
inline constexpr std::uint32_t kExclusiveLock = 0x02;
inline constexpr std::uint32_t kUnlock = 0x04;
inline constexpr std::uint32_t kFailImmediately = 0x10;
}  // namespace lock_flags
namespace ioctl_flags {
inline constexpr std::uint32_t kIsFsctl = 0x00000001;
}
namespace query_directory_flags {
inline constexpr std::uint8_t kRestartScans = 0x01;
inline constexpr std::uint8_t kReturnSingleEntry = 0x02;
inline constexpr std::uint8_t kIndexSpecified = 0x04;
inline constexpr std::uint8_t kReopen = 0x10;
}  // namespace query_directory_flags
namespace notify_flags {
inline constexpr std::uint16_t kWatchTree = 0x0001;
}
namespace notify_filter {  // FILE_NOTIFY_CHANGE_*
inline constexpr std::uint32_t kFileName = 0x00000001;
inline constexpr std::uint32_t kDirName = 0x00000002;
inline constexpr std::uint32_t kAttributes = 0x00000004;
inline constexpr std::uint32_t kSize = 0x00000008;
inline constexpr std::uint32_t kLastWrite = 0x00000010;
inline constexpr std::uint32_t kLastAccess = 0x00000020;
inline constexpr std::uint32_t kCreation = 0x00000040;
inline constexpr std::uint32_t kEa = 0x00000080;
inline constexpr std::uint32_t kSecurity = 0x00000100;
inline constexpr std::uint32_t kStreamName = 0x00000200;
inline constexpr std::uint32_t kStreamSize = 0x00000400;
inline constexpr std::uint32_t kStreamWrite = 0x00000800;
}  // namespace notify_filter
/// [MS-FSCC] 2.7.1 FILE_NOTIFY_INFORMATION, Action.
enum class NotifyAction : std::uint32_t {
  Added = 1,
  Removed = 2,
  Modified = 3,
  RenamedOldName = 4,
  RenamedNewName = 5,
  AddedStream = 6,
  RemovedStream = 7,
  ModifiedStream = 8,
};
/// [MS-SMB2] 2.2.37 InfoType.
enum class InfoType : std::uint8_t { File = 1, Filesystem = 2, Security = 3, Quota = 4 };
namespace security_information {
inline constexpr std::uint32_t kOwner = 0x00000001;
inline constexpr std::uint32_t kGroup = 0x00000002;
inline constexpr std::uint32_t kDacl = 0x00000004;
inline constexpr std::uint32_t kSacl = 0x00000008;
inline constexpr std::uint32_t kLabel = 0x00000010;
inline constexpr std::uint32_t kAttribute = 0x00000020;
inline constexpr std::uint32_t kScope = 0x00000040;
inline constexpr std::uint32_t kBackup = 0x00010000;
}  // namespace security_information
namespace query_info_flags {  // with FileFullEaInformation
inline constexpr std::uint32_t kRestartScan = 0x00000001;
inline constexpr std::uint32_t kReturnSingleEntry = 0x00000002;
inline constexpr std::uint32_t kIndexSpecified = 0x00000004;
}  // namespace query_info_flags

/// [MS-SMB2] 2.2.31, [MS-FSCC] 2.3: control codes.
namespace fsctl {
inline constexpr std::uint32_t kDfsGetReferrals = 0x00060194;
inline constexpr std::uint32_t kDfsGetReferralsEx = 0x000601B0;
inline constexpr std::uint32_t kPipePeek = 0x0011400C;
inline constexpr std::uint32_t kPipeWait = 0x00110018;
inline constexpr std::uint32_t kPipeTransceive = 0x0011C017;
inline constexpr std::uint32_t kSrvCopychunk = 0x001440F2;
inline constexpr std::uint32_t kSrvCopychunkWrite = 0x001480F2;
inline constexpr std::uint32_t kSrvEnumerateSnapshots = 0x00144064;
inline constexpr std::uint32_t kSrvRequestResumeKey = 0x00140078;
inline constexpr std::uint32_t kSrvReadHash = 0x001441BB;
inline constexpr std::uint32_t kLmrRequestResiliency = 0x001401D4;
inline constexpr std::uint32_t kQueryNetworkInterfaceInfo = 0x001401FC;
inline constexpr std::uint32_t kValidateNegotiateInfo = 0x00140204;
inline constexpr std::uint32_t kSetReparsePoint = 0x000900A4;
inline constexpr std::uint32_t kGetReparsePoint = 0x000900A8;
inline constexpr std::uint32_t kDeleteReparsePoint = 0x000900AC;
inline constexpr std::uint32_t kFileLevelTrim = 0x00098208;
inline constexpr std::uint32_t kSetSparse = 0x000900C4;
inline constexpr std::uint32_t kSetZeroData = 0x000980C8;
inline constexpr std::uint32_t kQueryAllocatedRanges = 0x000940CF;
inline constexpr std::uint32_t kGetCompression = 0x0009003C;
inline constexpr std::uint32_t kSetCompression = 0x0009C040;
inline constexpr std::uint32_t kGetObjectId = 0x0009009C;
inline constexpr std::uint32_t kSetObjectId = 0x00090098;
inline constexpr std::uint32_t kSetObjectIdExtended = 0x000900BC;
inline constexpr std::uint32_t kDeleteObjectId = 0x000900A0;
inline constexpr std::uint32_t kCreateOrGetObjectId = 0x000900C0;
inline constexpr std::uint32_t kGetIntegrityInformation = 0x0009027C;
inline constexpr std::uint32_t kSetIntegrityInformation = 0x0009C280;
inline constexpr std::uint32_t kDuplicateExtentsToFile = 0x00098344;
inline constexpr std::uint32_t kDuplicateExtentsToFileEx = 0x000983E8;
inline constexpr std::uint32_t kOffloadRead = 0x00094264;
inline constexpr std::uint32_t kOffloadWrite = 0x00098268;
inline constexpr std::uint32_t kGetNtfsVolumeData = 0x00090064;
inline constexpr std::uint32_t kFilesystemGetStatistics = 0x00090060;
inline constexpr std::uint32_t kIsPathnameValid = 0x0009002C;
inline constexpr std::uint32_t kIsVolumeDirty = 0x00090078;
inline constexpr std::uint32_t kQueryFileRegions = 0x00090284;
inline constexpr std::uint32_t kQueryOnDiskVolumeInfo = 0x0009013C;
inline constexpr std::uint32_t kQuerySparingInfo = 0x00090138;
inline constexpr std::uint32_t kReadFileUsnData = 0x000900EB;
inline constexpr std::uint32_t kFindFilesBySid = 0x0009008F;
inline constexpr std::uint32_t kSetEncryption = 0x000900D7;
inline constexpr std::uint32_t kSvhdxSyncTunnelRequest = 0x00090304;
inline constexpr std::uint32_t kQuerySharedVirtualDiskSupport = 0x00090300;
inline constexpr std::uint32_t kStorageQosControl = 0x00090350;
}  // namespace fsctl

/// [MS-FSCC] 2.1.2.1 reparse tags that a server meets.
namespace reparse_tag {
inline constexpr std::uint32_t kMountPoint = 0xA0000003;
inline constexpr std::uint32_t kSymlink = 0xA000000C;
inline constexpr std::uint32_t kNfs = 0x80000014;
inline constexpr std::uint32_t kLxSymlink = 0xA000001D;
inline constexpr std::uint32_t kAfUnix = 0x80000023;
inline constexpr std::uint32_t kLxFifo = 0x80000024;
inline constexpr std::uint32_t kLxChr = 0x80000025;
inline constexpr std::uint32_t kLxBlk = 0x80000026;
}  // namespace reparse_tag

}  // namespace flotilla::wire
