#include "rpc/pipe_messages.hpp"

#include <utility>

namespace flotilla::rpc {

namespace {

constexpr std::uint32_t kListedMax = 65536;  ///< groups of a caller

enum class Kind : std::uint8_t { Open = 1, Opened, Data, Close };
// PipeOpen's flags
constexpr std::uint8_t kGuest = 1;
constexpr std::uint8_t kAnonymous = 2;
constexpr std::uint8_t kUseShareOwner = 4;
constexpr std::uint8_t kForeign = 8;

void put_bytes(ByteWriter& out, ByteView bytes) {
  out.u32(static_cast<std::uint32_t>(bytes.size()));
  out.bytes(bytes);
}
Bytes take_bytes(ByteReader& in) {
  const ByteView view = in.view(in.u32());
  return {view.begin(), view.end()};
}
std::string take_text(ByteReader& in) { return std::string(as_text(in.view(in.u32()))); }

void put_sid(ByteWriter& out, const wire::Sid& sid) {
  Bytes flat;
  sid.encode(flat);
  out.bytes(flat);
}
wire::Sid take_sid(ByteReader& in, ByteView whole) {
  const auto sid = wire::Sid::decode(whole.subspan(in.position()));
  if (!sid) {
    in.fail();
    return {};
  }
  in.skip(sid->size_bytes());
  return *sid;
}

std::uint32_t take_count(ByteReader& in) {
  const std::uint32_t count = in.u32();
  if (count > kListedMax) in.fail();
  return in.ok() ? count : 0;
}

void encode_body(ByteWriter& out, const PipeOpen& open) {
  const ports::Token& caller = open.caller;
  put_bytes(out, as_bytes(open.name));
  put_bytes(out, as_bytes(open.peer_address));
  put_bytes(out, open.session_key);
  put_bytes(out, as_bytes(caller.user_name));
  put_bytes(out, as_bytes(caller.domain));
  put_sid(out, caller.user_sid);
  out.u32(static_cast<std::uint32_t>(caller.group_sids.size()));
  for (const wire::Sid& sid : caller.group_sids) put_sid(out, sid);
  out.u32(caller.uid);
  out.u32(caller.gid);
  out.u32(static_cast<std::uint32_t>(caller.groups.size()));
  for (const std::uint32_t gid : caller.groups) out.u32(gid);
  out.u8(static_cast<std::uint8_t>(
      (caller.guest ? kGuest : 0) | (caller.anonymous ? kAnonymous : 0) |
      (caller.use_share_owner ? kUseShareOwner : 0) | (caller.foreign ? kForeign : 0)));
}

PipeOpen decode_open(ByteReader& in, ByteView whole) {
  PipeOpen open;
  ports::Token& caller = open.caller;
  open.name = take_text(in);
  open.peer_address = take_text(in);
  open.session_key = take_bytes(in);
  caller.user_name = take_text(in);
  caller.domain = take_text(in);
  caller.user_sid = take_sid(in, whole);
  for (std::uint32_t left = take_count(in); left > 0 && in.ok(); --left) {
    caller.group_sids.push_back(take_sid(in, whole));
  }
  caller.uid = in.u32();
  caller.gid = in.u32();
  for (std::uint32_t left = take_count(in); left > 0 && in.ok(); --left) {
    caller.groups.push_back(in.u32());
  }
  const std::uint8_t flags = in.u8();
  caller.guest = (flags & kGuest) != 0;
  caller.anonymous = (flags & kAnonymous) != 0;
  caller.use_share_owner = (flags & kUseShareOwner) != 0;
  caller.foreign = (flags & kForeign) != 0;
  return open;
}

}  // namespace

Bytes encode_pipe_message(const PipeMessage& message) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(message.index() + 1));
  std::visit([&](const auto& each) { out.u64(each.pipe); }, message);
  if (const auto* const open = std::get_if<PipeOpen>(&message)) encode_body(out, *open);
  if (const auto* const opened = std::get_if<PipeOpened>(&message)) {
    out.u32(std::to_underlying(opened->status));
  }
  if (const auto* const data = std::get_if<PipeData>(&message)) out.bytes(data->bytes);
  return bytes;
}

std::optional<PipeMessage> decode_pipe_message(ByteView bytes) {
  ByteReader in(bytes);
  const std::uint8_t kind = in.u8();
  const std::uint64_t pipe = in.u64();
  std::optional<PipeMessage> message;
  switch (static_cast<Kind>(kind)) {
    case Kind::Open: {
      PipeOpen open = decode_open(in, bytes);
      open.pipe = pipe;
      message = std::move(open);
      break;
    }
    case Kind::Opened:
      message = PipeOpened{pipe, NtStatus{in.u32()}};
      break;
    case Kind::Data: {
      const ByteView rest = in.view(in.remaining());
      message = PipeData{pipe, Bytes(rest.begin(), rest.end())};
      break;
    }
    case Kind::Close:
      message = PipeClose{pipe};
      break;
  }
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return message;
}

}  // namespace flotilla::rpc
