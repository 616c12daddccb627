#include "pool/owner/digests.hpp"

#include <vector>

#include "base/digest.hpp"
#include "coherence/codec.hpp"
#include "coherence/state.hpp"

namespace flotilla::pool {
namespace {

std::uint64_t hash_of_open(const FileKey& key, OpenId open, NodeId node,
                           coherence::AccessMask access, coherence::ShareAccess share) {
  std::uint64_t hash = mix64(hash_of(key) + open.raw());
  hash = mix64(hash + node.raw());
  return mix64(hash + (static_cast<std::uint64_t>(access) << 32 | share));
}

std::uint64_t hash_of_lock(const FileKey& key, OpenId open, const coherence::LockRange& range) {
  std::uint64_t hash = mix64(hash_of(key) ^ open.raw());
  hash = mix64(hash + range.offset);
  hash = mix64(hash + range.length_bytes);
  return mix64(hash + (range.exclusive ? 1 : 0));
}

}  // namespace

void add_decided(StateDigests& digests, const coherence::FileTable& table,
                 std::span<const FileKey> keys) {
  for (const FileKey& key : keys) {
    const coherence::FileState* const file = table.inspect(key);
    if (file == nullptr || file->empty()) continue;
    const Bytes bytes = table.encode_file(key);
    digests.state += digest_of(bytes, mix64(hash_of(key) + bytes.size()));
    const auto counts = [&](OpenId id) {
      const auto at = file->opens.find(id);
      return at != file->opens.end() && at->second.answered && at->second.node.raw() != 0;
    };
    for (const auto& [id, open] : file->opens) {
      if (counts(id)) digests.decided += hash_of_open(key, id, open.node, open.access, open.share);
    }
    for (const coherence::HeldLock& lock : file->locks) {
      if (counts(lock.open)) digests.decided += hash_of_lock(key, lock.open, lock.range);
    }
  }
}

void add_held(StateDigests& digests, const FileKey& key, const HeldFile& file, NodeId self) {
  for (const auto& [id, open] : file.opens) {
    std::uint64_t sum = hash_of_open(key, id, self, open.command.access, open.command.share);
    for (const coherence::HeldLock& held : open.locks) sum += hash_of_lock(key, id, held.range);
    digests.held += sum;
    digests.state += mix64(sum);
  }
}

void add_copy(StateDigests& digests, const FileKey& key, const coherence::KeptFile& copy) {
  Bytes bytes;
  coherence::encode(copy, bytes);
  digests.state += digest_of(bytes, mix64(~hash_of(key) + bytes.size()));
}

}  // namespace flotilla::pool
