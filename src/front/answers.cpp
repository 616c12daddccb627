#include "front/answers.hpp"

#include <algorithm>
#include <vector>

#include "wire/error_response.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front {
namespace {

constexpr std::size_t kCompoundPartsMax = 64;

wire::Smb2Header answer_header(const wire::Smb2Header& request, NtStatus status) {
  wire::Smb2Header header = request;
  header.status = static_cast<std::uint32_t>(status);
  // Gives back what the request consumed, and nothing on top.
  header.credits = std::max<std::uint16_t>(1, request.credit_charge);
  // Who signed its request wants to see the flag; there is no key to sign with.
  header.flags = wire::header_flags::kServerToRedir | (request.flags & wire::header_flags::kSigned);
  header.next_command = 0;
  header.signature = {};
  return header;
}

}  // namespace

bool refuse_session(ByteView message, FrameSocket& socket) {
  std::vector<ByteView> parts;
  if (!wire::split_compound(message, kCompoundPartsMax, parts)) return false;
  for (const ByteView part : parts) {
    const auto request = wire::Smb2Header::decode(part);
    if (!request) return false;
    if (request->command == wire::Command::Cancel) continue;
    Bytes frame(wire::kFrameHeaderSize);
    answer_header(*request, NtStatus::UserSessionDeleted).encode(frame);
    wire::encode(wire::ErrorResponse{}, frame);
    socket.send(std::move(frame));
  }
  return true;
}

void answer_echo(ByteView message, FrameSocket& socket) {
  const auto request = wire::Smb2Header::decode(message);
  if (!request) return;
  // [MS-SMB2] 2.2.29 SMB2 ECHO Response: StructureSize 4 and two reserved bytes.
  Bytes frame(wire::kFrameHeaderSize);
  answer_header(*request, NtStatus::Success).encode(frame);
  ByteWriter writer(frame);
  writer.u16(4);
  writer.u16(0);
  socket.send(std::move(frame));
}

}  // namespace flotilla::front
