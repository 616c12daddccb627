// SMB2 SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, ECHO, CANCEL.
#pragma once

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.5 SMB2 SESSION_SETUP Request.
struct SessionSetupRequest {
  std::uint8_t flags = 0;  ///< session_request_flags
  std::uint8_t security_mode = 0;
  std::uint32_t capabilities = 0;
  std::uint32_t channel = 0;
  SessionId previous_session_id;
  ByteView security_buffer;
};
/// [MS-SMB2] 2.2.6 SMB2 SESSION_SETUP Response.
struct SessionSetupResponse {
  std::uint16_t session_flags = 0;  ///< session_flags
  ByteView security_buffer;
};
/// [MS-SMB2] 2.2.7, 2.2.8
struct LogoffRequest {};
struct LogoffResponse {};

/// [MS-SMB2] 2.2.9.2 SMB2 TREE_CONNECT_CONTEXT
struct TreeConnectContext {
  std::uint16_t context_type = 0;  ///< 1: SMB2_REMOTED_IDENTITY_TREE_CONNECT_CONTEXT_ID
  ByteView data;
};
/// [MS-SMB2] 2.2.9 SMB2 TREE_CONNECT Request; 2.2.9.1 with tree_connect_flags::kExtensionPresent.
struct TreeConnectRequest {
  std::uint16_t flags = 0;
  std::u16string path;                                    ///< \\server\share
  std::vector<TreeConnectContext> tree_connect_contexts;  ///< with kExtensionPresent only
};
/// [MS-SMB2] 2.2.10 SMB2 TREE_CONNECT Response.
struct TreeConnectResponse {
  ShareType share_type = ShareType::Disk;
  std::uint32_t share_flags = 0;
  std::uint32_t capabilities = 0;  ///< share_capability
  std::uint32_t maximal_access = 0;
};
/// [MS-SMB2] 2.2.11, 2.2.12, 2.2.28, 2.2.29, 2.2.30
struct TreeDisconnectRequest {};
struct TreeDisconnectResponse {};
struct EchoRequest {};
struct EchoResponse {};
struct CancelRequest {};

}  // namespace flotilla::wire
