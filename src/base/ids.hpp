// Ids as types: a TreeId never fits a SessionId. Knows nothing of what the ids name.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace flotilla {

/// An integer that names one kind of thing. `raw()` is for the wire and for logs only.
template <class Tag, class Int>
class Id {
 public:
  using Raw = Int;
  constexpr Id() noexcept = default;
  constexpr explicit Id(Int raw) noexcept : raw_(raw) {}
  [[nodiscard]] constexpr Int raw() const noexcept { return raw_; }
  friend constexpr auto operator<=>(Id, Id) noexcept = default;

 private:
  Int raw_ = 0;
};

using NodeId = Id<struct NodeIdTag, std::uint32_t>;  ///< corosync's nodeid; 0 is nobody
using Epoch = Id<struct EpochTag, std::uint64_t>;    ///< number of a view; grows, never reused
using SessionId =
    Id<struct SessionIdTag, std::uint64_t>;          ///< [MS-SMB2] 3.3.1.8; unique in the pool
using TreeId = Id<struct TreeIdTag, std::uint32_t>;  ///< [MS-SMB2] 3.3.1.9; unique in a session
using MessageId = Id<struct MessageIdTag, std::uint64_t>;
using AsyncId = Id<struct AsyncIdTag, std::uint64_t>;
using OpenId = Id<struct OpenIdTag, std::uint64_t>;  ///< one open, unique in the pool; 0 is none
using RequestId = Id<struct RequestIdTag, std::uint64_t>;  ///< one engine command of one node
using ConnectionId =
    Id<struct ConnectionIdTag, std::uint64_t>;  ///< a client's TCP connection on its front

/// SMB2_FILEID, [MS-SMB2] 2.2.14.1. `persistent_id` is the OpenId's raw value.
struct FileId {
  std::uint64_t persistent_id = 0;
  std::uint64_t volatile_id = 0;
  friend constexpr auto operator<=>(const FileId&, const FileId&) noexcept = default;
};

/// All ones: "the file of the previous request in this compound" ([MS-SMB2] 3.3.5.2.7.2).
inline constexpr FileId kRelatedFileId{~std::uint64_t{0}, ~std::uint64_t{0}};

/// Sixteen bytes that are compared, hashed and printed, never interpreted.
template <class Tag>
struct Id16 {
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] constexpr bool is_zero() const noexcept { return bytes == decltype(bytes){}; }
  friend constexpr auto operator<=>(const Id16&, const Id16&) noexcept = default;
};

using ClientGuid = Id16<struct ClientGuidTag>;
using ServerGuid = Id16<struct ServerGuidTag>;
using LeaseKey = Id16<struct LeaseKeyTag>;
using CreateGuid = Id16<struct CreateGuidTag>;
using AppInstanceId = Id16<struct AppInstanceIdTag>;

template <class Tag>
[[nodiscard]] std::string hex_of(const Id16<Tag>& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : id.bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

/// What the pool calls a file: never a path. Equal on every node for one file of the shared
/// file system.
/// `volume`      hash of the backend's stable volume identity
/// `inode`       inode number in it
/// `generation`  hash of the file handle bytes where the file system has them, else 0; tells a
///               reused inode number from the file that had it before
struct FileKey {
  std::uint64_t volume = 0;
  std::uint64_t inode = 0;
  std::uint64_t generation = 0;
  friend constexpr auto operator<=>(const FileKey&, const FileKey&) noexcept = default;
};

/// splitmix64's finaliser: the same on every node and in every build.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return x;
}

[[nodiscard]] constexpr std::uint64_t hash_of(const FileKey& key) noexcept {
  return mix64(key.volume ^ mix64(key.inode ^ mix64(key.generation + 0x9E3779B97F4A7C15ULL)));
}

}  // namespace flotilla

template <class Tag, class Int>
struct std::hash<flotilla::Id<Tag, Int>> {
  std::size_t operator()(flotilla::Id<Tag, Int> id) const noexcept {
    return static_cast<std::size_t>(flotilla::mix64(id.raw()));
  }
};
template <>
struct std::hash<flotilla::FileKey> {
  std::size_t operator()(const flotilla::FileKey& key) const noexcept {
    return static_cast<std::size_t>(flotilla::hash_of(key));
  }
};
template <class Tag>
struct std::hash<flotilla::Id16<Tag>> {
  std::size_t operator()(const flotilla::Id16<Tag>& id) const noexcept {
    std::uint64_t h = 0;
    for (const std::uint8_t byte : id.bytes) h = flotilla::mix64(h + byte + 1);
    return static_cast<std::size_t>(h);
  }
};
