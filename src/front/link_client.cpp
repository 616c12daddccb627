#include "front/link_client.hpp"

#include <errno.h>
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "crypto/hash.hpp"
#include "front/sockets.hpp"

namespace flotilla::front {
namespace {
constexpr std::uint64_t kTagAnswer = 0;
constexpr std::uint64_t kTagMessage = 1;
constexpr std::size_t kWaitingBytesMax = 1U << 20;
}  // namespace

LinkClient::LinkClient(ShardState& home, Member member, ports::ConnectionFacts facts,
                       LinkUser& user)
    : home_(home), member_(std::move(member)), facts_(std::move(facts)), user_(user) {
  home_.core.links_out.fetch_add(1, std::memory_order_relaxed);
}

LinkClient::~LinkClient() {
  close();
  home_.core.links_out.fetch_sub(1, std::memory_order_relaxed);
}

bool LinkClient::open() {
  const int fd = connect_tcp(ListenAddress{member_.link_host, member_.link_port});
  if (fd < 0) return false;
  Core& core = home_.core;
  socket_ = FrameSocket::make(home_.executor, fd, *this, core.relay, true);
  if (!socket_) return false;
  socket_->set_trusted();
  core.entropy.fill(hello_.nonce);
  hello_.from = core.options.self;
  hello_.to = member_.node;
  socket_->send(encode_link_message(hello_));
  socket_->start(core.frame_bytes_max());
  deadline_ = home_.executor.schedule_after(core.options.link_timeout, [this] {
    deadline_ = {};
    lose("no answer to the link's handshake in time", false);
  });
  return true;
}

void LinkClient::send(Bytes frame) {
  if (lost_) return;
  if (up_) {
    socket_->send(std::move(frame));
  } else {
    waiting_bytes_ += frame.size();
    waiting_.push_back(std::move(frame));
  }
  if (full() && up_) socket_->tell_when_drained();
}

bool LinkClient::full() const noexcept {
  if (lost_) return false;
  return up_ ? socket_->queued_bytes() > FrameSocket::kQueueHighBytes
             : waiting_bytes_ > kWaitingBytesMax;
}

std::shared_ptr<FrameSocket> LinkClient::stream_target() const noexcept {
  return up_ && !lost_ ? socket_ : nullptr;
}

void LinkClient::pause() {
  if (up_ && !lost_) socket_->pause(FrameSocket::kPauseOtherSide);
}
void LinkClient::resume() {
  if (up_ && !lost_) socket_->resume(FrameSocket::kPauseOtherSide);
}

void LinkClient::close() {
  lost_ = true;
  if (socket_) socket_->close();
  waiting_.clear();
  if (deadline_.raw() != 0) home_.executor.cancel(std::exchange(deadline_, {}));
}

bool LinkClient::stalled(MonoTime now) {
  return socket_ && !lost_ && socket_->stalled(now, home_.core.options.stall_timeout);
}

FrameVerdict LinkClient::on_frame_head(std::uint32_t size_bytes, ByteView head) {
  FrameVerdict verdict;
  if (is_link_message(head)) {
    verdict.tag = kTagMessage;
    if (size_bytes > kLinkMessageBytesMax) {
      verdict.action = FrameVerdict::Action::End;
      verdict.reason = "link message too large";
    }
    return verdict;
  }
  if (!up_) {
    verdict.action = FrameVerdict::Action::End;
    verdict.reason = "link: an answer before the handshake's end";
    return verdict;
  }
  user_.observe_answer(head, member_.node);
  home_.core.relayed_bytes_out.fetch_add(size_bytes + 4U, std::memory_order_relaxed);
  verdict.action = FrameVerdict::Action::Relay;
  verdict.tag = kTagAnswer;
  verdict.target = user_.client_socket();
  return verdict;
}

void LinkClient::on_frame(Bytes frame, std::uint64_t tag) {
  if (tag == kTagAnswer) {
    const std::shared_ptr<FrameSocket>& client = user_.client_socket();
    client->send(std::move(frame));
    if (client->queued_bytes() > FrameSocket::kQueueHighBytes) {
      client->tell_when_drained();
      pause();
    }
    return;
  }
  const auto message = decode_link_message(frame);
  if (!message) {
    lose(message.error(), false);
    return;
  }
  on_message(*message);
}

void LinkClient::on_message(const LinkMessage& message) {
  Core& core = home_.core;
  if (const auto* end = std::get_if<LinkEnd>(&message)) {
    lose(end->reason, true);
    return;
  }
  const auto* challenge = std::get_if<LinkChallenge>(&message);
  if (challenge == nullptr || up_) {
    lose("link: a message that does not belong here", false);
    return;
  }
  const Proof expected = serving_proof(core.options.pool_key, hello_, challenge->nonce);
  if (!crypto::equal_constant_time(expected, challenge->proof)) {
    lose("link: the node does not have the pool's key", false);
    return;
  }
  LinkFacts facts;
  facts.facts = encode_facts(facts_);
  facts.proof = front_proof(core.options.pool_key, hello_, challenge->nonce, facts.facts);
  home_.executor.cancel(std::exchange(deadline_, {}));
  up_ = true;
  socket_->cork();
  socket_->send(encode_link_message(facts));
  for (Bytes& frame : std::exchange(waiting_, {})) socket_->send(std::move(frame));
  waiting_bytes_ = 0;
  socket_->uncork();
  if (full()) {
    socket_->tell_when_drained();
  } else {
    user_.on_link_room();
  }
}

void LinkClient::on_drained() { user_.on_link_room(); }

void LinkClient::on_ended(std::string_view reason, bool) { lose(std::string(reason), false); }

void LinkClient::lose(std::string reason, bool end_client) {
  if (lost_) return;
  close();
  // From the queue: the user may be in the middle of handing us something.
  // The user lives as long as its socket is open.
  home_.executor.post([user = &user_, socket = user_.client_socket(), node = member_.node,
                       text = std::move(reason), end_client] {
    if (!socket->closed()) user->on_link_lost(node, text, end_client);
  });
}

}  // namespace flotilla::front
