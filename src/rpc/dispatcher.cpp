#include "rpc/dispatcher.hpp"

#include <algorithm>
#include <atomic>

#include "base/log.hpp"
#include "rpc/access.hpp"
#include "rpc/handles.hpp"

namespace flotilla::rpc {

namespace {

using wire::RpcHeader;
using wire::RpcPacketType;

// bind_nak reasons, [C706] 12.6.4.5 and [MS-RPCE] 2.2.2.5
constexpr std::uint16_t kNakNotSpecified = 0;
constexpr std::uint16_t kNakAuthenticationTypeNotRecognized = 8;

// [MS-RPCE] 2.2.2.14: the connection survives an orphaned call. The other feature, several security
// contexts on one connection, is meaningless without RPC-level authentication.
constexpr std::uint16_t kFeatureKeepConnectionOnOrphan = 0x0002;

std::uint32_t next_assoc_group() noexcept {
  static std::atomic<std::uint32_t> last{0x53F0};
  const std::uint32_t id = ++last;
  return id != 0 ? id : ++last;
}

bool same_interface(const wire::RpcSyntaxId& ours, const wire::RpcSyntaxId& asked) noexcept {
  return ours.if_uuid == asked.if_uuid && ours.if_version_major == asked.if_version_major &&
         asked.if_version_minor <= ours.if_version_minor;
}

}  // namespace

Dispatcher::Dispatcher(const Endpoint& endpoint, PipeContext context, ReplySink sink)
    : endpoint_(endpoint), context_(std::move(context)), sink_(std::move(sink)) {
  context_.handles = std::make_shared<HandleTable>();
}

Status Dispatcher::receive(ByteView data) {
  if (dead_) return fail(NtStatus::PipeDisconnected);
  if (busy_ && pending_.size() + data.size() > kPendingBytesMax) {
    dead_ = true;
    return fail(NtStatus::InsufficientResources);
  }
  pending_.insert(pending_.end(), data.begin(), data.end());
  if (!busy_) take_pending();
  return {};
}

void Dispatcher::take_pending() {
  std::size_t at = 0;
  while (!dead_ && !busy_ && pending_.size() - at >= wire::kRpcHeaderSize) {
    const ByteView rest = ByteView(pending_).subspan(at);
    const auto header = RpcHeader::decode(rest);
    if (!header) {
      // No call id to answer to can be trusted: the pipe ends without a word.
      log::warn("rpc {}: {} is no DCE/RPC header ({} at byte {}); pipe closed", endpoint_.name,
                context_.peer_address, header.error().what, header.error().offset);
      dead_ = true;
      break;
    }
    if (header->frag_length > kFragmentBytesMax && bound_) {
      fault(header->call_id, 0, wire::rpc_fault::kProtocolError);
      dead_ = true;
      break;
    }
    if (rest.size() < header->frag_length) break;
    if (!on_pdu(*header, rest.first(header->frag_length))) dead_ = true;
    at += header->frag_length;
  }
  if (dead_) {
    pending_.clear();
    assembly_.reset();
    return;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
}

bool Dispatcher::on_pdu(const RpcHeader& header, ByteView pdu) {
  const auto body = wire::rpc_body(header, pdu);
  if (!body) {
    fault(header.call_id, 0, wire::rpc_fault::kProtocolError);
    return false;
  }
  switch (header.ptype) {
    case RpcPacketType::Bind:
      return on_bind(header, *body, false);
    case RpcPacketType::AlterContext:
      return on_bind(header, *body, true);
    case RpcPacketType::Request:
      return on_request(header, *body);
    case RpcPacketType::Auth3:
      return true;  // no authentication was begun; nobody waits for an answer
    case RpcPacketType::CoCancel:
      return true;  // calls are carried out at once: always too late
    case RpcPacketType::Orphaned:
      if (assembly_ && assembly_->call_id == header.call_id) assembly_.reset();
      return true;
    default:
      fault(header.call_id, 0, wire::rpc_fault::kProtocolError);
      return false;
  }
}

wire::RpcBindContextResult Dispatcher::negotiate(const wire::RpcPresentationContext& proposal) {
  wire::RpcBindContextResult result;
  const auto interface = std::ranges::find_if(endpoint_.interfaces, [&](const Interface* each) {
    return same_interface(each->syntax(), proposal.abstract_syntax);
  });
  if (!proposal.transfer_syntaxes.empty() &&
      wire::is_bind_time_features(proposal.transfer_syntaxes.front())) {
    const auto& uuid = proposal.transfer_syntaxes.front().if_uuid;
    const auto offered = load_le<std::uint16_t>(uuid.data() + 8);
    result.result = wire::RpcBindResult::NegotiateAck;
    result.reason = offered & kFeatureKeepConnectionOnOrphan;
    return result;
  }
  result.result = wire::RpcBindResult::ProviderRejection;
  if (interface == endpoint_.interfaces.end()) {
    result.reason = static_cast<std::uint16_t>(wire::RpcBindReason::AbstractSyntaxNotSupported);
    return result;
  }
  if (std::ranges::find(proposal.transfer_syntaxes, wire::ndr20_syntax()) ==
      proposal.transfer_syntaxes.end()) {
    result.reason =
        static_cast<std::uint16_t>(wire::RpcBindReason::ProposedTransferSyntaxesNotSupported);
    return result;
  }
  const auto known = std::ranges::find(contexts_, proposal.context_id, &Context::id);
  if (known != contexts_.end()) {
    known->interface = *interface;
  } else if (contexts_.size() < kContextsMax) {
    contexts_.push_back({proposal.context_id, *interface});
  } else {
    result.reason = static_cast<std::uint16_t>(wire::RpcBindReason::LocalLimitExceeded);
    return result;
  }
  result.result = wire::RpcBindResult::Acceptance;
  result.reason = 0;
  result.transfer_syntax = wire::ndr20_syntax();
  return result;
}

bool Dispatcher::on_bind(const RpcHeader& header, ByteView body, bool alter) {
  const auto bind = wire::decode<wire::RpcBind>(body);
  if (!bind || alter != bound_) {
    if (alter) {
      fault(header.call_id, 0, wire::rpc_fault::kProtocolError);
    } else {
      refuse_bind(header.call_id, kNakNotSpecified);
    }
    return false;
  }
  if (header.auth_length != 0) {
    // SMB has authenticated the caller; verifiers inside the pipe are not taken.
    if (alter) {
      fault(header.call_id, 0, wire::rpc_fault::kAccessDenied);
    } else {
      refuse_bind(header.call_id, kNakAuthenticationTypeNotRecognized);
    }
    return false;
  }
  if (!alter) {
    max_send_bytes_ = std::clamp(bind->max_recv_frag, kFragmentBytesMin, kFragmentBytesMax);
    assoc_group_id_ = bind->assoc_group_id != 0 ? bind->assoc_group_id : next_assoc_group();
    bound_ = true;
  }
  wire::RpcBindAck ack;
  ack.max_xmit_frag = max_send_bytes_;
  ack.max_recv_frag = kFragmentBytesMax;
  ack.assoc_group_id = assoc_group_id_;
  if (!alter) ack.secondary_address = "\\PIPE\\" + std::string(endpoint_.name);
  for (const auto& proposal : bind->contexts) ack.results.push_back(negotiate(proposal));
  RpcHeader answer;
  answer.ptype = alter ? RpcPacketType::AlterContextResponse : RpcPacketType::BindAck;
  answer.call_id = header.call_id;
  Bytes pdu;
  wire::encode_rpc_pdu(answer, ack, pdu);
  sink_(std::move(pdu));
  return true;
}

bool Dispatcher::on_request(const RpcHeader& header, ByteView body) {
  const auto request = wire::decode<wire::RpcRequest>(body);
  if (!request || !bound_) {
    fault(header.call_id, 0, wire::rpc_fault::kProtocolError);
    return false;
  }
  ByteView stub = request->stub;
  if (header.pfc_flags & wire::rpc_flags::kObjectUuid) {
    if (stub.size() < 16) {
      fault(header.call_id, request->context_id, wire::rpc_fault::kProtocolError);
      return false;
    }
    stub = stub.subspan(16);
  }
  const bool first = header.pfc_flags & wire::rpc_flags::kFirstFrag;
  const bool last = header.pfc_flags & wire::rpc_flags::kLastFrag;
  if (first == assembly_.has_value() || (!first && assembly_->call_id != header.call_id)) {
    fault(header.call_id, request->context_id, wire::rpc_fault::kProtocolError);
    return false;
  }
  if (first) assembly_ = Assembly{header.call_id, request->context_id, request->opnum, {}};
  if (assembly_->stub.size() + stub.size() > kRequestBytesMax) {
    fault(header.call_id, request->context_id, wire::rpc_fault::kProtocolError);
    return false;
  }
  assembly_->stub.insert(assembly_->stub.end(), stub.begin(), stub.end());
  if (!last) return true;
  Assembly call = std::move(*assembly_);
  assembly_.reset();
  carry_out(std::move(call));
  return true;
}

void Dispatcher::carry_out(Assembly call) {
  const auto context = std::ranges::find(contexts_, call.context_id, &Context::id);
  if (context == contexts_.end()) {
    return fault(call.call_id, call.context_id, wire::rpc_fault::kUnknownInterface);
  }
  const Interface& interface = *context->interface;
  if (endpoint_.needs_accounts && context_.elsewhere) {
    return carry_out_elsewhere(std::move(call), interface);
  }
  if (!interface.wants_listing(call.opnum) || !context_.list || !context_.caller ||
      !is_administrator(*context_.caller)) {
    return answer(call, interface.call(context_, call.opnum, call.stub));
  }
  context_.list(
      [this, alive = std::weak_ptr(alive_), &interface, call = std::move(call)](Listing listing) {
        if (alive.expired()) return;
        context_.listing = std::make_shared<const Listing>(std::move(listing));
        answer(call, interface.call(context_, call.opnum, call.stub));
        context_.listing.reset();
      });
}

/// Names and ids may be a directory's, behind nsswitch or winbind: nobody else waits for them. The
/// pipe's handles are the call's alone until it is answered.
void Dispatcher::carry_out_elsewhere(Assembly call, const Interface& interface) {
  struct Errand {
    PipeContext context;
    Assembly call;
    CallResult result;
  };
  busy_ = true;
  const auto errand = std::make_shared<Errand>(context_, std::move(call), Bytes{});
  context_.elsewhere(
      [errand, &interface] {
        errand->result = interface.call(errand->context, errand->call.opnum, errand->call.stub);
      },
      [this, alive = std::weak_ptr(alive_), errand] {
        if (alive.expired()) return;
        busy_ = false;
        if (dead_) return;
        answer(errand->call, errand->result);
        take_pending();
      });
}

void Dispatcher::answer(const Assembly& call, const CallResult& result) {
  if (!result) return fault(call.call_id, call.context_id, result.error());
  Bytes pdus;
  wire::encode_rpc_response(call.call_id, call.context_id, *result, max_send_bytes_, pdus);
  // Each fragment is one message of the pipe.
  ByteView rest = pdus;
  while (rest.size() >= wire::kRpcHeaderSize) {
    const std::size_t size_bytes = load_le<std::uint16_t>(rest.data() + 8);
    if (size_bytes < wire::kRpcHeaderSize || size_bytes > rest.size()) break;
    sink_(Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size_bytes)));
    rest = rest.subspan(size_bytes);
  }
}

void Dispatcher::fault(std::uint32_t call_id, std::uint16_t context_id, std::uint32_t status) {
  Bytes pdu;
  wire::encode_rpc_fault(call_id, context_id, status, pdu);
  sink_(std::move(pdu));
}

void Dispatcher::refuse_bind(std::uint32_t call_id, std::uint16_t reason) {
  RpcHeader header;
  header.ptype = RpcPacketType::BindNak;
  header.call_id = call_id;
  Bytes pdu;
  wire::encode_rpc_pdu(header, wire::RpcBindNak{reason}, pdu);
  sink_(std::move(pdu));
}

}  // namespace flotilla::rpc
