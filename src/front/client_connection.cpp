#include "front/client_connection.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "crypto/compression/message.hpp"
#include "front/answers.hpp"
#include "front/negotiate.hpp"
#include "front/sockets.hpp"

namespace flotilla::front {
namespace {

/// Tags carry a verdict from a frame's head to its whole: kind in the high half, shard or node in
/// the low one.
enum class Kind : std::uint32_t { Negotiate, Smb1, Echo, Refuse, Local, Link, Compressed };
constexpr std::uint64_t tag_of(Kind kind, std::uint32_t which = 0) {
  return std::uint64_t{static_cast<std::uint32_t>(kind)} << 32 | which;
}

FrameVerdict take(Kind kind, std::uint32_t which = 0) {
  FrameVerdict verdict;
  verdict.tag = tag_of(kind, which);
  return verdict;
}

FrameVerdict give_up(std::string reason) {
  FrameVerdict verdict;
  verdict.action = FrameVerdict::Action::End;
  verdict.reason = std::move(reason);
  return verdict;
}

}  // namespace

std::shared_ptr<ClientConnection> ClientConnection::accept(ShardState& home, int fd) {
  auto connection = std::make_shared<ClientConnection>(home);
  ClientConnection& self = *connection;
  Core& core = home.core;
  tune_socket(fd);
  const Endpoint peer = peer_of(fd);
  const Endpoint local = local_of(fd);
  self.socket_ = FrameSocket::make(home.executor, fd, self, core.relay, false);
  if (!self.socket_) return nullptr;
  self.outlet_->outlet = &self;
  self.outlet_->socket = self.socket_;
  self.facts_.id = ConnectionId{std::uint64_t{core.self16()} << 48 |
                                (core.next_connection.fetch_add(1) & 0xFFFFFFFFFFFFULL)};
  self.facts_.front = core.options.self;
  self.facts_.peer_address = peer.text();
  self.facts_.local_address = local.text();
  self.facts_.extra_credits = core.config.credits_max;
  self.on_pool_address_ =
      !core.options.pool_address.empty() && local.host == core.options.pool_address;
  self.tuple_ = {peer.host, peer.port, local.host, local.port};
  if (self.on_pool_address_ && core.options.on_pool_connection)
    core.options.on_pool_connection(self.tuple_, true);
  self.socket_->start(kUnauthenticatedFrameBytesMax);
  return connection;
}

ClientConnection::ClientConnection(ShardState& home)
    : home_(home),
      outlet_(std::make_shared<OutletRef>()),
      local_(home, outlet_),
      accepted_at_(home.executor.now()) {
  home_.core.connections.fetch_add(1, std::memory_order_relaxed);
}

ClientConnection::~ClientConnection() {
  home_.core.connections.fetch_sub(1, std::memory_order_relaxed);
}

// --- input: which way -----------------------------------------------------------------------

FrameVerdict ClientConnection::on_frame_head(std::uint32_t size_bytes, ByteView head) {
  if (ended_) return give_up("ended");
  switch (wire::kind_of(head)) {
    case wire::PacketKind::Smb2:
      return route_smb2(size_bytes, head);
    case wire::PacketKind::Transform:
      return route_sealed(head);
    case wire::PacketKind::Smb1:
      if (negotiated_ || smb1_answered_) return give_up("SMB1 message after NEGOTIATE");
      return take(Kind::Smb1);
    case wire::PacketKind::Compression:
      if (facts_.compression.empty())
        return give_up("compressed message, but compression was not negotiated");
      return take(Kind::Compressed);
    case wire::PacketKind::Unknown:
      break;
  }
  return give_up(fmt::format("frame of {} bytes is no SMB message", size_bytes));
}

FrameVerdict ClientConnection::route_smb2(std::uint32_t size_bytes, ByteView head) {
  const auto header = wire::Smb2Header::decode(head);
  if (!header) return give_up(fmt::format("bad SMB2 header: {}", header.error().what));
  if (header->is_response()) return give_up("SMB2 response from a client");
  if (!negotiated_) {
    if (header->command != wire::Command::Negotiate)
      return give_up(
          fmt::format("first request is {}, expected NEGOTIATE", wire::name_of(header->command)));
    return take(Kind::Negotiate);
  }
  // [MS-SMB2] 3.3.5.3: a second NEGOTIATE ends the connection without an answer.
  if (header->command == wire::Command::Negotiate) return give_up("second NEGOTIATE");
  if (header->command != wire::Command::Cancel) {
    // What several nodes granted is not known here; README.md says what is checked where.
    const std::uint64_t id = header->message_id.raw();
    // [MS-SMB2] 2.2.1.2: in 2.0.2 the CreditCharge field is reserved.
    const std::uint16_t charge =
        facts_.dialect == 0x0202 ? std::uint16_t{1} : header->credit_charge;
    switch (message_ids_.take(id, charge)) {
      case MessageIds::Verdict::Fresh:
        break;
      case MessageIds::Verdict::Used:
        return give_up(
            fmt::format("MessageId {} was used before (next: {})", id, message_ids_.next()));
      case MessageIds::Verdict::OutOfReach:
        return give_up(
            fmt::format("MessageId {} with CreditCharge {} is beyond the window (next: {})", id,
                        header->credit_charge, message_ids_.next()));
    }
  }
  // Related to nothing before it: the answer is InvalidParameter, whatever session it names.
  if (header->is_related()) return take(Kind::Local, home_.index);
  if (header->session_id.raw() == 0) {
    if (header->command == wire::Command::SessionSetup)
      return place_new_session(*header, size_bytes);
    if (header->command == wire::Command::Echo && header->next_command == 0)
      return take(Kind::Echo);
    return take(Kind::Local, home_.index);
  }
  return route_session(header->session_id, size_bytes, false);
}

FrameVerdict ClientConnection::route_sealed(ByteView head) {
  if (!negotiated_) return give_up("sealed message before NEGOTIATE");
  if (facts_.cipher == 0) return give_up("sealed message, but no cipher was negotiated");
  const auto header = wire::TransformHeader::decode(head);
  if (!header) return give_up(fmt::format("bad TRANSFORM header: {}", header.error().what));
  return route_session(header->session_id, 0, true);
}

FrameVerdict ClientConnection::route_session(SessionId session, std::uint32_t size_bytes,
                                             bool sealed) {
  const ports::SessionHome home = ports::home_of(session);
  if (home.node == home_.core.self16()) {
    if (home.shard < local_.shard_count()) return take(Kind::Local, home.shard);
  } else {
    for (const auto& [node, link] : links_)
      if (static_cast<std::uint16_t>(node.raw()) == home.node) return to_node(node, size_bytes);
    for (const Member& member : home_.core.placement.members())
      if (static_cast<std::uint16_t>(member.node.raw()) == home.node &&
          member.node != home_.core.options.self)
        return to_node(member.node, size_bytes);
  }
  if (sealed) return give_up("sealed message for a session whose node is not in the pool");
  return take(Kind::Refuse);
}

FrameVerdict ClientConnection::to_node(NodeId node, std::uint32_t size_bytes) {
  LinkClient* const link = link_to(node);
  if (link == nullptr) return take(Kind::Refuse);
  home_.core.relayed_bytes_in.fetch_add(size_bytes + 4U, std::memory_order_relaxed);
  FrameVerdict verdict;
  verdict.action = FrameVerdict::Action::Relay;
  verdict.tag = tag_of(Kind::Link, node.raw());
  verdict.target = link->stream_target();
  return verdict;
}

FrameVerdict ClientConnection::place_new_session(const wire::Smb2Header& header,
                                                 std::uint32_t size_bytes) {
  Core& core = home_.core;
  if (on_pool_address_ || core.options.spread_all) {
    const std::vector<Member> members = core.placement.members();
    if (!members.empty()) {
      const NodeId node = core.spread.assign(members);
      if (node == core.options.self || link_to(node) != nullptr) {
        pending_setups_.push_back({header.message_id, node, true});
        if (node == core.options.self) return take(Kind::Local, local_.choose_shard());
        return to_node(node, size_bytes);
      }
      core.spread.release(node);  // not reachable: served here
    }
  }
  pending_setups_.push_back({header.message_id, core.options.self, false});
  return take(Kind::Local, local_.choose_shard());
}

LinkClient* ClientConnection::link_to(NodeId node) {
  if (const auto found = links_.find(node); found != links_.end()) return found->second.get();
  for (const Member& member : home_.core.placement.members()) {
    if (member.node != node) continue;
    ports::ConnectionFacts facts = facts_;
    auto link = std::make_unique<LinkClient>(home_, member, std::move(facts), *this);
    if (!link->open()) return nullptr;
    facts_.extra_credits = 0;  // the link's node has them now
    return links_.emplace(node, std::move(link)).first->second.get();
  }
  return nullptr;
}

// --- input: whole frames --------------------------------------------------------------------

void ClientConnection::on_frame(Bytes frame, std::uint64_t tag) {
  if (ended_) return;
  const auto which = static_cast<std::uint32_t>(tag);
  switch (static_cast<Kind>(tag >> 32)) {
    case Kind::Negotiate:
      negotiate(frame, false);
      break;
    case Kind::Smb1:
      negotiate(frame, true);
      break;
    case Kind::Echo:
      answer_echo(frame, *socket_);
      break;
    case Kind::Refuse:
      refuse(frame);
      break;
    case Kind::Local:
      local_.deliver(facts_, static_cast<std::uint8_t>(which), std::move(frame));
      break;
    case Kind::Link:
      to_link(NodeId{which}, std::move(frame));
      break;
    case Kind::Compressed:
      decompress(frame);
      break;
  }
  if (!ended_) hold_back_reading();
}

void ClientConnection::negotiate(ByteView message, bool smb1) {
  Core& core = home_.core;
  NegotiateContextIn in;
  in.config = &core.config;
  in.encryption = core.options.encryption;
  in.multichannel = core.options.multichannel;
  in.now = core.clock.wall();
  in.security_token = core.identity.negotiate_token();
  core.entropy.fill(in.salt);
  auto answered = smb1 ? answer_smb1_negotiate(message, in) : answer_negotiate(message, in);
  if (!answered) {
    end(answered.error());
    return;
  }
  if (smb1) smb1_answered_ = true;
  if (answered->negotiated) {
    negotiated_ = true;
    ports::ConnectionFacts& facts = answered->facts;
    facts.id = facts_.id;
    facts.front = facts_.front;
    facts.peer_address = std::move(facts_.peer_address);
    facts.local_address = std::move(facts_.local_address);
    facts.extra_credits = facts_.extra_credits;
    facts_ = std::move(facts);
    message_ids_.start(facts_.next_message_id, 2 * core.config.credits_max + 1024);
  }
  socket_->send(std::move(answered->frame));
}

/// [MS-SMB2] 3.3.5.2.1.2 Decompressing the Message: then it goes where it would have gone. (What is
/// compressed and sealed is the serving node's.)
void ClientConnection::decompress(ByteView packet) {
  const std::size_t bytes_max =
      authenticated_ ? home_.core.frame_bytes_max() : kUnauthenticatedFrameBytesMax;
  auto message = crypto::decompress_message(
      packet, {facts_.compression, facts_.compression_chained}, bytes_max, wire::kFrameHeaderSize);
  if (!message) {
    end(message.error());
    return;
  }
  const ByteView plain = ByteView(*message).subspan(wire::kFrameHeaderSize);
  if (wire::kind_of(plain) != wire::PacketKind::Smb2) {
    end("a compressed message that is no SMB2 message");
    return;
  }
  FrameVerdict verdict = route_smb2(static_cast<std::uint32_t>(plain.size()), plain);
  if (verdict.action == FrameVerdict::Action::End) {
    end(verdict.reason);
    return;
  }
  if (verdict.action == FrameVerdict::Action::Take)
    message->erase(message->begin(), message->begin() + std::ptrdiff_t{wire::kFrameHeaderSize});
  on_frame(std::move(*message), verdict.tag);
}

void ClientConnection::refuse(ByteView message) {
  if (!refuse_session(message, *socket_)) end("bad compound for a session that is not there");
}

void ClientConnection::to_link(NodeId node, Bytes frame) {
  const auto found = links_.find(node);
  if (found == links_.end()) {  // lost between the frame's head and its end
    refuse(ByteView(frame).subspan(wire::kFrameHeaderSize));
    return;
  }
  found->second->send(std::move(frame));
}

void ClientConnection::hold_back_reading() {
  if (socket_->queued_bytes() > FrameSocket::kQueueHighBytes) {
    socket_->pause(FrameSocket::kPauseOwnOutput);
    socket_->tell_when_drained();
  }
  bool other = local_.lagging();
  for (const auto& [node, link] : links_) other = other || link->full();
  if (other) socket_->pause(FrameSocket::kPauseOtherSide);
}

// --- output ---------------------------------------------------------------------------------

void ClientConnection::answer(Bytes frame) {
  if (ended_) return;
  if (frame.size() > wire::kFrameHeaderSize)
    observe_answer(ByteView(frame).subspan(wire::kFrameHeaderSize), home_.core.options.self);
  socket_->send(std::move(frame));
}

void ClientConnection::observe_answer(ByteView head, NodeId node) {
  if (wire::kind_of(head) != wire::PacketKind::Smb2) return;
  const auto header = wire::Smb2Header::decode(head);
  if (!header) return;
  if (header->command == wire::Command::Logoff && !is_error(header->nt_status())) {
    const auto found = sessions_.find(header->session_id);
    if (found == sessions_.end()) return;
    if (found->second.assigned) home_.core.spread.release(found->second.node);
    sessions_.erase(found);
    return;
  }
  if (header->command != wire::Command::SessionSetup) return;
  const NtStatus status = header->nt_status();
  const bool failed = is_error(status) && status != NtStatus::MoreProcessingRequired;
  const auto pending =
      std::ranges::find(pending_setups_, header->message_id, &PendingSetup::message_id);
  if (pending != pending_setups_.end()) {
    const PendingSetup setup = *pending;
    pending_setups_.erase(pending);
    if (failed || header->session_id.raw() == 0) {
      if (setup.assigned) home_.core.spread.release(setup.node);
      return;
    }
    sessions_[header->session_id] = {setup.node, setup.assigned, false};
  }
  const auto found = sessions_.find(header->session_id);
  if (status == NtStatus::Success) {
    if (found == sessions_.end()) {
      sessions_[header->session_id] = {node, false, true};  // bound to this channel
    } else {
      found->second.established = true;
    }
    if (!std::exchange(authenticated_, true)) {
      socket_->set_trusted();
      socket_->set_frame_bytes_max(home_.core.frame_bytes_max());
    }
  } else if (failed && found != sessions_.end() && !found->second.established) {
    if (found->second.assigned) home_.core.spread.release(found->second.node);
    sessions_.erase(found);
  }
}

void ClientConnection::on_drained() {
  socket_->resume(FrameSocket::kPauseOwnOutput);
  for (const auto& [node, link] : links_) link->resume();
}

void ClientConnection::on_link_room() {
  for (const auto& [node, link] : links_)
    if (link->full()) return;
  if (!local_.lagging()) socket_->resume(FrameSocket::kPauseOtherSide);
}

// --- the end --------------------------------------------------------------------------------

bool ClientConnection::has_sessions_on(NodeId node) const {
  return std::ranges::any_of(sessions_, [node](const auto& s) { return s.second.node == node; }) ||
         std::ranges::any_of(pending_setups_, [node](const auto& s) { return s.node == node; });
}

void ClientConnection::on_link_lost(NodeId node, std::string_view reason, bool end_client) {
  if (finished_) return;
  if (end_client || has_sessions_on(node)) {
    finish(fmt::format("node {}: {}", node.raw(), reason), true);
    return;
  }
  log::debug("front: {}: link to node {} gone without sessions on it: {}", facts_.peer_address,
             node.raw(), reason);
  links_.erase(node);
  on_link_room();
}

void ClientConnection::view_changed(const std::vector<Member>& members) {
  if (finished_ || links_.empty()) return;
  std::vector<NodeId> gone;
  for (const auto& [node, link] : links_)
    if (std::ranges::find(members, node, &Member::node) == members.end()) gone.push_back(node);
  for (const NodeId node : gone) on_link_lost(node, "left the pool", false);
}

void ClientConnection::sweep(MonoTime now) {
  if (finished_) return;
  const auto& config = home_.core.config;
  if (!authenticated_ && now - accepted_at_ >= config.unauthenticated_timeout) {
    finish(
        fmt::format("no session was set up within {} ms", config.unauthenticated_timeout.count()),
        true);
  } else if (socket_->stalled(now, home_.core.options.stall_timeout)) {
    finish(fmt::format("no progress within {} ms", home_.core.options.stall_timeout.count()), true);
  } else {
    std::vector<NodeId> stuck;
    for (const auto& [node, link] : links_)
      if (link->stalled(now)) stuck.push_back(node);
    for (const NodeId node : stuck) on_link_lost(node, "its link makes no progress", false);
  }
}

void ClientConnection::end(std::string_view reason) {
  if (std::exchange(ended_, true)) return;
  socket_->close();
  home_.executor.post(
      [self = shared_from_this(), text = std::string(reason)] { self->finish(text, true); });
}

void ClientConnection::on_ended(std::string_view reason, bool orderly) { finish(reason, !orderly); }

void ClientConnection::finish(std::string_view reason, bool for_cause) {
  if (std::exchange(finished_, true)) return;
  ended_ = true;
  Core& core = home_.core;
  if (for_cause) {
    core.ended_for_cause.fetch_add(1, std::memory_order_relaxed);
    log::info("front: client {} disconnected: {}", facts_.peer_address, reason);
  } else {
    log::debug("front: client {}: {}", facts_.peer_address, reason);
  }
  socket_->close();
  outlet_->outlet = nullptr;
  local_.close();
  for (const auto& [node, link] : links_) link->close();
  for (const auto& [id, session] : sessions_)
    if (session.assigned) core.spread.release(session.node);
  for (const PendingSetup& setup : pending_setups_)
    if (setup.assigned) core.spread.release(setup.node);
  if (on_pool_address_ && core.options.on_pool_connection)
    core.options.on_pool_connection(tuple_, false);
  // From the queue: somebody up the stack may iterate over the set, or be a callback of ours.
  home_.executor.post([self = shared_from_this()] {
    self->links_.clear();
    self->home_.clients.erase(self);
  });
}

}  // namespace flotilla::front
