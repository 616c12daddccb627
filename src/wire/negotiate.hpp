// SMB2 NEGOTIATE and its contexts.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.3.1 SMB2 NEGOTIATE_CONTEXT: one of the list, undecoded.
struct NegotiateContext {
  NegotiateContextType context_type{};
  ByteView data;
};

/// [MS-SMB2] 2.2.3 SMB2 NEGOTIATE Request. Contexts are on the wire only where dialects has 3.1.1.
struct NegotiateRequest {
  std::uint16_t security_mode = 0;
  std::uint32_t capabilities = 0;
  ClientGuid client_guid;
  std::vector<Dialect> dialects;
  std::vector<NegotiateContext> negotiate_contexts;
};

/// [MS-SMB2] 2.2.4 SMB2 NEGOTIATE Response. Contexts are on the wire only for 3.1.1.
struct NegotiateResponse {
  std::uint16_t security_mode = 0;
  Dialect dialect_revision{};
  ServerGuid server_guid;
  std::uint32_t capabilities = 0;
  std::uint32_t max_transact_size = 0;
  std::uint32_t max_read_size = 0;
  std::uint32_t max_write_size = 0;
  NtTime system_time;
  NtTime server_start_time;
  ByteView security_buffer;  ///< SPNEGO NegTokenInit2
  std::vector<NegotiateContext> negotiate_contexts;
};

/// Where the context's data comes from: `NegotiateContext{T::kType, encoded(value)}`.
/// [MS-SMB2] 2.2.3.1.1
struct PreauthIntegrityCapabilities {
  static constexpr auto kType = NegotiateContextType::PreauthIntegrityCapabilities;
  std::vector<HashAlgorithm> hash_algorithms;
  ByteView salt;
};
/// [MS-SMB2] 2.2.3.1.2
struct EncryptionCapabilities {
  static constexpr auto kType = NegotiateContextType::EncryptionCapabilities;
  std::vector<Cipher> ciphers;
};
/// [MS-SMB2] 2.2.3.1.3
struct CompressionCapabilities {
  static constexpr auto kType = NegotiateContextType::CompressionCapabilities;
  static constexpr std::uint32_t kFlagChained = 0x00000001;
  std::uint32_t flags = 0;
  std::vector<CompressionAlgorithm> compression_algorithms;
};
/// [MS-SMB2] 2.2.3.1.4: the whole data is the name, without terminator.
struct NetnameNegotiateContextId {
  static constexpr auto kType = NegotiateContextType::NetnameNegotiateContextId;
  std::u16string net_name;
};
/// [MS-SMB2] 2.2.3.1.5
struct TransportCapabilities {
  static constexpr auto kType = NegotiateContextType::TransportCapabilities;
  static constexpr std::uint32_t kAcceptTransportLevelSecurity = 0x00000001;
  std::uint32_t flags = 0;
};
/// [MS-SMB2] 2.2.3.1.7
struct SigningCapabilities {
  static constexpr auto kType = NegotiateContextType::SigningCapabilities;
  std::vector<SigningAlgorithm> signing_algorithms;
};

/// The first context of this type, or null. [MS-SMB2] 3.3.5.4 refuses some duplicates: see count.
[[nodiscard]] const NegotiateContext* find_context(const std::vector<NegotiateContext>& contexts,
                                                   NegotiateContextType type) noexcept;
[[nodiscard]] std::size_t count_contexts(const std::vector<NegotiateContext>& contexts,
                                         NegotiateContextType type) noexcept;

}  // namespace flotilla::wire
