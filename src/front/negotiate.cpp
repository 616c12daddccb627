#include "front/negotiate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "crypto/preauth.hpp"
#include "wire/error_response.hpp"
#include "wire/negotiate.hpp"
#include "wire/posix.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front {
namespace {

using wire::Dialect;

constexpr Dialect kDialectsBestFirst[] = {Dialect::Smb311, Dialect::Smb302, Dialect::Smb300,
                                          Dialect::Smb210, Dialect::Smb202};
constexpr std::uint32_t kTransactBytes202 = 65536;

struct Choice {
  Dialect dialect{};
  std::uint16_t signing_algorithm = 0;
  std::uint16_t cipher = 0;
  bool signing_context = false;
  bool encryption_context = false;
  std::vector<std::uint16_t> compression;  ///< best first
  bool compression_context = false;
  bool compression_chained = false;
  bool posix = false;
};

wire::Smb2Header response_header(const wire::Smb2Header& request, NtStatus status) {
  wire::Smb2Header header;
  header.credit_charge = request.credit_charge;
  header.status = static_cast<std::uint32_t>(status);
  header.command = wire::Command::Negotiate;
  header.credits = 1;
  header.flags = wire::header_flags::kServerToRedir;
  header.message_id = request.message_id;
  header.tree_id = request.tree_id;
  return header;
}

NegotiateAnswer refuse(const wire::Smb2Header& request, NtStatus status) {
  NegotiateAnswer answer;
  answer.frame.resize(wire::kFrameHeaderSize);
  response_header(request, status).encode(answer.frame);
  wire::encode(wire::ErrorResponse{}, answer.frame);
  return answer;
}

std::optional<Dialect> best_dialect(const std::vector<Dialect>& offered,
                                    const ports::ServerConfig& config) {
  for (const Dialect dialect : kDialectsBestFirst) {
    const auto number = static_cast<std::uint16_t>(dialect);
    if (number < config.dialect_min || number > config.dialect_max) continue;
    if (std::ranges::find(offered, dialect) != offered.end()) return dialect;
  }
  return std::nullopt;
}

/// The first of `preferred` that the client lists too.
template <class T>
std::optional<T> common(std::span<const T> preferred, const std::vector<T>& offered) {
  for (const T candidate : preferred)
    if (std::ranges::find(offered, candidate) != offered.end()) return candidate;
  return std::nullopt;
}

std::uint16_t signing_by_dialect(Dialect dialect) {
  return static_cast<std::uint16_t>(dialect >= Dialect::Smb300
                                        ? wire::SigningAlgorithm::AesCmac
                                        : wire::SigningAlgorithm::HmacSha256);
}

/// [MS-SMB2] 3.3.5.4, SMB2_COMPRESSION_CAPABILITIES. Without chaining one algorithm is chosen:
/// there are clients that take a longer list for none at all (Linux).
NtStatus choose_compression(ByteView context, Choice& choice) {
  const auto offered = wire::decode<wire::CompressionCapabilities>(context);
  if (!offered || offered->compression_algorithms.empty()) return NtStatus::InvalidParameter;
  static constexpr wire::CompressionAlgorithm kPreferred[] = {
      wire::CompressionAlgorithm::Lz77, wire::CompressionAlgorithm::Lz77Huffman,
      wire::CompressionAlgorithm::Lznt1, wire::CompressionAlgorithm::PatternV1};
  choice.compression_context = true;
  choice.compression_chained = (offered->flags & wire::CompressionCapabilities::kFlagChained) != 0;
  for (const wire::CompressionAlgorithm algorithm : kPreferred) {
    if (std::ranges::find(offered->compression_algorithms, algorithm) ==
        offered->compression_algorithms.end())
      continue;
    if (!choice.compression_chained &&
        (!choice.compression.empty() || algorithm == wire::CompressionAlgorithm::PatternV1))
      continue;
    choice.compression.push_back(static_cast<std::uint16_t>(algorithm));
  }
  return NtStatus::Success;
}

/// The negotiate contexts of 3.1.1. Success: `choice` is filled.
NtStatus read_contexts(const wire::NegotiateRequest& request, bool encryption, bool compression,
                       Choice& choice) {
  using Type = wire::NegotiateContextType;
  const auto& contexts = request.negotiate_contexts;
  // Exactly one preauthentication context, and at most one of each of the others.
  if (wire::count_contexts(contexts, Type::PreauthIntegrityCapabilities) != 1)
    return NtStatus::InvalidParameter;
  for (const Type type : {Type::EncryptionCapabilities, Type::CompressionCapabilities,
                          Type::RdmaTransformCapabilities, Type::SigningCapabilities}) {
    if (wire::count_contexts(contexts, type) > 1) return NtStatus::InvalidParameter;
  }
  const auto preauth = wire::decode<wire::PreauthIntegrityCapabilities>(
      wire::find_context(contexts, Type::PreauthIntegrityCapabilities)->data);
  if (!preauth || preauth->hash_algorithms.empty()) return NtStatus::InvalidParameter;
  if (std::ranges::find(preauth->hash_algorithms, wire::HashAlgorithm::Sha512) ==
      preauth->hash_algorithms.end())
    return NtStatus::SmbNoPreauthIntegrityHashOverlap;

  if (const auto* context = wire::find_context(contexts, Type::EncryptionCapabilities)) {
    const auto offered = wire::decode<wire::EncryptionCapabilities>(context->data);
    if (!offered || offered->ciphers.empty()) return NtStatus::InvalidParameter;
    if (encryption) {
      static constexpr wire::Cipher kKnown[] = {wire::Cipher::Aes128Gcm, wire::Cipher::Aes128Ccm,
                                                wire::Cipher::Aes256Gcm, wire::Cipher::Aes256Ccm};
      // None in common is answered too, as cipher 0.
      choice.encryption_context = true;
      const auto chosen = std::ranges::find_if(offered->ciphers, [](wire::Cipher cipher) {
        return std::ranges::find(kKnown, cipher) != std::end(kKnown);
      });
      choice.cipher =
          chosen == offered->ciphers.end() ? std::uint16_t{0} : static_cast<std::uint16_t>(*chosen);
    }
  }
  if (const auto* context = wire::find_context(contexts, Type::CompressionCapabilities);
      context != nullptr && compression) {
    const NtStatus status = choose_compression(context->data, choice);
    if (status != NtStatus::Success) return status;
  }
  if (const auto* context = wire::find_context(contexts, Type::PosixExtensions)) {
    // The client lists the versions that it knows, 16 bytes each.
    for (ByteView rest = context->data; rest.size() >= wire::kPosixVersion.size();
         rest = rest.subspan(wire::kPosixVersion.size())) {
      choice.posix =
          choice.posix || as_text(rest.first(wire::kPosixVersion.size())) == wire::kPosixVersion;
    }
  }
  if (const auto* context = wire::find_context(contexts, Type::SigningCapabilities)) {
    const auto offered = wire::decode<wire::SigningCapabilities>(context->data);
    if (!offered || offered->signing_algorithms.empty()) return NtStatus::InvalidParameter;
    static constexpr wire::SigningAlgorithm kPreferred[] = {wire::SigningAlgorithm::AesGmac,
                                                            wire::SigningAlgorithm::AesCmac,
                                                            wire::SigningAlgorithm::HmacSha256};
    if (const auto algorithm =
            common<wire::SigningAlgorithm>(kPreferred, offered->signing_algorithms)) {
      choice.signing_context = true;
      choice.signing_algorithm = static_cast<std::uint16_t>(*algorithm);
    }
  }
  return NtStatus::Success;
}

/// What we can do that the dialect and the client can too.
std::uint32_t capabilities_for(Dialect dialect, std::uint32_t client,
                               const NegotiateContextIn& in) {
  std::uint32_t ours = 0;
  if (dialect == Dialect::Smb202) return ours;
  if (in.config->leases) ours |= wire::capability::kLeasing;
  if (std::ranges::any_of(in.config->shares,
                          [](const auto& share) { return !share.dfs_referral.empty(); }))
    ours |= wire::capability::kDfs;
  ours |= wire::capability::kLargeMtu;
  if (dialect == Dialect::Smb210 || dialect == Dialect::Smb2Wildcard) return ours;
  if (in.config->leases) ours |= client & wire::capability::kDirectoryLeasing;
  if (in.multichannel) ours |= client & wire::capability::kMultiChannel;
  const auto& shares = in.config->shares;
  if (std::ranges::any_of(shares, &ports::ShareConfig::continuous_availability)) {
    ours |= client & wire::capability::kPersistentHandles;
  }
  // In 3.1.1 the cipher is chosen by a context instead.
  if (in.encryption && dialect != Dialect::Smb311) ours |= client & wire::capability::kEncryption;
  return ours;
}

wire::NegotiateResponse response_for(Dialect dialect, std::uint32_t capabilities,
                                     const NegotiateContextIn& in) {
  wire::NegotiateResponse response;
  response.security_mode = wire::security_mode::kSigningEnabled;
  if (in.config->signing == ports::SigningMode::Required)
    response.security_mode |= wire::security_mode::kSigningRequired;
  response.dialect_revision = dialect;
  response.server_guid = in.config->guid;
  response.capabilities = capabilities;
  const std::uint32_t bytes_max =
      dialect == Dialect::Smb202 ? std::min(kTransactBytes202, in.config->transaction_bytes_max)
                                 : in.config->transaction_bytes_max;
  response.max_transact_size = bytes_max;
  response.max_read_size = bytes_max;
  response.max_write_size = bytes_max;
  response.system_time = in.now;
  response.security_buffer = in.security_token;
  return response;
}

void set_facts(NegotiateAnswer& answer, const wire::NegotiateResponse& response) {
  answer.negotiated = true;
  answer.facts.dialect = static_cast<std::uint16_t>(response.dialect_revision);
  answer.facts.server_capabilities = response.capabilities;
  answer.facts.server_security_mode = response.security_mode;
  answer.facts.signing_algorithm = signing_by_dialect(response.dialect_revision);
}

ByteView message_of(const Bytes& frame) { return ByteView(frame).subspan(wire::kFrameHeaderSize); }

}  // namespace

std::expected<NegotiateAnswer, std::string> answer_negotiate(ByteView message,
                                                             const NegotiateContextIn& in) {
  const auto header = wire::Smb2Header::decode(message);
  if (!header)
    return std::unexpected(fmt::format("NEGOTIATE: bad header: {}", header.error().what));
  if (header->next_command != 0)
    return std::unexpected("NEGOTIATE inside a compound; expected it alone");
  const auto request = wire::decode<wire::NegotiateRequest>(message);
  if (!request) return refuse(*header, NtStatus::InvalidParameter);
  if (request->dialects.empty()) return refuse(*header, NtStatus::InvalidParameter);
  const std::optional<Dialect> dialect = best_dialect(request->dialects, *in.config);
  if (!dialect) return refuse(*header, NtStatus::NotSupported);

  Choice choice;
  choice.dialect = *dialect;
  choice.signing_algorithm = signing_by_dialect(*dialect);
  if (*dialect == Dialect::Smb311) {
    if (const NtStatus status =
            read_contexts(*request, in.encryption, in.config->compression, choice);
        status != NtStatus::Success)
      return refuse(*header, status);
    choice.posix = choice.posix && in.config->posix;
  }
  const std::uint32_t capabilities = capabilities_for(*dialect, request->capabilities, in);
  if ((capabilities & wire::capability::kEncryption) != 0)
    choice.cipher = static_cast<std::uint16_t>(wire::Cipher::Aes128Ccm);

  wire::NegotiateResponse response = response_for(*dialect, capabilities, in);
  Bytes preauth_data;
  Bytes encryption_data;
  Bytes compression_data;
  Bytes signing_data;
  if (*dialect == Dialect::Smb311) {
    wire::PreauthIntegrityCapabilities preauth;
    preauth.hash_algorithms = {wire::HashAlgorithm::Sha512};
    preauth.salt = in.salt;
    preauth_data = wire::encoded(preauth);
    response.negotiate_contexts.push_back({preauth.kType, preauth_data});
    if (choice.encryption_context) {
      wire::EncryptionCapabilities encryption;
      encryption.ciphers = {static_cast<wire::Cipher>(choice.cipher)};
      encryption_data = wire::encoded(encryption);
      response.negotiate_contexts.push_back({encryption.kType, encryption_data});
    }
    if (choice.compression_context) {
      wire::CompressionCapabilities compression;
      if (choice.compression_chained) compression.flags = compression.kFlagChained;
      for (const std::uint16_t algorithm : choice.compression)
        compression.compression_algorithms.push_back(
            static_cast<wire::CompressionAlgorithm>(algorithm));
      if (choice.compression.empty())
        compression.compression_algorithms = {wire::CompressionAlgorithm::None};
      compression_data = wire::encoded(compression);
      response.negotiate_contexts.push_back({compression.kType, compression_data});
    }
    if (choice.posix) {
      response.negotiate_contexts.push_back(
          {wire::NegotiateContextType::PosixExtensions, as_bytes(wire::kPosixVersion)});
    }
    if (choice.signing_context) {
      wire::SigningCapabilities signing;
      signing.signing_algorithms = {static_cast<wire::SigningAlgorithm>(choice.signing_algorithm)};
      signing_data = wire::encoded(signing);
      response.negotiate_contexts.push_back({signing.kType, signing_data});
    }
  }

  NegotiateAnswer answer;
  answer.frame.resize(wire::kFrameHeaderSize);
  response_header(*header, NtStatus::Success).encode(answer.frame);
  wire::encode(response, answer.frame);
  set_facts(answer, response);
  ports::ConnectionFacts& facts = answer.facts;
  facts.signing_algorithm = choice.signing_algorithm;
  facts.cipher = choice.cipher;
  facts.compression = choice.compression;
  facts.compression_chained = choice.compression_chained;
  facts.posix = choice.posix;
  facts.client_guid = request->client_guid;
  facts.client_capabilities = request->capabilities;
  facts.client_security_mode = request->security_mode;
  for (const Dialect offered : request->dialects)
    facts.client_dialects.push_back(static_cast<std::uint16_t>(offered));
  facts.next_message_id = header->message_id.raw() + 1;
  if (*dialect == Dialect::Smb311) {
    crypto::PreauthHash hash;
    hash.add(message);
    hash.add(message_of(answer.frame));
    std::ranges::copy(hash.value(), facts.preauth_hash.begin());
  }
  return answer;
}

std::expected<NegotiateAnswer, std::string> answer_smb1_negotiate(ByteView message,
                                                                  const NegotiateContextIn& in) {
  const auto request = wire::decode_smb1_negotiate(message);
  if (!request)
    return std::unexpected(fmt::format("SMB1 message is no NEGOTIATE: {}", request.error().what));
  Dialect dialect{};
  if (request->offers("SMB 2.???") && in.config->dialect_max >= 0x0210) {
    dialect = Dialect::Smb2Wildcard;
  } else if (request->offers("SMB 2.002") && in.config->dialect_min <= 0x0202) {
    dialect = Dialect::Smb202;
  } else {
    return std::unexpected("SMB1 NEGOTIATE without an SMB2 dialect; SMB1 is not served");
  }
  NegotiateAnswer answer;
  answer.frame.resize(wire::kFrameHeaderSize);
  response_header(wire::Smb2Header{}, NtStatus::Success).encode(answer.frame);
  const wire::NegotiateResponse response =
      response_for(dialect, capabilities_for(dialect, 0, in), in);
  wire::encode(response, answer.frame);
  if (dialect == Dialect::Smb202) {
    set_facts(answer, response);
    // Deviation: there was no SMB2 request to learn these from; ValidateNegotiate is for 3.x only.
    answer.facts.client_dialects = {0x0202};
    answer.facts.client_security_mode = wire::security_mode::kSigningEnabled;
    answer.facts.next_message_id = 1;
  }
  return answer;
}

}  // namespace flotilla::front
