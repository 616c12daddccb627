#include "front/link_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "front/answers.hpp"
#include "front/sockets.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front {
namespace {
constexpr std::uint64_t kTagMessage = 1U << 16;
constexpr std::uint64_t kTagRefuse = 1U << 17;
}  // namespace

std::shared_ptr<LinkServer> LinkServer::accept(ShardState& home, int fd) {
  auto link = std::make_shared<LinkServer>(home);
  tune_socket(fd);
  link->peer_ = peer_of(fd).text();
  link->socket_ = FrameSocket::make(home.executor, fd, *link, home.core.relay, false);
  if (!link->socket_) return nullptr;
  link->outlet_->outlet = link.get();
  link->outlet_->socket = link->socket_;
  home.core.entropy.fill(link->nonce_);
  link->socket_->start(kLinkMessageBytesMax);
  return link;
}

LinkServer::LinkServer(ShardState& home)
    : home_(home),
      outlet_(std::make_shared<OutletRef>()),
      local_(home, outlet_),
      accepted_at_(home.executor.now()) {
  home_.core.links_in.fetch_add(1, std::memory_order_relaxed);
}

LinkServer::~LinkServer() { home_.core.links_in.fetch_sub(1, std::memory_order_relaxed); }

FrameVerdict LinkServer::on_frame_head(std::uint32_t size_bytes, ByteView head) {
  FrameVerdict verdict;
  const auto give_up = [&verdict](std::string reason) {
    verdict.action = FrameVerdict::Action::End;
    verdict.reason = std::move(reason);
    return verdict;
  };
  if (ended_) return give_up("ended");
  if (state_ != State::Up) {
    if (!is_link_message(head)) return give_up("expected a link message that starts with FLNK");
    verdict.tag = kTagMessage;
    return verdict;
  }
  SessionId session;
  bool setup = false;
  if (wire::kind_of(head) == wire::PacketKind::Smb2) {
    const auto header = wire::Smb2Header::decode(head);
    if (!header) return give_up(fmt::format("bad SMB2 header: {}", header.error().what));
    session = header->session_id;
    setup = header->command == wire::Command::SessionSetup;
  } else if (wire::kind_of(head) == wire::PacketKind::Transform) {
    const auto header = wire::TransformHeader::decode(head);
    if (!header) return give_up(fmt::format("bad TRANSFORM header: {}", header.error().what));
    session = header->session_id;
  } else {
    return give_up(fmt::format("frame of {} bytes is no SMB2 message", size_bytes));
  }
  if (session.raw() == 0) {
    verdict.tag = setup ? local_.choose_shard() : home_.index;
    return verdict;
  }
  const ports::SessionHome home = ports::home_of(session);
  const bool here = home.node == home_.core.self16() && home.shard < local_.shard_count();
  verdict.tag = here ? home.shard : kTagRefuse;
  return verdict;
}

void LinkServer::on_frame(Bytes frame, std::uint64_t tag) {
  if (ended_) return;
  if (tag == kTagMessage) {
    on_message(frame);
  } else if (tag == kTagRefuse) {
    if (!refuse_session(frame, *socket_)) end("bad compound for a session that is not here");
  } else {
    local_.deliver(facts_, static_cast<std::uint8_t>(tag), std::move(frame));
  }
  if (ended_) return;
  if (socket_->queued_bytes() > FrameSocket::kQueueHighBytes) {
    socket_->pause(FrameSocket::kPauseOwnOutput);
    socket_->tell_when_drained();
  }
  if (local_.lagging()) socket_->pause(FrameSocket::kPauseOtherSide);
}

void LinkServer::on_message(ByteView bytes) {
  Core& core = home_.core;
  const auto message = decode_link_message(bytes);
  if (!message) {
    end(message.error());
    return;
  }
  if (const auto* hello = std::get_if<LinkHello>(&*message);
      hello != nullptr && state_ == State::Hello) {
    if (hello->to != core.options.self) {
      end(fmt::format("link hello for node {}, this is node {}", hello->to.raw(),
                      core.options.self.raw()));
      return;
    }
    hello_ = *hello;
    state_ = State::Facts;
    LinkChallenge challenge;
    challenge.nonce = nonce_;
    challenge.proof = serving_proof(core.options.pool_key, hello_, nonce_);
    socket_->send(encode_link_message(challenge));
    return;
  }
  const auto* told = std::get_if<LinkFacts>(&*message);
  if (told == nullptr || state_ != State::Facts) {
    end("link: a message that does not belong here");
    return;
  }
  const Proof expected = front_proof(core.options.pool_key, hello_, nonce_, told->facts);
  if (!crypto::equal_constant_time(expected, told->proof)) {
    end("link: the node does not have the pool's key");
    return;
  }
  auto facts = decode_facts(told->facts);
  if (!facts) {
    end(facts.error());
    return;
  }
  facts_ = std::move(*facts);
  facts_.front = hello_.from;
  state_ = State::Up;
  socket_->set_trusted();
  socket_->set_frame_bytes_max(core.frame_bytes_max());
}

void LinkServer::answer(Bytes frame) {
  if (!ended_) socket_->send(std::move(frame));
}

void LinkServer::on_drained() { socket_->resume(FrameSocket::kPauseOwnOutput); }

void LinkServer::view_changed(const std::vector<Member>& members) {
  if (finished_ || state_ != State::Up || members.empty()) return;
  if (std::ranges::find(members, facts_.front, &Member::node) == members.end())
    finish("its front left the pool", true);
}

void LinkServer::sweep(MonoTime now) {
  if (finished_) return;
  if (state_ != State::Up && now - accepted_at_ >= home_.core.options.link_timeout) {
    finish("no handshake in time", true);
  } else if (socket_->stalled(now, home_.core.options.stall_timeout)) {
    finish(fmt::format("no progress within {} ms", home_.core.options.stall_timeout.count()), true);
  }
}

void LinkServer::end(std::string_view reason) {
  if (std::exchange(ended_, true)) return;
  if (state_ == State::Up) socket_->send(encode_link_message(LinkEnd{std::string(reason)}));
  socket_->close();
  home_.executor.post(
      [self = shared_from_this(), text = std::string(reason)] { self->finish(text, true); });
}

void LinkServer::on_ended(std::string_view reason, bool orderly) { finish(reason, !orderly); }

void LinkServer::finish(std::string_view reason, bool for_cause) {
  if (std::exchange(finished_, true)) return;
  ended_ = true;
  if (for_cause) {
    log::info("front: link from {} (client {}) ended: {}", peer_, facts_.peer_address, reason);
  } else {
    log::debug("front: link from {}: {}", peer_, reason);
  }
  socket_->close();
  outlet_->outlet = nullptr;
  local_.close();
  home_.executor.post([self = shared_from_this()] { self->home_.links.erase(self); });
}

}  // namespace flotilla::front
