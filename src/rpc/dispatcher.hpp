// Dispatcher: connection-oriented DCE/RPC over one pipe: binds, fragments, calls, faults.
// Spec    [MS-RPCE] 3.3.1.5 Message Processing Events; [C706] chapter 12
#pragma once

#include <optional>
#include <vector>

#include "rpc/interface.hpp"

namespace flotilla::rpc {

class Dispatcher final : public PipeServer {
 public:
  /// What one fragment may carry in either direction, and one request in all.
  static constexpr std::uint16_t kFragmentBytesMax = 4280;
  static constexpr std::uint16_t kFragmentBytesMin = 1432;  ///< [C706] MustRecvFragSize
  static constexpr std::size_t kRequestBytesMax = 1U << 20;
  static constexpr std::size_t kContextsMax = 64;
  /// What may wait behind a call that is carried out elsewhere.
  static constexpr std::size_t kPendingBytesMax = 2U << 20;

  Dispatcher(const Endpoint& endpoint, PipeContext context, ReplySink sink);

  [[nodiscard]] Status receive(ByteView data) override;

 private:
  struct Context {
    std::uint16_t id;
    const Interface* interface;
  };
  /// A request whose last fragment is still to come.
  struct Assembly {
    std::uint32_t call_id;
    std::uint16_t context_id;
    std::uint16_t opnum;
    Bytes stub;
  };

  /// False: the pipe is over.
  bool on_pdu(const wire::RpcHeader& header, ByteView pdu);
  bool on_bind(const wire::RpcHeader& header, ByteView body, bool alter);
  bool on_request(const wire::RpcHeader& header, ByteView body);
  void carry_out(Assembly call);
  void carry_out_elsewhere(Assembly call, const Interface& interface);
  void answer(const Assembly& call, const CallResult& result);
  void take_pending();
  wire::RpcBindContextResult negotiate(const wire::RpcPresentationContext& proposal);
  void fault(std::uint32_t call_id, std::uint16_t context_id, std::uint32_t status);
  void refuse_bind(std::uint32_t call_id, std::uint16_t reason);

  const Endpoint& endpoint_;
  PipeContext context_;
  ReplySink sink_;
  bool bound_ = false;
  bool dead_ = false;
  bool busy_ = false;  ///< a call is carried out elsewhere: what comes waits in `pending_`
  std::uint16_t max_send_bytes_ = kFragmentBytesMax;
  std::uint32_t assoc_group_id_ = 0;
  std::vector<Context> contexts_;
  Bytes pending_;  ///< bytes of a PDU that is not complete
  std::optional<Assembly> assembly_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< gone with this
};

}  // namespace flotilla::rpc
