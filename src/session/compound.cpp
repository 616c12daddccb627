#include "session/compound.hpp"

#include <algorithm>

namespace flotilla::session {

std::expected<std::vector<CompoundPart>, std::string_view> split_frame(ByteView frame) {
  std::vector<CompoundPart> parts;
  ByteView rest = frame;
  for (;;) {
    if (rest.size() < wire::kSmb2HeaderSize) return std::unexpected("shorter than an SMB2 header");
    const auto header = wire::Smb2Header::decode(rest);
    if (!header) return std::unexpected("not an SMB2 header");
    if (header->is_response()) return std::unexpected("a response instead of a request");
    if (parts.size() == kCompoundPartsMax) return std::unexpected("too many compounded requests");
    CompoundPart part{*header, rest, false, false};
    const std::size_t next = header->next_command;
    if (next == 0) {
      parts.push_back(part);
      break;
    }
    if (next % 8 != 0 || next < wire::kSmb2HeaderSize || next > rest.size()) {
      return std::unexpected("a compound's NextCommand leads nowhere");
    }
    part.message = rest.first(next);
    parts.push_back(part);
    rest = rest.subspan(next);
  }
  const bool first_related = parts.front().header.is_related();
  for (std::size_t i = 1; i < parts.size(); ++i) parts[i].related = parts[i].header.is_related();
  if (first_related) {
    parts.front().malformed = true;
    for (std::size_t i = 1; i < parts.size() && parts[i].related; ++i) parts[i].malformed = true;
  }
  return parts;
}

}  // namespace flotilla::session
