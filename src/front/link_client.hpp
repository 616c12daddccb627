// LinkClient: a front's end of the link that carries one client connection's sessions to one other
// node. Proves membership, tells the facts, then passes frames both ways.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "front/core.hpp"
#include "front/link_messages.hpp"

namespace flotilla::front {

class LinkClient;

/// The client connection behind a link. Home thread only.
class LinkUser {
 public:
  virtual ~LinkUser() = default;
  [[nodiscard]] virtual const std::shared_ptr<FrameSocket>& client_socket() const noexcept = 0;
  /// The first bytes of an answer pass by.
  virtual void observe_answer(ByteView head, NodeId node) = 0;
  /// The link has room again.
  virtual void on_link_room() = 0;
  /// The link is gone. `end_client`: the serving node demands the client's end.
  virtual void on_link_lost(NodeId node, std::string_view reason, bool end_client) = 0;
};

class LinkClient final : public FrameOwner {
 public:
  LinkClient(ShardState& home, Member member, ports::ConnectionFacts facts, LinkUser& user);
  ~LinkClient() override;

  /// Begins to connect. False where that fails at once; on_link_lost() is not called then.
  [[nodiscard]] bool open();
  /// A frame with 4 bytes in front, and whether it should wait with the next one.
  void send(Bytes frame);
  [[nodiscard]] bool full() const noexcept;
  /// Where large frames may be spliced to; null while the link is not up.
  [[nodiscard]] std::shared_ptr<FrameSocket> stream_target() const noexcept;
  void pause();  ///< the client does not read
  void resume();
  [[nodiscard]] NodeId node() const noexcept { return member_.node; }
  void close();
  [[nodiscard]] bool stalled(MonoTime now);

  [[nodiscard]] FrameVerdict on_frame_head(std::uint32_t size_bytes, ByteView head) override;
  void on_frame(Bytes frame, std::uint64_t tag) override;
  void on_drained() override;
  void on_ended(std::string_view reason, bool orderly) override;

 private:
  void on_message(const LinkMessage& message);
  void lose(std::string reason, bool end_client);

  ShardState& home_;
  const Member member_;
  ports::ConnectionFacts facts_;
  LinkUser& user_;
  std::shared_ptr<FrameSocket> socket_;
  LinkHello hello_;
  bool up_ = false;
  bool lost_ = false;
  std::vector<Bytes> waiting_;  ///< frames until the link is up
  std::size_t waiting_bytes_ = 0;
  runtime::TimerId deadline_;
};

}  // namespace flotilla::front
