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
    handle.attributes = attributes_of(target.kind);
    handle.uuid[0] = static_cast<std::uint8_t>(static_cast<unsigned>(target.kind) + 1U);
    store_le(handle.uuid.data() + 8, id);
    targets_.emplace(id, std::move(target));
    return handle;
  }
  /// Null: never given, closed, or of another kind. Valid until the table changes.
  [[nodiscard]] const HandleTarget* find(const wire::NdrContextHandle& handle) const {
    const auto found = targets_.find(id_of(handle));
    if (found == targets_.end()) return nullptr;
    return handle.attributes == attributes_of(found->second.kind) ? &found->second : nullptr;
  }
  [[nodiscard]] const HandleTarget* find(const wire::NdrContextHandle& handle,
                                         HandleKind kind) const {
    const HandleTarget* const target = find(handle);
    return target != nullptr && target->kind == kind ? target : nullptr;
  }
  bool close(const wire::NdrContextHandle& handle) {
    return find(handle) != nullptr && targets_.erase(id_of(handle)) != 0;
  }

 private:
  [[nodiscard]] static std::uint64_t id_of(const wire::NdrContextHandle& handle) {
    return load_le<std::uint64_t>(handle.uuid.data() + 8);
  }
  /// What a handle's attributes say ([C706] leaves them to the implementation): samr's tell what
  /// they are of, as Samba's do, and clients bring them back as they got them.
  [[nodiscard]] static std::uint32_t attributes_of(HandleKind kind) noexcept {
    switch (kind) {
      case HandleKind::SamDomain:
        return 1;
      case HandleKind::SamUser:
        return 2;
      case HandleKind::SamGroup:
        return 3;
      case HandleKind::SamAlias:
        return 4;
      case HandleKind::LsaPolicy:
      case HandleKind::LsaAccount:
      case HandleKind::SamServer:
        break;
    }
    return 0;
  }
  std::map<std::uint64_t, HandleTarget> targets_;
  std::uint64_t next_ = 1;
};

}  // namespace flotilla::rpc
