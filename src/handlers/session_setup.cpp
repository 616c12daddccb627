// SESSION_SETUP: [MS-SMB2] 3.3.5.5. New sessions, further legs, reauthentication.
#include "handlers/session_setup.hpp"

#include <cstring>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "handlers/session_table.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

/// Authentications that one connection may have under way at a time.
constexpr std::size_t kInProgressMax = 16;

std::size_t in_progress_count(const ServerChannel& channel) {
  std::size_t count = 0;
  for (const auto& [id, entry] : channel.sessions()) {
    if (entry->session->state == session::SessionState::InProgress) ++count;
  }
  return count;
}

/// [MS-SMB2] 3.3.5.5.1 Authenticating a New Session.
Result<std::shared_ptr<ChannelSession>> begin_session(Request& request) {
  ServerChannel& channel = *request.channel;
  Server& server = request.server;
  if (in_progress_count(channel) >= kInProgressMax) return fail(NtStatus::RequestNotAccepted);
  const ports::SessionHome home{static_cast<std::uint16_t>(server.node().raw()),
                                static_cast<std::uint8_t>(channel.shard())};
  auto entry = std::make_shared<ChannelSession>();
  entry->session = std::make_shared<session::Session>();
  session::Session& session = *entry->session;
  for (int attempt = 0;; ++attempt) {
    std::array<std::uint8_t, 8> random{};
    server.entropy().fill(random);
    session.id = ports::make_session_id(home, load_le<std::uint64_t>(random.data()));
    if (session.id.raw() != 0 && session.id.raw() != ~std::uint64_t{0} &&
        server.sessions().add(session.id, request.channel, server.config().sessions_max)) {
      break;
    }
    if (attempt == 8) {
      log::warn("sessions_max: no room for a session of {} among {}", channel.facts().peer_address,
                server.sessions().count());
      return fail(NtStatus::InsufficientResources);
    }
  }
  session.dialect = channel.facts().dialect;
  session.client_guid = channel.facts().client_guid;
  session.peer_address = channel.facts().peer_address;
  session.created = server.clock().wall();
  entry->preauth = crypto::PreauthHash(channel.facts().preauth_hash);
  channel.add_session(entry);
  return entry;
}

/// [MS-SMB2] 3.3.5.5.3: the client came back and says which session it had before.
runtime::Task<void> close_previous(Request& request, SessionId previous, wire::Sid user) {
  const auto entry = request.server.sessions().find(previous);
  if (!entry || entry->user != user) co_return;
  const std::shared_ptr<ServerChannel> channel = entry->channel.lock();
  if (!channel) co_return;
  auto shot = runtime::OneShot<bool>::make();
  channel->executor().post([channel, previous, shot] {
    runtime::spawn([](std::shared_ptr<ServerChannel> where, SessionId which,
                      std::shared_ptr<runtime::OneShot<bool>> done) -> runtime::Task<void> {
      co_await where->close_session(which);
      done->set(true);
    }(channel, previous, shot));
  });
  co_await runtime::OneShot<bool>::wait(shot, request.executor());
}

/// Everything that the token says goes onto the session. Returns SessionFlags.
std::uint16_t admit(Request& request, ChannelSession& entry, const ports::AuthStep& step,
                    bool client_requires_signing) {
  session::Session& session = *entry.session;
  const ports::Token& token = *step.token;
  const bool fresh = session.state == session::SessionState::InProgress;
  auto credentials = std::make_unique<SessionCredentials>();
  credentials->token = step.token;
  credentials->kernel = {token.uid, token.gid, token.groups, token.use_share_owner};
  session.credentials = std::move(credentials);
  session.guest = token.guest;
  session.anonymous = token.anonymous;
  session.user_name =
      token.domain.empty() ? token.user_name : token.domain + "\\" + token.user_name;
  session.expires = step.expires_unix_seconds == 0
                        ? NtTime{}
                        : nt_time_of(static_cast<std::int64_t>(step.expires_unix_seconds), 0);
  if (fresh && !token.guest && !token.anonymous && !step.session_key.empty()) {
    const ports::ConnectionFacts& facts = request.channel->facts();
    entry.signer = make_signer(facts, step.session_key, entry.preauth);
    const auto keys = crypto::derive_session_keys(key_schedule_of(facts.dialect), step.session_key,
                                                  entry.preauth.value(), crypto::Cipher::None);
    const crypto::Key16 session_key = crypto::session_key_of(step.session_key);
    session.session_key.assign(session_key.begin(), session_key.end());
    session.application_key.assign(keys.application_key.begin(), keys.application_key.end());
    session.signing_required =
        client_requires_signing || request.server.config().signing == ports::SigningMode::Required;
  }
  session.state = session::SessionState::Valid;
  request.server.sessions().set_user(session.id, token.user_sid);
  std::uint16_t flags = 0;
  if (token.anonymous) {
    flags = wire::session_flags::kIsNull;
  } else if (token.guest) {
    flags = wire::session_flags::kIsGuest;
  }
  return flags;
}

}  // namespace

crypto::KeySchedule key_schedule_of(std::uint16_t dialect) noexcept {
  if (dialect >= 0x0311) return crypto::KeySchedule::Smb311;
  return dialect >= 0x0300 ? crypto::KeySchedule::Smb30 : crypto::KeySchedule::Smb2;
}

crypto::SigningAlgorithm signing_algorithm_of(const ports::ConnectionFacts& facts) noexcept {
  if (facts.dialect < 0x0300) return crypto::SigningAlgorithm::HmacSha256;
  if (facts.dialect < 0x0311) return crypto::SigningAlgorithm::AesCmac;
  return static_cast<crypto::SigningAlgorithm>(facts.signing_algorithm);
}

std::shared_ptr<const crypto::Signer> make_signer(const ports::ConnectionFacts& facts,
                                                  ByteView full_session_key,
                                                  const crypto::PreauthHash& preauth) {
  const crypto::SessionKeys keys = crypto::derive_session_keys(
      key_schedule_of(facts.dialect), full_session_key, preauth.value(), crypto::Cipher::None);
  return std::make_shared<const crypto::Signer>(signing_algorithm_of(facts), keys.signing_key);
}

HandlerTask handle_session_setup(Request& request) {
  const auto body = wire::decode<wire::SessionSetupRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  ServerChannel& channel = *request.channel;
  Server& server = request.server;
  const bool signing = (body->security_mode & wire::security_mode::kSigningRequired) != 0;
  const SessionId previous = body->previous_session_id;
  if ((body->flags & wire::session_request_flags::kBinding) != 0) {
    // Further channels of a session: issue 3. The negotiated capabilities do not offer it.
    co_return channel.facts().dialect >= 0x0300 ? NtStatus::RequestNotAccepted
                                                : NtStatus::InvalidParameter;
  }
  std::shared_ptr<ChannelSession> entry;
  if (request.header.session_id.raw() == 0) {
    auto begun = begin_session(request);
    if (!begun) co_return begun.error();
    entry = *std::move(begun);
    request.header.session_id = entry->session->id;
  } else {
    entry = channel.find_session(request.header.session_id);
    if (!entry) co_return NtStatus::UserSessionDeleted;
  }
  if (entry->busy) co_return NtStatus::RequestNotAccepted;
  const SessionId id = entry->session->id;
  const bool fresh = entry->session->state == session::SessionState::InProgress;
  if (fresh) entry->preauth.add(request.message);
  if (!entry->exchange) entry->exchange = server.identity().begin();
  entry->busy = true;
  const std::shared_ptr<ports::AuthExchange> exchange = entry->exchange;
  Bytes token(body->security_buffer.begin(), body->security_buffer.end());
  auto call = [exchange, token = std::move(token)]() -> Result<ports::AuthStep> {
    return exchange->step(token);
  };
  Result<ports::AuthStep> step =
      co_await offload(server, request.executor(), false, std::move(call));
  entry->busy = false;
  if (channel.closed() || channel.find_session(id) != entry) {
    co_return NtStatus::UserSessionDeleted;
  }
  if (!step) {
    entry->exchange.reset();
    log::info("authentication failed for {} from {}: {}",
              fresh ? "a new session" : entry->session->user_name, channel.facts().peer_address,
              name_of(step.error()));
    co_await channel.close_session(id);
    co_return step.error();
  }
  wire::SessionSetupResponse response;
  response.security_buffer = step->reply;
  if (!step->done) {
    wire::encode(response, request.out);
    co_return NtStatus::MoreProcessingRequired;
  }
  entry->exchange.reset();
  if (!fresh) {
    const auto& now = static_cast<const SessionCredentials&>(*entry->session->credentials);
    if (now.token->user_sid != step->token->user_sid) {
      // Opens and trees were granted to somebody else.
      log::warn("session {:x}: reauthentication as {} instead of {} refused", id.raw(),
                step->token->user_name, entry->session->user_name);
      co_await channel.close_session(id);
      co_return NtStatus::AccessDenied;
    }
  }
  if (fresh && previous.raw() != 0 && previous != id) {
    const wire::Sid user = step->token->user_sid;
    co_await close_previous(request, previous, user);
    if (channel.closed() || channel.find_session(id) != entry) {
      co_return NtStatus::UserSessionDeleted;
    }
  }
  response.session_flags = admit(request, *entry, *step, signing);
  wire::encode(response, request.out);
  if (fresh) {
    log::debug("session {:x}: {} from {}, dialect {:04x}", id.raw(), entry->session->user_name,
               channel.facts().peer_address, channel.facts().dialect);
  }
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
