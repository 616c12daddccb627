#include "auth/ntlm/acceptor.hpp"

#include <fmt/core.h>

#include "auth/text.hpp"
#include "base/log.hpp"

namespace flotilla::auth::ntlm {

namespace {

constexpr std::size_t kMessageBytesMax = 65536;

bool is_anonymous(const AuthenticateMessage& message) {
  // [MS-NLMP] 3.2.5.1.2: user name and responses are empty; LmChallengeResponse may be one zero.
  return message.user.empty() && message.nt_response.empty() && message.lm_response.size() <= 1;
}

/// The account part of DOMAIN\user and user@domain, where clients put both into one field.
std::u16string_view account_part(std::u16string_view user) {
  if (const auto slash = user.rfind(u'\\'); slash != user.npos) user.remove_prefix(slash + 1);
  if (const auto at = user.find(u'@'); at != user.npos && at > 0) user = user.substr(0, at);
  return user;
}

}  // namespace

Result<ports::AuthStep> Acceptor::step(ByteView token) {
  const State state = state_;
  state_ = State::Failed;
  if (token.size() > kMessageBytesMax) return fail(NtStatus::InvalidParameter);
  switch (state) {
    case State::AwaitNegotiate:
      return on_negotiate(token);
    case State::AwaitAuthenticate:
      return on_authenticate(token);
    case State::Done:
    case State::Failed:
      break;
  }
  return fail(NtStatus::InvalidParameter);
}

Result<ports::AuthStep> Acceptor::on_negotiate(ByteView token) {
  const auto message = decode_negotiate(token);
  if (!message) return fail(NtStatus::InvalidParameter);
  constexpr std::uint32_t kTakenOver = kUnicode | kRequestTarget | kSign | kSeal | kAlwaysSign |
                                       kExtendedSessionSecurity | kVersion | k128 | kKeyExch | k56;
  flags_ = (message->flags & kTakenOver) | kNtlm | kTargetInfo | kTargetTypeServer;
  if ((flags_ & kUnicode) == 0) flags_ |= message->flags & kOem;

  ChallengeMessage challenge;
  challenge.flags = flags_;
  around_.random(server_challenge_);
  challenge.server_challenge = server_challenge_;
  challenge.target_name = around_.server_name;
  Bytes& info = challenge.target_info;
  put_av_pair(info, AvId::NbDomainName, bytes_of(around_.server_name));
  put_av_pair(info, AvId::NbComputerName, bytes_of(around_.server_name));
  put_av_pair(info, AvId::DnsDomainName, bytes_of(around_.dns_domain));
  put_av_pair(info, AvId::DnsComputerName, bytes_of(around_.dns_name));
  std::array<std::uint8_t, 8> now{};
  store_le(now.data(), around_.now().ticks);
  put_av_pair(info, AvId::Timestamp, now);  // asks the client for a MIC
  put_av_pair(info, AvId::Eol, {});

  ports::AuthStep out;
  out.reply = encode(challenge);
  challenge_ = out.reply;
  negotiate_.assign(token.begin(), token.end());
  state_ = State::AwaitAuthenticate;
  return out;
}

std::optional<Md16> Acceptor::proved_key(const AuthenticateMessage& message,
                                         const NtlmV2Response& response,
                                         const Md16& nt_hash) const {
  // Clients differ in what they take for UserDom: what they send, the same in upper case, nothing
  // ([MS-NLMP] 3.2.5.1.2 asks servers to bear the last).
  const std::u16string upper = fold_user_name(message.domain);
  for (const std::u16string_view domain :
       {std::u16string_view(message.domain), std::u16string_view(upper), std::u16string_view{}}) {
    const Md16 key = ntowf_v2(nt_hash, message.user, domain);
    if (crypto::equal_constant_time(nt_proof(key, server_challenge_, response.temp),
                                    response.proof)) {
      return key;
    }
  }
  return std::nullopt;
}

std::unexpected<NtStatus> Acceptor::refuse(std::string reason, NtStatus status) {
  log::info("logon refused: {}", reason);
  attempt_.reason = std::move(reason);
  return fail(status);
}

Result<ports::AuthStep> Acceptor::on_authenticate(ByteView token) {
  const auto message = decode_authenticate(token);
  if (!message) return fail(NtStatus::InvalidParameter);
  flags_ &= message->flags | kNtlm | kTargetInfo | kTargetTypeServer;

  if (is_anonymous(*message)) {
    if (!around_.token_of_anonymous) {
      return refuse("anonymous sessions are off (allow_anonymous)");
    }
    auto anonymous = around_.token_of_anonymous();
    if (!anonymous) return fail(anonymous.error());
    return finish(*message, Md16{}, std::move(*anonymous));
  }

  const std::string name = wire::printable(account_part(message->user));
  attempt_.user = name;
  attempt_.domain = wire::printable(message->domain);
  const auto response = decode_ntlm_v2_response(message->nt_response);
  if (!response) {
    return refuse(fmt::format("user {} answered with {} bytes, which is no NTLMv2 response",
                              for_log(name), message->nt_response.size()));
  }
  if (!av_pairs_end(response->target_info)) {
    log::info("logon refused: the response of user {} has target information without an end",
              for_log(name));
    return fail(NtStatus::InvalidParameter);
  }
  const std::optional<User> user = around_.find_user(name);
  // An unknown user costs the same time as a wrong password.
  const auto key = proved_key(*message, *response, user ? user->nt_hash : Md16{});
  if (!user) {
    if (around_.token_of_guest) {
      auto guest = around_.token_of_guest(name);
      if (!guest) return fail(guest.error());
      state_ = State::Done;
      ports::AuthStep out;
      out.done = true;
      out.token = std::move(*guest);
      return out;
    }
    return refuse(fmt::format("there is no user {}", for_log(name)));
  }
  if (!key) {
    return refuse(fmt::format("wrong password for user {}", user->name));
  }
  const Md16 base_key = session_base_key(*key, response->proof);
  const auto exported = exported_key(*message, base_key);
  if (!exported) return fail(exported.error());
  const auto av_flags = find_av_pair(response->target_info, AvId::Flags);
  if (av_flags && av_flags->size() == 4 &&
      (load_le<std::uint32_t>(av_flags->data()) & kAvFlagMic) != 0) {
    if (message->mic_at == 0 ||
        !crypto::equal_constant_time(
            authenticate_mic(*exported, negotiate_, challenge_, token, message->mic_at),
            token.subspan(message->mic_at, sizeof(Mic)))) {
      return refuse(
          fmt::format("the messages of user {} were changed on their way (MIC)", user->name));
    }
  }
  if (user->disabled) {
    return refuse(fmt::format("user {} is disabled", user->name), NtStatus::AccountDisabled);
  }
  auto made = around_.token_of_user(*user);
  if (!made) return fail(made.error());
  return finish(*message, base_key, std::move(*made));
}

Result<Md16> Acceptor::exported_key(const AuthenticateMessage& message,
                                    const Md16& key_exchange_key) const {
  if ((flags_ & kKeyExch) == 0) return key_exchange_key;
  if (message.encrypted_session_key.size() != key_exchange_key.size()) {
    return fail(NtStatus::InvalidParameter);
  }
  return exchange_key(key_exchange_key, message.encrypted_session_key);
}

Result<ports::AuthStep> Acceptor::finish(const AuthenticateMessage& message,
                                         const Md16& key_exchange_key, ports::TokenPtr token) {
  const auto exported = exported_key(message, key_exchange_key);
  if (!exported) return fail(exported.error());
  if ((flags_ & kExtendedSessionSecurity) != 0) {
    from_client_.emplace(*exported, flags_, Direction::ClientToServer);
    to_client_.emplace(*exported, flags_, Direction::ServerToClient);
  }
  ports::AuthStep out;
  out.done = true;
  if (!token->anonymous) out.session_key.assign(exported->begin(), exported->end());
  out.token = std::move(token);
  state_ = State::Done;
  return out;
}

Result<Bytes> Acceptor::mic(ByteView message) {
  if (!to_client_) return fail(NtStatus::NotSupported);
  const Md16 signature = to_client_->sign(message);
  return Bytes(signature.begin(), signature.end());
}

bool Acceptor::verify_mic(ByteView message, ByteView mic) {
  return from_client_ && from_client_->verify(message, mic);
}

}  // namespace flotilla::auth::ntlm
