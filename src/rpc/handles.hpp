// Context handles of one pipe: what lsarpc and samr gave their client. Thread: the pipe's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "wire/ndr_types.hpp"

namespace flotilla::rpc {

enum class HandleKind : std::uint8_t {
  LsaPolicy,
  LsaAccount,
  SamServer,
  SamDomain,
  SamUser,
  SamGroup,
  SamAlias,
};

struct HandleTarget {
  HandleKind kind{};
  std::uint32_t access = 0;  ///< granted
  wire::Sid sid;             ///< of the domain or account
};

/// A client that leaks handles gets no more of them, and loses nothing else.
class HandleTable {
 public:
  static constexpr std::size_t kHandlesMax = 2048;

  /// Nothing where there are too many.
  [[nodiscard]] std::optional<wire::NdrContextHandle> add(HandleTarget target) {
    if (targets_.size() >= kHandlesMax) return std::nullopt;
    const std::uint64_t id = next_++;
    wire::NdrContextHandle handle;
    handle.uuid[0] = static_cast<std::uint8_t>(static_cast<unsigned>(target.kind) + 1U);
    store_le(handle.uuid.data() + 8, id);
    targets_.emplace(id, std::move(target));
    return handle;
  }
  /// Null: never given, closed, or of another kind. Valid until the table changes.
  [[nodiscard]] const HandleTarget* find(const wire::NdrContextHandle& handle) const {
    const auto found = targets_.find(id_of(handle));
    return found == targets_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const HandleTarget* find(const wire::NdrContextHandle& handle,
                                         HandleKind kind) const {
    const HandleTarget* const target = find(handle);
    return target != nullptr && target->kind == kind ? target : nullptr;
  }
  bool close(const wire::NdrContextHandle& handle) { return targets_.erase(id_of(handle)) != 0; }

 private:
  [[nodiscard]] static std::uint64_t id_of(const wire::NdrContextHandle& handle) {
    return handle.attributes == 0 ? load_le<std::uint64_t>(handle.uuid.data() + 8) : 0;
  }
  std::map<std::uint64_t, HandleTarget> targets_;
  std::uint64_t next_ = 1;
};

}  // namespace flotilla::rpc
