// The accepting side of NTLMv2. Older versions are refused. Knows NT hashes, never passwords.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "auth/mechanism.hpp"
#include "auth/ntlm/keys.hpp"
#include "auth/ntlm/messages.hpp"
#include "auth/user_db.hpp"
#include "base/time.hpp"

namespace flotilla::auth::ntlm {

/// What an acceptor asks of its surroundings. The functions outlive the acceptor.
struct Surroundings {
  std::u16string server_name;  ///< NetBIOS; of a server that stands alone it is the domain too
  std::u16string dns_name;
  std::u16string dns_domain;
  std::function<NtTime()> now;
  std::function<void(MutableBytes)> random;
  std::function<std::optional<User>(std::string_view name)> find_user;
  /// Makes the session's token: of a user who proved his password; of a guest, whose name is not
  /// known; of nobody (anonymous). Errors as step()'s.
  std::function<Result<ports::TokenPtr>(const User&)> token_of_user;
  std::function<Result<ports::TokenPtr>(std::string_view name)> token_of_guest;  ///< null: refused
  std::function<Result<ports::TokenPtr>()> token_of_anonymous;                   ///< null: refused
};

/// Spec    [MS-NLMP] 3.2.5.1 Connection-Oriented, 3.3.2 NTLM v2 Authentication
class Acceptor final : public Mechanism {
 public:
  explicit Acceptor(const Surroundings& surroundings) : around_(surroundings) {
    attempt_.mechanism = "NTLM";
  }

  [[nodiscard]] Result<ports::AuthStep> step(ByteView token) override;
  [[nodiscard]] Result<Bytes> mic(ByteView message) override;
  [[nodiscard]] bool verify_mic(ByteView message, ByteView mic) override;

 private:
  enum class State : std::uint8_t { AwaitNegotiate, AwaitAuthenticate, Done, Failed };

  [[nodiscard]] Result<ports::AuthStep> on_negotiate(ByteView token);
  [[nodiscard]] Result<ports::AuthStep> on_authenticate(ByteView token);
  /// The response key that the client proved to know.
  [[nodiscard]] std::optional<Md16> proved_key(const AuthenticateMessage& message,
                                               const NtlmV2Response& response,
                                               const Md16& nt_hash) const;
  [[nodiscard]] Result<Md16> exported_key(const AuthenticateMessage& message,
                                          const Md16& key_exchange_key) const;
  /// Remembers why, and logs it.
  [[nodiscard]] std::unexpected<NtStatus> refuse(std::string reason,
                                                 NtStatus status = NtStatus::LogonFailure);
  [[nodiscard]] Result<ports::AuthStep> finish(const AuthenticateMessage& message,
                                               const Md16& key_exchange_key, ports::TokenPtr token);

  const Surroundings& around_;
  State state_ = State::AwaitNegotiate;
  std::uint32_t flags_ = 0;  ///< as offered in the challenge; then as agreed
  Challenge server_challenge_{};
  Bytes negotiate_;  ///< kept for the MIC
  Bytes challenge_;
  std::optional<MessageSigner> from_client_;
  std::optional<MessageSigner> to_client_;
};

}  // namespace flotilla::auth::ntlm
