// Every struct that has the four verbs, as type lists: for tests and fuzzers that want them all.
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "wire/dcerpc.hpp"
#include "wire/fscc.hpp"
#include "wire/macos.hpp"
#include "wire/smb2.hpp"

namespace flotilla::wire {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t kSize = sizeof...(Ts);
};

/// Calls `f(std::type_identity<T>{})` for the list's type number `index`.
template <class... Ts, class F>
void with_type(TypeList<Ts...>, std::size_t index, F&& f) {
  std::size_t i = 0;
  (void)((i++ == index ? (f(std::type_identity<Ts>{}), true) : false) || ...);
}
template <class... Ts, class F>
void for_each_type(TypeList<Ts...>, F&& f) {
  (f(std::type_identity<Ts>{}), ...);
}

/// What follows an SMB2 header.
using MessageTypes =
    TypeList<NegotiateRequest, NegotiateResponse, SessionSetupRequest, SessionSetupResponse,
             LogoffRequest, LogoffResponse, TreeConnectRequest, TreeConnectResponse,
             TreeDisconnectRequest, TreeDisconnectResponse, EchoRequest, EchoResponse,
             CancelRequest, CreateRequest, CreateResponse, CloseRequest, CloseResponse,
             FlushRequest, FlushResponse, ReadRequest, ReadResponse, WriteRequest, WriteResponse,
             LockRequest, LockResponse, OplockBreak, LeaseBreakNotification, LeaseBreak,
             IoctlRequest, IoctlResponse, QueryDirectoryRequest, QueryDirectoryResponse,
             ChangeNotifyRequest, ChangeNotifyResponse, QueryInfoRequest, QueryInfoResponse,
             SetInfoRequest, SetInfoResponse, ErrorResponse>;

/// What is inside messages of [MS-SMB2] itself.
using PayloadTypes = TypeList<
    PreauthIntegrityCapabilities, EncryptionCapabilities, CompressionCapabilities,
    CompressionPattern, NetnameNegotiateContextId, TransportCapabilities, SigningCapabilities,
    DurableHandleRequest, DurableHandleResponse, DurableHandleReconnect, DurableHandleRequestV2,
    DurableHandleResponseV2, DurableHandleReconnectV2, AllocationSize, QueryMaximalAccessRequest,
    QueryMaximalAccessResponse, TimewarpToken, QueryOnDiskIdResponse, LeaseContext, LeaseContextV2,
    AppInstanceIdContext, AppInstanceVersion, ValidateNegotiateInfoRequest,
    ValidateNegotiateInfoResponse, SrvCopychunkCopy, SrvCopychunkResponse,
    SrvRequestResumeKeyResponse, SrvSnapshotArray, NetworkResiliencyRequest, PipeWaitRequest,
    ReparseDataBuffer, SymbolicLinkReparseDataBuffer, FileZeroDataInformation, FileAllocatedRange,
    FileSetSparseBuffer, CompressionFormat, DuplicateExtentsData, FileObjectIdBuffer, FileLevelTrim,
    OffloadReadInput, OffloadReadOutput, OffloadWriteInput, OffloadWriteOutput, DfsReferralRequest,
    MacServerQuery, MacServerAnswer, SymbolicLinkErrorResponse, BufferTooSmallErrorData, Smb2Header,
    TransformHeader, CompressionTransformHeader>;

/// [MS-FSCC].
using FsccTypes =
    TypeList<FileBasicInformation, FileStandardInformation, FileInternalInformation,
             FileEaInformation, FileAccessInformation, FilePositionInformation, FileModeInformation,
             FileAlignmentInformation, FileNameInformation, FileAllInformation,
             FileCompressionInformation, FileNetworkOpenInformation, FileAttributeTagInformation,
             FileIdInformation, FileRenameInformation, FileRenameInformationEx,
             FileDispositionInformation, FileDispositionInformationEx, FileEndOfFileInformation,
             FileAllocationInformation, FileValidDataLengthInformation, FilePipeInformation,
             FilePipeLocalInformation, FileFsVolumeInformation, FileFsLabelInformation,
             FileFsSizeInformation, FileFsDeviceInformation, FileFsAttributeInformation,
             FileFsControlInformation, FileFsFullSizeInformation, FileFsObjectIdInformation,
             FileFsSectorSizeInformation>;

/// DCE/RPC bodies.
using RpcTypes = TypeList<RpcBind, RpcBindAck, RpcBindNak, RpcRequest, RpcResponse, RpcFault>;

/// Bytes in front of T in a decoder's input: the SMB2 header of a message.
template <class T, class... Ts>
[[nodiscard]] constexpr bool is_in(TypeList<Ts...>) noexcept {
  return (std::is_same_v<T, Ts> || ...);
}
template <class T>
inline constexpr std::size_t kBytesInFront = is_in<T>(MessageTypes{}) ? kSmb2HeaderSize : 0;

}  // namespace flotilla::wire
