#include "crypto/kdf.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace flotilla::crypto {

namespace {

using namespace std::string_view_literals;

struct LabelAndContext {
  std::string_view label;
  std::string_view context;  ///< empty: the preauth hash
};

// [MS-SMB2] 3.1.4.2 with the terminating zero bytes.
constexpr LabelAndContext kSigning30{"SMB2AESCMAC\0"sv, "SmbSign\0"sv};
constexpr LabelAndContext kApplication30{"SMB2APP\0"sv, "SmbRpc\0"sv};
constexpr LabelAndContext kClientToServer30{"SMB2AESCCM\0"sv, "ServerIn \0"sv};
constexpr LabelAndContext kServerToClient30{"SMB2AESCCM\0"sv, "ServerOut\0"sv};
constexpr LabelAndContext kSigning311{"SMBSigningKey\0"sv, {}};
constexpr LabelAndContext kApplication311{"SMBAppKey\0"sv, {}};
constexpr LabelAndContext kClientToServer311{"SMBC2SCipherKey\0"sv, {}};
constexpr LabelAndContext kServerToClient311{"SMBS2CCipherKey\0"sv, {}};

void derive(const LabelAndContext& what, ByteView key,
            std::span<const std::uint8_t, 64> preauth_hash, MutableBytes out) noexcept {
  const ByteView context = what.context.empty() ? ByteView(preauth_hash) : as_bytes(what.context);
  kdf_counter_hmac_sha256(key, as_bytes(what.label), context, out);
}

}  // namespace

void kdf_counter_hmac_sha256(ByteView key, ByteView label, ByteView context,
                             MutableBytes out) noexcept {
  // [i]32 || Label || 0x00 || Context || [L]32, big-endian numbers; 32 bytes of output are one
  // round.
  std::array<std::uint8_t, 160> input{};
  FLOTILLA_CHECK(label.size() + context.size() + 9 <= input.size() && out.size() <= 32);
  std::size_t at = 0;
  input[3] = 1;
  at = 4;
  std::memcpy(input.data() + at, label.data(), label.size());
  at += label.size() + 1;
  std::memcpy(input.data() + at, context.data(), context.size());
  at += context.size();
  const std::size_t bits = out.size() * 8;
  input[at + 2] = static_cast<std::uint8_t>(bits >> 8);
  input[at + 3] = static_cast<std::uint8_t>(bits);
  at += 4;
  std::array<std::uint8_t, 32> block = hmac_sha256(key, ByteView(input).first(at));
  std::copy_n(block.begin(), out.size(), out.begin());
  wipe(block);
}

Key16 session_key_of(ByteView full_session_key) noexcept {
  Key16 key{};
  std::copy_n(full_session_key.begin(), std::min(full_session_key.size(), key.size()), key.begin());
  return key;
}

Key16 derive_signing_key(KeySchedule schedule, const Key16& session_key,
                         std::span<const std::uint8_t, 64> preauth_hash) noexcept {
  if (schedule == KeySchedule::Smb2) return session_key;
  Key16 key{};
  derive(schedule == KeySchedule::Smb311 ? kSigning311 : kSigning30, session_key, preauth_hash,
         key);
  return key;
}

SessionKeys derive_session_keys(KeySchedule schedule, ByteView full_session_key,
                                std::span<const std::uint8_t, 64> preauth_hash,
                                Cipher cipher) noexcept {
  SessionKeys keys;
  Key16 session_key = session_key_of(full_session_key);
  keys.signing_key = derive_signing_key(schedule, session_key, preauth_hash);
  if (schedule == KeySchedule::Smb2) {
    keys.application_key = session_key;
    return keys;
  }
  const bool v311 = schedule == KeySchedule::Smb311;
  derive(v311 ? kApplication311 : kApplication30, session_key, preauth_hash, keys.application_key);
  keys.cipher_key_bytes = key_bytes_of(cipher);
  if (keys.cipher_key_bytes == 0) return keys;
  const ByteView source = keys.cipher_key_bytes == 32 ? full_session_key : ByteView(session_key);
  derive(v311 ? kClientToServer311 : kClientToServer30, source, preauth_hash,
         MutableBytes(keys.server_in_key).first(keys.cipher_key_bytes));
  derive(v311 ? kServerToClient311 : kServerToClient30, source, preauth_hash,
         MutableBytes(keys.server_out_key).first(keys.cipher_key_bytes));
  wipe(session_key);
  return keys;
}

}  // namespace flotilla::crypto
