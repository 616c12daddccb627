// How things look in traces: short, and the same in every run. Ids of opens are node.number.
#pragma once

#include <string>

#include "coherence/command.hpp"
#include "pool/membership.hpp"
#include "sim/client.hpp"

namespace flotilla::sim {

[[nodiscard]] std::string show(const FileKey& key);
[[nodiscard]] std::string show(OpenId open);
/// All names that the file may have, with | between.
[[nodiscard]] std::string show_path(std::string path);
[[nodiscard]] std::string show(const CacheName& name);
[[nodiscard]] std::string show(const coherence::LockRange& range);
[[nodiscard]] std::string show(const coherence::Restrictions& what);
[[nodiscard]] std::string show(const coherence::Break& what);
[[nodiscard]] std::string show(const coherence::Outcome& outcome);
[[nodiscard]] std::string show(const FileKey& key, const coherence::Body& body);
[[nodiscard]] std::string show(const pool::View& view);
[[nodiscard]] const char* show(coherence::RevokeReason reason);
[[nodiscard]] std::string show_rights(coherence::CacheRights rights);
/// One message between nodes, from its bytes.
[[nodiscard]] std::string show_message(ByteView bytes);

}  // namespace flotilla::sim
