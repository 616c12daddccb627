#include "handlers/channel.hpp"
#include "handlers/audit_trail.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "handlers/close.hpp"
#include "handlers/dispatch.hpp"
#include "handlers/open_link.hpp"
#include "handlers/open_state.hpp"
#include "handlers/session_channels.hpp"
#include "handlers/session_table.hpp"
#include "handlers/torture_fsctls.hpp"
#include "ports/clock.hpp"
#include "runtime/buffer_cache.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

/// What a client may send before it is somebody: a SESSION_SETUP with a ticket in it.
constexpr std::size_t kUnauthenticatedFrameMax = 80U * 1024;

/// [MS-SMB2] 3.3.5.2.1.2: 256 and the header, beyond the largest READ, WRITE and QUERY.
constexpr std::size_t kCompressedHeadersMax = 256 + wire::kCompressionTransformHeaderSize;

/// How long requests wait for a node that may not serve just now, and how often it is asked.
constexpr std::chrono::milliseconds kServePatience{2000};
constexpr std::chrono::milliseconds kServePoll{10};

Bytes new_reply() { return Bytes(kBodyOffset); }

void append_error_body(Bytes& out) {
  out.resize(kBodyOffset);
  wire::encode(wire::ErrorResponse{}, out);
}

}  // namespace

ServerChannel::ServerChannel(Server& server, ports::ConnectionFacts facts,
                             runtime::Executor& executor, std::uint16_t shard,
                             std::shared_ptr<ports::FrameSink> sink)
    : server_(server),
      facts_(std::move(facts)),
      executor_(executor),
      shard_(shard),
      sink_(std::move(sink)),
      credits_(facts_.extra_credits) {
  server_.channels_count.fetch_add(1, std::memory_order_relaxed);
}

ServerChannel::~ServerChannel() { server_.channels_count.fetch_sub(1, std::memory_order_relaxed); }

void ServerChannel::disconnect(std::string_view reason) {
  if (!sink_) return;
  sink_->disconnect(reason);  // the front writes the line that says why
}

void ServerChannel::on_frame(Bytes frame) {
  if (!sink_) return;
  if (after_cancel_ || waits_to_serve_) return held_back_.push_back(std::move(frame));
  if (!server_.engine().serving()) {
    waits_to_serve_ = true;
    held_back_.push_back(std::move(frame));
    return wait_to_serve(kServePatience);
  }
  runtime::spawn(process(shared_from_this(), std::move(frame)));
}

void ServerChannel::wait_to_serve(std::chrono::milliseconds patience) {
  executor_.schedule_after(kServePoll, [self = shared_from_this(), patience] {
    if (!self->sink_) return;
    if (self->server_.engine().serving()) {
      self->waits_to_serve_ = false;
      return self->take_held_back();
    }
    if (patience <= kServePoll) return self->disconnect("this node serves nothing (no quorum)");
    self->wait_to_serve(patience - kServePoll);
  });
}

void ServerChannel::take_held_back() {
  for (Bytes& frame : std::exchange(held_back_, {})) on_frame(std::move(frame));
}

void ServerChannel::on_closed() {
  if (!sink_) return;
  sink_.reset();
  cancel_where([this](const AsyncEntry& waiting) {
    const auto entry = waiting.outlives_channel ? find_session(waiting.session) : nullptr;
    return !entry || entry->binding || channels_of(*entry->session).pick(nullptr) == nullptr;
  });
  std::vector<SessionId> ids;
  ids.reserve(sessions_.size());
  for (const auto& [id, entry] : sessions_) ids.push_back(id);
  for (const SessionId id : ids) {
    const std::shared_ptr<session::Session> session = find_session(id)->session;
    if (find_session(id)->binding || !channels_of(*session).remove(this)) {
      sessions_.erase(id);  // the session lives on through its other channels
      std::vector<std::shared_ptr<session::Open>> opens;
      for (const auto& [volatile_id, open] : session->opens) opens.push_back(open);
      for (const auto& open : opens) {
        auto* const link = static_cast<OpenLink*>(state_of(*open).events.get());
        if (link != nullptr) link->retry_break(this);
      }
      continue;
    }
    runtime::spawn([](std::shared_ptr<ServerChannel> self, SessionId which) -> runtime::Task<void> {
      co_await self->close_session(which);
    }(shared_from_this(), id));
  }
}

bool ServerChannel::has_valid_session() const {
  for (const auto& [id, entry] : sessions_) {
    if (entry->session->state != session::SessionState::InProgress && !entry->binding) return true;
  }
  return false;
}

runtime::Task<void> ServerChannel::process(std::shared_ptr<ServerChannel> self, Bytes frame) {
  ByteView messages = frame;
  SessionId sealed_by;
  ReplyFrame reply;
  switch (wire::kind_of(frame)) {
    case wire::PacketKind::Smb2:
      break;
    case wire::PacketKind::Transform: {
      const auto header = wire::TransformHeader::decode(frame);
      const auto opened = self->unseal(frame, reply);
      if (!opened) co_return;
      messages = *opened;
      sealed_by = header->session_id;
      break;
    }
    default:
      self->disconnect("bytes that are no SMB2 message");
      co_return;
  }
  if (frame.size() > kUnauthenticatedFrameMax && !self->has_valid_session()) {
    self->disconnect("a message too large for a client that is not authenticated");
    co_return;
  }
  const auto parts = session::split_frame(messages);
  if (!parts) {
    self->disconnect(parts.error());
    co_return;
  }
  Chain chain;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const session::CompoundPart& part = (*parts)[i];
    if (reply.sealing() && !part.related && part.header.session_id != sealed_by) {
      self->disconnect("a sealed message of another session than its TRANSFORM header says");
      co_return;
    }
    if (part.header.command == wire::Command::Cancel) {
      self->cancel(part.header, part.message, reply.sealing() != nullptr);
      continue;
    }
    if (part.header.command == wire::Command::Negotiate) {
      self->disconnect("a second NEGOTIATE");
      co_return;
    }
    if (self->async_.contains(part.header.message_id.raw())) {
      self->disconnect("a MessageId that is still in use");
      co_return;
    }
    self->server_.requests_count.fetch_add(1, std::memory_order_relaxed);
    Request request{.server = self->server_,
                    .channel = self,
                    .session = nullptr,
                    .tree = nullptr,
                    .header = part.header,
                    .message = part.message,
                    .chain = chain,
                    .related = part.related,
                    .last_in_compound = i + 1 == parts->size(),
                    .out = new_reply(),
                    .reply = &reply,
                    .signer = nullptr,
                    .sealed = reply.sealing() != nullptr};
    const NtStatus status = co_await self->carry_out(request, part);
    if (request.is_async) self->async_.erase(request.header.message_id.raw());
    chain.status = status;
    if (self->closed()) continue;  // later parts may still have something to undo
    self->finish(request, status);
  }
  if (reply.compresses() && !reply.empty()) {
    // `reply` lives as long as this coroutine, which waits for the call.
    auto call = [&reply, self] {
      reply.compress({self->facts_.compression, self->facts_.compression_chained});
      return true;
    };
    (void)co_await offload(self->server_, self->executor_, false, std::move(call));
  }
  if (!reply.empty() && self->sink_) self->sink_->send(reply.take());
  runtime::recycle_buffer(std::move(frame));
}

runtime::Task<NtStatus> ServerChannel::carry_out(Request& request,
                                                 const session::CompoundPart& part) {
  wire::Smb2Header& header = request.header;
  if (part.related) {
    // [MS-SMB2] 3.3.5.2.7.2: SessionId and TreeId are those of the request before; where that had
    // no session, there is none to take.
    if (request.chain.status == NtStatus::UserSessionDeleted) co_return NtStatus::InvalidParameter;
    header.session_id = request.chain.session;
    header.tree_id = request.chain.tree;
  } else {
    request.chain.file = kRelatedFileId;
    request.chain.status = NtStatus::Success;
  }
  request.chain.session = header.session_id;
  request.chain.tree = header.tree_id;
  if (part.malformed) co_return NtStatus::InvalidParameter;
  if (!request.sealed) {
    if (const NtStatus bad = verify(request); bad != NtStatus::Success) co_return bad;
  }
  if (static_cast<std::uint16_t>(header.command) >= wire::kCommandCount) {
    co_return NtStatus::InvalidParameter;
  }
  if (const NtStatus bad = locate(request); bad != NtStatus::Success) co_return bad;
  if ((facts_.server_capabilities & wire::capability::kLargeMtu) != 0 &&
      !charge_covers_payload(header, part.message)) {
    co_return NtStatus::InvalidParameter;
  }
  const NtStatus status = co_await rule_of(header.command).handler(request);
  if (status == NtStatus::AccessDenied) audit_refusal(request);
  if (is_error(status)) log_disk_trouble(request, status);
  request.chain.session = header.session_id;
  request.chain.tree = header.tree_id;
  co_return status;
}

/// [MS-SMB2] 3.3.5.2.1.1 Decrypting the Message, 3.3.5.2.1.2 Decompressing the Message: `frame` is
/// replaced where it was compressed too.
std::optional<ByteView> ServerChannel::unseal(Bytes& frame, ReplyFrame& reply) {
  const auto header = wire::TransformHeader::decode(frame);
  const auto entry = header ? find_session(header->session_id) : nullptr;
  if (!entry || entry->binding || !entry->session->channels ||
      !channels_of(*entry->session).sealing) {
    disconnect("a sealed message of a session that has no keys");
    return std::nullopt;
  }
  const std::shared_ptr<SessionSealing> sealing = channels_of(*entry->session).sealing;
  const auto opened = sealing->open(frame);
  if (!opened) {
    disconnect(opened.error());
    return std::nullopt;
  }
  reply.seal_with(sealing);
  if (wire::kind_of(*opened) == wire::PacketKind::Compression) {
    auto plain =
        crypto::decompress_message(*opened, {facts_.compression, facts_.compression_chained},
                                   server_.config().transaction_bytes_max + kCompressedHeadersMax);
    if (!plain) {
      disconnect(plain.error());
      return std::nullopt;
    }
    frame = std::move(*plain);
    if (wire::kind_of(frame) == wire::PacketKind::Smb2) return frame;
  }
  if (wire::kind_of(*opened) != wire::PacketKind::Smb2) {
    disconnect("a sealed message that is no SMB2 message");
    return std::nullopt;
  }
  return *opened;
}

/// [MS-SMB2] 3.3.5.2.4 Verifying the Signature.
NtStatus ServerChannel::verify(Request& request) {
  const wire::Smb2Header& header = request.header;
  if (header.session_id.raw() == 0) return NtStatus::Success;
  const auto entry = find_session(header.session_id);
  if (!header.is_signed()) {
    if (entry && entry->binding) return NtStatus::AccessDenied;
    if (entry && entry->signer && entry->session->signing_required &&
        entry->session->state != session::SessionState::InProgress) {
      return NtStatus::AccessDenied;
    }
    return NtStatus::Success;
  }
  if (!entry && header.command == wire::Command::SessionSetup) {
    // A binding is signed with the session's key, and so are its refusals: its client believes no
    // others. The handler judges the rest.
    const auto known = server_.sessions().find(header.session_id);
    const auto session = known && known->executor == &executor_ ? known->session.lock() : nullptr;
    if (session && channels_of(*session).signer &&
        channels_of(*session).signer->verify(request.message)) {
      request.signer = channels_of(*session).signer;
    }
    return NtStatus::Success;
  }
  if (!entry) return NtStatus::UserSessionDeleted;
  const std::shared_ptr<const crypto::Signer> signer =
      entry->binding ? channels_of(*entry->session).signer : entry->signer;
  if (!signer) {
    // A client that signs a SESSION_SETUP leg before there is a key is told so by its handler.
    return header.command == wire::Command::SessionSetup ? NtStatus::Success
                                                         : NtStatus::AccessDenied;
  }
  if (!signer->verify(request.message)) {
    const std::shared_ptr<const crypto::Signer> first = channels_of(*entry->session).signer;
    if (header.command == wire::Command::SessionSetup && first && first != signer &&
        first->verify(request.message)) {
      request.signer = first;  // it knows the session's key, not the channel's: told so, signed
      return NtStatus::AccessDenied;
    }
    log::warn("connection {} from {}: {} with a bad signature, session {:x}", facts_.id.raw(),
              facts_.peer_address, wire::name_of(header.command), header.session_id.raw());
    return NtStatus::AccessDenied;
  }
  request.signer = signer;
  return NtStatus::Success;
}

/// [MS-SMB2] 3.3.5.2.9 Verifying the Session, 3.3.5.2.11 Verifying the Tree Connect.
NtStatus ServerChannel::locate(Request& request) {
  const wire::Smb2Header& header = request.header;
  const CommandRule& rule = rule_of(header.command);
  if (!rule.needs_session) return NtStatus::Success;
  const auto entry = find_session(header.session_id);
  if (!entry || entry->binding || entry->session->state == session::SessionState::InProgress) {
    return is_sessionless_torture(request) ? NtStatus::Success : NtStatus::UserSessionDeleted;
  }
  session::Session& session = *entry->session;
  if (session.state == session::SessionState::Valid && session.expires.ticks != 0 &&
      server_.clock().wall() >= session.expires) {
    session.state = session::SessionState::Expired;
  }
  if (session.state == session::SessionState::Expired && !rule.while_expired) {
    return NtStatus::NetworkSessionExpired;
  }
  if (session.encrypt_required && !request.sealed) return NtStatus::AccessDenied;
  request.session = entry->session;
  if (!rule.needs_tree) return NtStatus::Success;
  const auto tree = session.trees.find(header.tree_id);
  if (tree == session.trees.end()) {
    // A lease acknowledgment needs no tree of its own: [MS-SMB2] 3.3.5.22.2.
    return header.command == wire::Command::OplockBreak ? NtStatus::Success
                                                        : NtStatus::NetworkNameDeleted;
  }
  if (!request.sealed &&
      share_of(*tree->second).config.encryption == ports::EncryptionMode::Required) {
    return NtStatus::AccessDenied;
  }
  request.tree = tree->second;
  return NtStatus::Success;
}

/// [MS-SMB2] 3.3.4.1 Sending Any Outgoing Message.
void ServerChannel::finish(Request& request, NtStatus status) {
  if (request.out.size() <= kBodyOffset) {
    if (status == NtStatus::Success) status = NtStatus::InternalError;
    append_error_body(request.out);
  }
  wire::Smb2Header header;
  const wire::Smb2Header& asked = request.header;
  header.credit_charge = asked.credit_charge;
  header.status = static_cast<std::uint32_t>(status);
  header.command = asked.command;
  header.credits = request.credits_granted ? std::uint16_t{0}
                                           : credits_.grant(asked.credit_charge, asked.credits);
  header.flags = wire::header_flags::kServerToRedir |
                 (asked.flags & wire::header_flags::kPriorityMask) |
                 (request.related ? wire::header_flags::kRelatedOperations : 0U);
  header.message_id = asked.message_id;
  header.session_id = asked.session_id;
  header.tree_id = asked.tree_id;
  if (request.is_async) {
    header.flags |= wire::header_flags::kAsyncCommand;
    header.async_id = AsyncId{asked.message_id.raw()};
  }
  std::shared_ptr<const crypto::Signer> signer = request.signer;
  std::shared_ptr<ChannelSession> entry;
  if (asked.command == wire::Command::SessionSetup) {
    entry = find_session(asked.session_id);
    // The final answer of an authentication is signed, so that the client can trust it.
    if (status == NtStatus::Success && entry) signer = entry->signer;
  }
  if (request.sealed) signer.reset();
  // A client that signs believes no unsigned answer but one: that its keys mean nothing here, which
  // nobody can sign. It wants the flag all the same.
  const bool keyless = status == NtStatus::UserSessionDeleted && asked.is_signed();
  if (signer || (keyless && !request.sealed)) header.flags |= wire::header_flags::kSigned;
  header.encode_at(std::span<std::uint8_t, wire::kSmb2HeaderSize>(
      request.out.data() + kFramePrefixBytes, wire::kSmb2HeaderSize));
  if (status == NtStatus::MoreProcessingRequired && entry &&
      (entry->binding || entry->session->state == session::SessionState::InProgress)) {
    const MutableBytes message = MutableBytes(request.out).subspan(kFramePrefixBytes);
    if (signer) signer->sign(message);  // the hash covers the signature
    signer.reset();
    entry->preauth.add(message);
  }
  request.reply->append(std::move(request.out), std::move(signer));
}

/// [MS-SMB2] 3.3.4.2 Sending an Interim Response for an Asynchronous Operation. It is not signed.
void ServerChannel::begin_async(Request& request, std::function<void()> on_cancel) {
  const wire::Smb2Header& asked = request.header;
  const std::uint64_t key = asked.message_id.raw();
  if (!request.is_async) {
    request.is_async = true;
    request.credits_granted = true;
    if (sink_) {
      if (!request.reply->empty()) sink_->send(request.reply->take());
      wire::Smb2Header header;
      header.credit_charge = asked.credit_charge;
      header.status = static_cast<std::uint32_t>(NtStatus::Pending);
      header.command = asked.command;
      header.credits = credits_.grant(asked.credit_charge, asked.credits);
      header.flags = wire::header_flags::kServerToRedir | wire::header_flags::kAsyncCommand |
                     (asked.flags & wire::header_flags::kPriorityMask);
      header.message_id = asked.message_id;
      header.async_id = AsyncId{key};
      header.session_id = asked.session_id;
      Bytes out = new_reply();
      append_error_body(out);
      header.encode_at(std::span<std::uint8_t, wire::kSmb2HeaderSize>(
          out.data() + kFramePrefixBytes, wire::kSmb2HeaderSize));
      const std::shared_ptr<SessionSealing>& sealing = request.reply->sealing();
      sink_->send(sealing ? sealing->seal(std::move(out)) : std::move(out));
    }
  }
  if (!sink_ && !request.alive()) return on_cancel();  // nobody waits for it any more
  async_[key] =
      AsyncEntry{asked.session_id, asked.tree_id, std::move(on_cancel), request.outlives_channel};
}

/// [MS-SMB2] 3.3.5.16 Receiving an SMB2 CANCEL Request. It is never answered.
void ServerChannel::cancel(const wire::Smb2Header& header, ByteView message, bool sealed) {
  const auto entry = find_session(header.session_id);
  if (entry && entry->signer && !sealed) {
    if (header.is_signed() ? !entry->signer->verify(message) : entry->session->signing_required) {
      return;
    }
  }
  const std::uint64_t key = header.is_async() ? header.async_id.raw() : header.message_id.raw();
  const auto found = async_.find(key);
  if (found == async_.end()) return;
  const auto on_cancel = std::exchange(found->second.on_cancel, nullptr);
  if (!on_cancel) return;
  on_cancel();
  // What was cancelled goes on from the executor's queue: its answer leaves before those to
  // requests that came behind the CANCEL, as clients expect.
  if (std::exchange(after_cancel_, true)) return;
  executor_.post([self = shared_from_this()] {
    self->after_cancel_ = false;
    self->take_held_back();
  });
}

void ServerChannel::cancel_where(const std::function<bool(const AsyncEntry&)>& which) {
  std::vector<std::function<void()>> calls;
  for (auto& [key, entry] : async_) {
    if (entry.on_cancel && which(entry)) calls.push_back(std::exchange(entry.on_cancel, nullptr));
  }
  for (const auto& call : calls) call();
}

std::shared_ptr<ChannelSession> ServerChannel::find_session(SessionId id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

void ServerChannel::add_session(std::shared_ptr<ChannelSession> entry) {
  const SessionId id = entry->session->id;
  sessions_.emplace(id, std::move(entry));
}

runtime::Task<void> ServerChannel::close_session(SessionId id) {
  const auto self = shared_from_this();
  const auto entry = find_session(id);
  if (!entry) co_return;
  sessions_.erase(id);
  cancel_where([id](const AsyncEntry& waiting) { return waiting.session == id; });
  co_await end_session(server_, executor_, entry->session);
}

runtime::Task<void> ServerChannel::end_session(Server& server, runtime::Executor& executor,
                                               std::shared_ptr<session::Session> session) {
  const SessionId id = session->id;
  server.sessions().remove(id);
  server.marks().release(client_mark(session->client_guid), id.raw());
  session->state = session::SessionState::Expired;
  for (const auto& weak : std::exchange(channels_of(*session).list, {})) {
    const auto channel = weak.lock();
    if (!channel) continue;
    channel->sessions_.erase(id);
    channel->cancel_where([id](const AsyncEntry& waiting) { return waiting.session == id; });
  }
  server.trees_count.fetch_sub(static_cast<std::uint32_t>(session->trees.size()),
                               std::memory_order_relaxed);
  session->trees.clear();
  while (!session->opens.empty()) {
    const std::shared_ptr<session::Open> open = session->opens.begin()->second;
    co_await end_open(server, executor, session, open);
  }
}

runtime::Task<void> ServerChannel::close_tree(std::shared_ptr<session::Session> session,
                                              TreeId id) {
  const auto self = shared_from_this();
  if (session->trees.erase(id) == 0) co_return;
  server_.trees_count.fetch_sub(1, std::memory_order_relaxed);
  const SessionId session_id = session->id;
  for (const auto& weak : channels_of(*session).list) {
    const auto channel = weak.lock();
    if (!channel) continue;
    channel->cancel_where([session_id, id](const AsyncEntry& waiting) {
      return waiting.session == session_id && waiting.tree == id;
    });
  }
  std::vector<std::shared_ptr<session::Open>> opens;
  for (const auto& [volatile_id, open] : session->opens) {
    if (open->tree == id) opens.push_back(open);
  }
  for (const auto& open : opens) {
    if (!open->closing) co_await close_open(server_, executor_, session, open);
  }
}

void ServerChannel::send_notification(Bytes frame, SessionSealing* sealing) {
  if (!sink_) return;
  wire::Smb2Header header;
  header.command = wire::Command::OplockBreak;
  header.flags = wire::header_flags::kServerToRedir;
  header.message_id = MessageId{~std::uint64_t{0}};
  header.encode_at(std::span<std::uint8_t, wire::kSmb2HeaderSize>(frame.data() + kFramePrefixBytes,
                                                                  wire::kSmb2HeaderSize));
  sink_->send(sealing != nullptr ? sealing->seal(std::move(frame)) : std::move(frame));
}

}  // namespace flotilla::handlers
