// LinkServer: the serving end of a link: a client connection whose socket is on another node.
//
//   Hello -> Facts -> Up
//
// Until Facts is proved it costs one small object and ends after link_timeout.
#pragma once

#include <memory>
#include <string>

#include "front/core.hpp"
#include "front/link_messages.hpp"
#include "front/local_serving.hpp"

namespace flotilla::front {

class LinkServer final : public FrameOwner,
                         public Outlet,
                         public std::enable_shared_from_this<LinkServer> {
 public:
  static std::shared_ptr<LinkServer> accept(ShardState& home, int fd);
  explicit LinkServer(ShardState& home);
  ~LinkServer() override;

  void sweep(MonoTime now);
  void view_changed(const std::vector<Member>& members);
  /// From the executor's queue only.
  void finish(std::string_view reason, bool for_cause);

  // FrameOwner
  [[nodiscard]] FrameVerdict on_frame_head(std::uint32_t size_bytes, ByteView head) override;
  void on_frame(Bytes frame, std::uint64_t tag) override;
  void on_drained() override;
  void on_ended(std::string_view reason, bool orderly) override;
  // Outlet
  void answer(Bytes frame) override;
  void end(std::string_view reason) override;
  void caught_up() override { socket_->resume(FrameSocket::kPauseOtherSide); }

 private:
  enum class State : std::uint8_t { Hello, Facts, Up };
  void on_message(ByteView message);

  ShardState& home_;
  std::shared_ptr<FrameSocket> socket_;
  std::shared_ptr<OutletRef> outlet_;
  LocalServing local_;
  State state_ = State::Hello;
  LinkHello hello_;
  Nonce nonce_{};
  ports::ConnectionFacts facts_;
  std::string peer_;
  MonoTime accepted_at_;
  bool ended_ = false;
  bool finished_ = false;
};

}  // namespace flotilla::front
