// ClientConnection: one client's TCP connection on its front, from accept to its end.
//
//   Fresh --NEGOTIATE--> Ready --SESSION_SETUP answered with success--> (authenticated)
//   Fresh --SMB1 NEGOTIATE with "SMB 2.???"--> Fresh, once
//   any --bad bytes, time-out, lost node, not serving--> ended
//
// Knows of a request what its header says. See README.md for routing.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "front/core.hpp"
#include "front/link_client.hpp"
#include "front/local_serving.hpp"
#include "front/message_ids.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front {

class ClientConnection final : public FrameOwner,
                               public Outlet,
                               public LinkUser,
                               public std::enable_shared_from_this<ClientConnection> {
 public:
  /// Takes `fd` over; null where it cannot be watched. The shard's set holds the result.
  static std::shared_ptr<ClientConnection> accept(ShardState& home, int fd);
  explicit ClientConnection(ShardState& home);
  ~ClientConnection() override;

  /// Time-outs. Called about once a second.
  void sweep(MonoTime now);
  /// Ends what stands on nodes that are not in `members`.
  void view_changed(const std::vector<Member>& members);
  /// Ends it now: from the executor's queue only, never from inside a callback.
  void finish(std::string_view reason, bool for_cause);

  [[nodiscard]] bool on_pool_address() const noexcept { return on_pool_address_; }

  // FrameOwner
  [[nodiscard]] FrameVerdict on_frame_head(std::uint32_t size_bytes, ByteView head) override;
  void on_frame(Bytes frame, std::uint64_t tag) override;
  void on_drained() override;
  void on_ended(std::string_view reason, bool orderly) override;
  // Outlet
  void answer(Bytes frame) override;
  void end(std::string_view reason) override;
  void caught_up() override { socket_->resume(FrameSocket::kPauseOtherSide); }
  // LinkUser
  [[nodiscard]] const std::shared_ptr<FrameSocket>& client_socket() const noexcept override {
    return socket_;
  }
  void observe_answer(ByteView head, NodeId node) override;
  void on_link_room() override;
  void on_link_lost(NodeId node, std::string_view reason, bool end_client) override;

 private:
  struct Session {
    NodeId node;
    bool assigned = false;  ///< counted in Core::spread
    bool established = false;
  };
  struct PendingSetup {
    MessageId message_id;
    NodeId node;
    bool assigned = false;
  };

  [[nodiscard]] FrameVerdict route_smb2(std::uint32_t size_bytes, ByteView head);
  [[nodiscard]] FrameVerdict route_sealed(ByteView head);
  [[nodiscard]] FrameVerdict route_session(SessionId session, std::uint32_t size_bytes,
                                           bool sealed);
  [[nodiscard]] FrameVerdict to_node(NodeId node, std::uint32_t size_bytes);
  [[nodiscard]] FrameVerdict place_new_session(const wire::Smb2Header& header,
                                               std::uint32_t size_bytes);
  [[nodiscard]] LinkClient* link_to(NodeId node);
  void negotiate(ByteView message, bool smb1);
  void decompress(ByteView packet);
  void refuse(ByteView message);
  void to_link(NodeId node, Bytes frame);
  [[nodiscard]] bool has_sessions_on(NodeId node) const;
  void hold_back_reading();

  ShardState& home_;
  std::shared_ptr<FrameSocket> socket_;
  std::shared_ptr<OutletRef> outlet_;
  LocalServing local_;
  ports::ConnectionFacts facts_;
  bool negotiated_ = false;
  bool smb1_answered_ = false;
  bool authenticated_ = false;
  bool on_pool_address_ = false;
  bool ended_ = false;
  bool finished_ = false;
  MonoTime accepted_at_;
  MessageIds message_ids_;
  ConnectionTuple tuple_;
  std::unordered_map<NodeId, std::unique_ptr<LinkClient>> links_;
  std::unordered_map<SessionId, Session> sessions_;
  std::vector<PendingSetup> pending_setups_;
};

}  // namespace flotilla::front
