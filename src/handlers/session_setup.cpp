// SESSION_SETUP: [MS-SMB2] 3.3.5.5. New sessions, further legs, reauthentication.
#include "handlers/session_setup.hpp"

#include <cstring>

#include "base/log.hpp"
#include "handlers/audit_trail.hpp"
#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/pool_lookup.hpp"
#include "handlers/posix.hpp"
#include "handlers/request.hpp"
#include "handlers/session_channels.hpp"
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
        server.sessions().add(session.id, entry->session, request.executor(),
                              server.config().sessions_max)) {
      break;
    }
    if (attempt == 8) {
      log::warn("sessions_max: no room for a session of {} among {}", channel.facts().peer_address,
                server.sessions().count());
      return fail(NtStatus::InsufficientResources);
    }
  }
  auto channels = std::make_unique<SessionChannels>();
  channels->list.push_back(request.channel);
  session.channels = std::move(channels);
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
  if (ports::home_of(previous).node != static_cast<std::uint16_t>(request.server.node().raw())) {
    const Server::CloseElsewhere& close = request.server.close_elsewhere();
    if (!close) co_return;
    auto gone = runtime::OneShot<bool>::make();
    close(previous, user, [gone] { gone->set(true); });
    co_await runtime::OneShot<bool>::wait(gone, request.executor());
    co_return;
  }
  const auto entry = request.server.sessions().find(previous);
  if (!entry || entry->user != user) co_return;
  std::shared_ptr<session::Session> session = entry->session.lock();
  if (!session) co_return;
  auto shot = runtime::OneShot<bool>::make();
  runtime::Executor* const home = entry->executor;
  Server* const server = &request.server;
  home->post([server, home, session = std::move(session), shot]() mutable {
    runtime::spawn([](Server* at, runtime::Executor* executor,
                      std::shared_ptr<session::Session> which,
                      std::shared_ptr<runtime::OneShot<bool>> done) -> runtime::Task<void> {
      co_await ServerChannel::end_session(*at, *executor, which);
      done->set(true);
    }(server, home, std::move(session), shot));
  });
  co_await runtime::OneShot<bool>::wait(shot, request.executor());
}

/// What a connection signs with: Connection.SigningAlgorithmId, or what its dialect has.
bool is_gmac(crypto::SigningAlgorithm algorithm) {
  return algorithm == crypto::SigningAlgorithm::AesGmac;
}

/// A further channel of a session that is there. Spec [MS-SMB2] 3.3.5.5, second half.
Result<std::shared_ptr<ChannelSession>> begin_binding(Request& request) {
  ServerChannel& channel = *request.channel;
  const ports::ConnectionFacts& facts = channel.facts();
  const SessionId id = request.header.session_id;
  if (auto entry = channel.find_session(id)) {
    if (entry->binding) return entry;  // its next leg, signature verified
    return fail(NtStatus::RequestNotAccepted);
  }
  const auto known = request.server.sessions().find(id);
  const auto session = known ? known->session.lock() : nullptr;
  // A session of another shard or node never comes here: the front routes by SessionId.
  if (!session || known->executor != &request.executor()) return fail(NtStatus::UserSessionDeleted);
  const SessionChannels& channels = channels_of(*session);
  if (session->state != session::SessionState::InProgress && channels.signer) {
    const bool theirs = is_gmac(channels.signer->algorithm());
    const bool ours = is_gmac(signing_algorithm_of(facts));
    // As Windows has it: GMAC's nonces do not mix with the other algorithms on one key.
    if (theirs && !ours) return fail(NtStatus::RequestOutOfSequence);
    if (!theirs && ours) return fail(NtStatus::NotSupported);
  }
  if (facts.dialect < 0x0300 || !request.server.config().multichannel) {
    return fail(NtStatus::RequestNotAccepted);
  }
  if (session->dialect != facts.dialect || channels.cipher != facts.cipher ||
      !request.header.is_signed()) {
    return fail(NtStatus::InvalidParameter);
  }
  if (session->state == session::SessionState::InProgress) {
    return fail(NtStatus::RequestNotAccepted);
  }
  if (session->state == session::SessionState::Expired) {
    return fail(NtStatus::NetworkSessionExpired);
  }
  if (session->guest || session->anonymous || !channels.signer) return fail(NtStatus::NotSupported);
  if (!request.signer) return fail(NtStatus::AccessDenied);
  if (channels.list.size() >= kChannelsPerSessionMax) {
    return fail(NtStatus::InsufficientResources);
  }
  auto entry = std::make_shared<ChannelSession>();
  entry->session = session;
  entry->binding = true;
  entry->preauth = crypto::PreauthHash(facts.preauth_hash);
  channel.add_session(entry);
  return entry;
}

/// The user has proved who he is: the connection is a channel of the session from now on.
/// Spec    [MS-SMB2] 3.3.5.5.3: Channel.SigningKey
NtStatus bind(Request& request, ChannelSession& entry, const ports::AuthStep& step) {
  const ports::Token& token = *step.token;
  const session::Session& session = *entry.session;
  const auto& owner = static_cast<const SessionCredentials&>(*session.credentials);
  if (owner.token->user_sid != token.user_sid) {
    log::warn("session {:x} of {}: a channel of {} refused", session.id.raw(), session.user_name,
              token.user_name);
    return NtStatus::AccessDenied;
  }
  SessionChannels& channels = channels_of(session);
  if (channels.list.size() >= kChannelsPerSessionMax) return NtStatus::InsufficientResources;
  const ports::ConnectionFacts& facts = request.channel->facts();
  entry.signer = std::make_shared<const crypto::Signer>(
      signing_algorithm_of(facts),
      crypto::derive_signing_key(key_schedule_of(facts.dialect),
                                 crypto::session_key_of(step.session_key), entry.preauth.value()));
  entry.binding = false;
  channels.list.push_back(request.channel);
  return NtStatus::Success;
}

bool can_seal(const ports::ConnectionFacts& facts, const ports::AuthStep& step) {
  return facts.dialect >= 0x0300 && facts.cipher != 0 && !step.token->guest &&
         !step.token->anonymous && !step.session_key.empty();
}

/// Everything that the token says goes onto the session. Returns SessionFlags.
std::uint16_t admit(Request& request, ChannelSession& entry, const ports::AuthStep& step,
                    bool client_requires_signing) {
  session::Session& session = *entry.session;
  const ports::Token& token = *step.token;
  const bool fresh = session.state == session::SessionState::InProgress;
  auto credentials = std::make_unique<SessionCredentials>();
  credentials->token = step.token;
  credentials->kernel = {token.uid, token.gid, token.groups, token.use_share_owner,
                         speaks_posix(request)};
  session.credentials = std::move(credentials);
  if (fresh) {
    session.guest = token.guest;
    session.anonymous = token.anonymous;
  }
  session.user_name =
      token.domain.empty() ? token.user_name : token.domain + "\\" + token.user_name;
  session.expires = step.expires_unix_seconds == 0
                        ? NtTime{}
                        : nt_time_of(static_cast<std::int64_t>(step.expires_unix_seconds), 0);
  if (fresh && !token.guest && !token.anonymous && !step.session_key.empty()) {
    const ports::ConnectionFacts& facts = request.channel->facts();
    const auto cipher =
        facts.dialect >= 0x0300 ? static_cast<crypto::Cipher>(facts.cipher) : crypto::Cipher::None;
    const auto keys = crypto::derive_session_keys(key_schedule_of(facts.dialect), step.session_key,
                                                  entry.preauth.value(), cipher);
    entry.signer =
        std::make_shared<const crypto::Signer>(signing_algorithm_of(facts), keys.signing_key);
    SessionChannels& channels = channels_of(session);
    channels.signer = entry.signer;
    channels.cipher = facts.cipher;
    const crypto::Key16 session_key = crypto::session_key_of(step.session_key);
    if (cipher != crypto::Cipher::None) {
      channels.sealing = std::make_shared<SessionSealing>(session.id, cipher, keys);
    }
    session.session_key.assign(session_key.begin(), session_key.end());
    session.application_key.assign(keys.application_key.begin(), keys.application_key.end());
    session.signing_required =
        client_requires_signing || request.server.config().signing == ports::SigningMode::Required;
    const ports::EncryptionMode wanted = request.server.config().encryption;
    session.encrypt_data = channels.sealing && wanted >= ports::EncryptionMode::Desired;
    session.encrypt_required = wanted == ports::EncryptionMode::Required;
  }
  session.state = session::SessionState::Valid;
  if (fresh) request.server.sessions().set_user(session.id, token.user_sid);
  std::uint16_t flags = 0;
  if (session.anonymous) {
    flags = wire::session_flags::kIsNull;
  } else if (session.guest) {
    flags = wire::session_flags::kIsGuest;
  }
  if (session.encrypt_data) flags |= wire::session_flags::kEncryptData;
  return flags;
}

/// How long the answer waits: guesses are slowed down. A user and an address that are not known to
/// fail wait for nothing.
std::chrono::milliseconds delay_of(Request& request, const ports::AuthAttempt& attempt,
                                   const Result<ports::AuthStep>& step) {
  if (attempt.user.empty()) return {};
  LogonDelays& delays = request.server.logon_delays();
  const std::string address = address_of(request.channel->facts().peer_address);
  const MonoTime now = request.server.clock().mono();
  if (step) return delays.succeeded(attempt.user, address, now);
  if (step.error() != NtStatus::LogonFailure) return {};
  return delays.failed(attempt.user, address, now);
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

HandlerTask handle_session_setup(Request& request) {
  const auto body = wire::decode<wire::SessionSetupRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  ServerChannel& channel = *request.channel;
  Server& server = request.server;
  const bool signing = (body->security_mode & wire::security_mode::kSigningRequired) != 0;
  const SessionId previous = body->previous_session_id;
  std::shared_ptr<ChannelSession> entry;
  if ((body->flags & wire::session_request_flags::kBinding) != 0) {
    auto begun = begin_binding(request);
    if (!begun) co_return begun.error();
    entry = *std::move(begun);
  } else if (request.header.session_id.raw() == 0) {
    auto begun = begin_session(request);
    if (!begun) co_return begun.error();
    entry = *std::move(begun);
    request.header.session_id = entry->session->id;
  } else {
    entry = channel.find_session(request.header.session_id);
    if (!entry || entry->binding) co_return NtStatus::UserSessionDeleted;
  }
  if (entry->busy) co_return NtStatus::RequestNotAccepted;
  const SessionId id = entry->session->id;
  const bool fresh = entry->session->state == session::SessionState::InProgress;
  if (fresh || entry->binding) entry->preauth.add(request.message);
  if (!entry->exchange) entry->exchange = server.identity().begin();
  entry->busy = true;
  const std::shared_ptr<ports::AuthExchange> exchange = entry->exchange;
  Bytes token(body->security_buffer.begin(), body->security_buffer.end());
  auto call = [exchange, token = std::move(token)]() -> Result<ports::AuthStep> {
    return exchange->step(token);
  };
  Result<ports::AuthStep> step =
      co_await offload(server, request.executor(), false, std::move(call));
  if (!step || step->done) {
    const ports::AuthAttempt attempt = exchange->attempt();
    audit_logon(request, attempt, step);
    const std::chrono::milliseconds delay = delay_of(request, attempt, step);
    if (delay.count() > 0) {
      // The session is busy meanwhile; its connection and all others go on.
      auto over = runtime::OneShot<bool>::make();
      request.executor().schedule_after(delay, [over] { over->set(true); });
      co_await runtime::OneShot<bool>::wait(over, request.executor());
    }
  }
  entry->busy = false;
  if (channel.closed() || channel.find_session(id) != entry) {
    co_return NtStatus::UserSessionDeleted;
  }
  if (!step) {
    entry->exchange.reset();
    log::info("authentication failed for {} from {}: {}",
              fresh ? "a new session" : entry->session->user_name, channel.facts().peer_address,
              name_of(step.error()));
    if (entry->binding) {
      channel.forget_session(id);
    } else {
      co_await channel.close_session(id);
    }
    co_return step.error();
  }
  wire::SessionSetupResponse response;
  response.security_buffer = step->reply;
  if (!step->done) {
    wire::encode(response, request.out);
    co_return NtStatus::MoreProcessingRequired;
  }
  entry->exchange.reset();
  if (entry->binding) {
    const NtStatus bound = bind(request, *entry, *step);
    if (bound != NtStatus::Success) {
      channel.forget_session(id);
      co_return bound;
    }
    if (entry->session->encrypt_data) response.session_flags = wire::session_flags::kEncryptData;
    wire::encode(response, request.out);
    co_return NtStatus::Success;
  }
  if (fresh && server.config().encryption == ports::EncryptionMode::Required &&
      !can_seal(channel.facts(), *step)) {
    log::info("encryption is required, and {} of {} cannot seal", step->token->user_name,
              channel.facts().peer_address);
    co_await channel.close_session(id);
    co_return NtStatus::AccessDenied;
  }
  if (!fresh && !step->token->anonymous) {
    // Somebody may become nobody for a while (where that is allowed), and himself again.
    const auto known = server.sessions().find(id);
    if (!known || known->user != step->token->user_sid) {
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
    entry->session->previous = previous;
    if (channel.closed() || channel.find_session(id) != entry) {
      co_return NtStatus::UserSessionDeleted;
    }
  }
  if (fresh) {
    co_await claim_client(server, request.executor(), channel.facts().client_guid, id);
    if (channel.closed() || channel.find_session(id) != entry) {
      server.marks().release(client_mark(channel.facts().client_guid), id.raw());
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
