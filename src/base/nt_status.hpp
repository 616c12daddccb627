// NtStatus: the answers the protocol knows. This file must not know who sends them.
#pragma once

#include <cstdint>
#include <string_view>

namespace flotilla {

/// NTSTATUS values that Flotilla sends or understands.
/// Spec    [MS-ERREF] 2.3.1 NTSTATUS Values; [MS-SMB2] 2.2.2 SMB2 ERROR Response
/// The name is the specification's without STATUS_, so grep works both ways.
#define FLOTILLA_NT_STATUS_LIST(X)      \
  X(Success, 0x00000000)                \
  X(Pending, 0x00000103)                \
  X(NotifyCleanup, 0x0000010B)          \
  X(NotifyEnumDir, 0x0000010C)          \
  X(SomeNotMapped, 0x00000107)          \
  X(MoreEntries, 0x00000105)            \
  X(BufferOverflow, 0x80000005)         \
  X(NoMoreFiles, 0x80000006)            \
  X(NoMoreEntries, 0x8000001A)          \
  X(StoppedOnSymlink, 0x8000002D)       \
  X(Unsuccessful, 0xC0000001)           \
  X(NotImplemented, 0xC0000002)         \
  X(InvalidInfoClass, 0xC0000003)       \
  X(InfoLengthMismatch, 0xC0000004)     \
  X(InvalidHandle, 0xC0000008)          \
  X(InvalidParameter, 0xC000000D)       \
  X(NoSuchDevice, 0xC000000E)           \
  X(NoSuchFile, 0xC000000F)             \
  X(InvalidDeviceRequest, 0xC0000010)   \
  X(EndOfFile, 0xC0000011)              \
  X(MoreProcessingRequired, 0xC0000016) \
  X(NoMemory, 0xC0000017)               \
  X(InvalidViewSize, 0xC000001F)        \
  X(AccessDenied, 0xC0000022)           \
  X(BufferTooSmall, 0xC0000023)         \
  X(ObjectNameInvalid, 0xC0000033)      \
  X(ObjectNameNotFound, 0xC0000034)     \
  X(ObjectNameCollision, 0xC0000035)    \
  X(ObjectPathInvalid, 0xC0000039)      \
  X(ObjectPathNotFound, 0xC000003A)     \
  X(ObjectPathSyntaxBad, 0xC000003B)    \
  X(SharingViolation, 0xC0000043)       \
  X(QuotaExceeded, 0xC0000044)          \
  X(EaTooLarge, 0xC0000050)             \
  X(NonexistentEaEntry, 0xC0000051)     \
  X(NoEasOnFile, 0xC0000052)            \
  X(FileLockConflict, 0xC0000054)       \
  X(LockNotGranted, 0xC0000055)         \
  X(DeletePending, 0xC0000056)          \
  X(PrivilegeNotHeld, 0xC0000061)       \
  X(WrongPassword, 0xC000006A)          \
  X(LogonFailure, 0xC000006D)           \
  X(AccountRestriction, 0xC000006E)     \
  X(PasswordExpired, 0xC0000071)        \
  X(AccountDisabled, 0xC0000072)        \
  X(NoneMapped, 0xC0000073)             \
  X(InvalidAcl, 0xC0000077)             \
  X(InvalidSid, 0xC0000078)             \
  X(InvalidSecurityDescr, 0xC0000079)   \
  X(RangeNotLocked, 0xC000007E)         \
  X(DiskFull, 0xC000007F)               \
  X(InsufficientResources, 0xC000009A)  \
  X(MediaWriteProtected, 0xC00000A2)    \
  X(DeviceNotReady, 0xC00000A3)         \
  X(BadImpersonationLevel, 0xC00000A5)  \
  X(PipeNotAvailable, 0xC00000AC)       \
  X(InvalidPipeState, 0xC00000AD)       \
  X(PipeBusy, 0xC00000AE)               \
  X(PipeDisconnected, 0xC00000B0)       \
  X(IoTimeout, 0xC00000B5)              \
  X(FileForcedClosed, 0xC00000B6)       \
  X(FileIsADirectory, 0xC00000BA)       \
  X(NotSupported, 0xC00000BB)           \
  X(BadNetworkName, 0xC00000CC)         \
  X(RequestNotAccepted, 0xC00000D0)     \
  X(NetworkAccessDenied, 0xC00000CA)    \
  X(NetworkNameDeleted, 0xC00000C9)     \
  X(BadDeviceType, 0xC00000CB)          \
  X(NotSameDevice, 0xC00000D4)          \
  X(FileRenamed, 0xC00000D5)            \
  X(InvalidOplockProtocol, 0xC00000E3)  \
  X(InternalError, 0xC00000E5)          \
  X(UnexpectedIoError, 0xC00000E9)      \
  X(DirectoryNotEmpty, 0xC0000101)      \
  X(NotADirectory, 0xC0000103)          \
  X(NameTooLong, 0xC0000106)            \
  X(TooManyOpenedFiles, 0xC000011F)     \
  X(Cancelled, 0xC0000120)              \
  X(CannotDelete, 0xC0000121)           \
  X(FileDeleted, 0xC0000123)            \
  X(FileClosed, 0xC0000128)             \
  X(NoSuchLogonSession, 0xC000005F)     \
  X(NoSuchUser, 0xC0000064)             \
  X(NotFound, 0xC0000225)               \
  X(UserSessionDeleted, 0xC0000203)     \
  X(InsuffServerResources, 0xC0000205)  \
  X(InvalidDeviceState, 0xC0000184)     \
  X(TooManyLinks, 0xC0000265)           \
  X(PathNotCovered, 0xC0000257)         \
  X(NetworkSessionExpired, 0xC000035C)  \
  X(DuplicateObjectid, 0xC000022A)      \
  X(ObjectidNotFound, 0xC00002F0)       \
  X(NotAReparsePoint, 0xC0000275)       \
  X(IoReparseTagInvalid, 0xC0000276)    \
  X(IoReparseTagMismatch, 0xC0000277)   \
  X(IoReparseDataInvalid, 0xC0000278)   \
  X(IoReparseTagNotHandled, 0xC0000279) \
  X(RequestOutOfSequence, 0xC000042A)   \
  X(FileNotAvailable, 0xC0000467)       \
  X(InvalidLockRange, 0xC00001A1)       \
  X(FsDriverRequired, 0xC000019C)       \
  X(InvalidNetworkResponse, 0xC00000C3) \
  X(HandleNoLongerValid, 0xC0190028)    \
  X(CrcError, 0xC000003F)               \
  X(DataError, 0xC000003E)              \
  X(NotLocked, 0xC000002A)              \
  X(LogonTypeNotGranted, 0xC000015B)    \
  X(NoSuchDomain, 0xC00000DF)           \
  X(AccountLockedOut, 0xC0000234)       \
  X(ServerUnavailable, 0xC0000466)      \
  X(DfsUnavailable, 0xC000026D)         \
  X(VolumeDismounted, 0xC000026E)       \
  X(InvalidNetworkName, 0xC00000C4)     \
  X(SmbBadClusterDialect, 0xC05D0001)   \
  X(SmbNoPreauthIntegrityHashOverlap, 0xC05D0000)

enum class NtStatus : std::uint32_t {
#define FLOTILLA_X(name, value) name = value,
  FLOTILLA_NT_STATUS_LIST(FLOTILLA_X)
#undef FLOTILLA_X
};

/// Name without STATUS_, e.g. "SharingViolation"; "Unknown" for a value that is not in the list.
[[nodiscard]] std::string_view name_of(NtStatus status) noexcept;

/// Severity bits 30-31 equal to 3: the request failed and the reply is an SMB2 ERROR Response.
[[nodiscard]] constexpr bool is_error(NtStatus status) noexcept {
  return (static_cast<std::uint32_t>(status) >> 30) == 3U;
}

}  // namespace flotilla
