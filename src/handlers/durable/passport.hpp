// Passport: what this room needs, beside the engine's own record, to make a kept open anew on
// another node or after a restart. The engine carries it without looking into it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "coherence/types.hpp"
#include "wire/sid.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

/// `share`        its name; [MS-SMB2] 3.3.1.10 TreeConnect.Share
/// `owner`        DurableOwner
/// `cache_asked`  what the CREATE asked for: a replay is answered from it
struct Passport {
  std::string share;
  wire::Sid owner;
  std::uint32_t create_options = 0;
  wire::CreateAction create_action = wire::CreateAction::Opened;
  coherence::CacheRequest cache_asked;
  std::uint64_t position = 0;  ///< FilePositionInformation, as of the client's loss
};

[[nodiscard]] Bytes encode(const Passport& passport);
/// Nothing where another version, or somebody else, has written it.
[[nodiscard]] std::optional<Passport> decode_passport(ByteView bytes);

}  // namespace flotilla::handlers
