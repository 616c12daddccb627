// The canonical bytes of a file's state: every field, in the order of the structs in state.hpp.
#include <algorithm>
#include <map>

#include "coherence/codec_fields.hpp"
#include "coherence/share.hpp"
#include "coherence/state.hpp"
#include "coherence/turn.hpp"

namespace flotilla::coherence {
namespace fields {

template <class A>
void visit(A& a, CacheId& v) {
  all(a, v.open, v.client, v.key);
}
template <class A>
void visit(A& a, Cache& v) {
  all(a, v.kind, v.version, v.epoch, v.rights, v.offered, v.required, v.breaking, v.told, v.untold,
      v.doubtful, v.has_parent, v.parent_key, v.deadline);
  visit_list(a, v.opens, 8);
}
template <class A>
void visit(A& a, OpenState& v) {
  all(a, v.node, v.client, v.session, v.access, v.share, v.directory, v.delete_on_close,
      v.denies_delete, v.answered, v.cached);
  visit(a, v.cache);
}
template <class A>
void visit(A& a, Kept& v) {
  all(a, v.durability, v.deadline, v.last_node);
  visit_list(a, v.sequences, 2);
}
template <class A>
void visit(A& a, Waiter& v) {
  all(a, v.from, v.request);
  visit(a, v.what);
}
template <class A>
void visit(A& a, Awaited& v) {
  all(a, v.node, v.version);
}
template <class A>
void visit(A& a, HeldReply& v) {
  all(a, v.to, v.request, v.open, v.reclaims);
  visit(a, v.outcome);
  a.list(v.missing, 12, [&](Awaited& awaited) { visit(a, awaited); });
}
template <class A>
void visit(A& a, NodeKnowledge& v) {
  all(a, v.sent, v.known, v.fence);
}

template <class A, class K, class V>
void visit_map(A& a, std::map<K, V>& values) {
  auto count = static_cast<std::uint32_t>(values.size());
  a.integer(count);
  if (a.decoding()) {
    // Every entry takes bytes: a count that lies ends with them.
    for (std::uint32_t i = 0; i < count && a.ok(); ++i) {
      K name{};
      visit(a, name);
      // Ascending and once each, so that equal states are equal bytes.
      if (!values.empty() && !(values.rbegin()->first < name)) return a.fail();
      visit(a, values[name]);
    }
    return;
  }
  for (auto& [key, value] : values) {
    K name = key;
    visit(a, name);
    visit(a, value);
  }
}

template <class A>
void visit(A& a, FileState& v) {
  visit(a, v.path);
  visit_map(a, v.opens);
  visit_map(a, v.kept);
  visit_map(a, v.caches);
  visit(a, v.locks);
  a.list(v.waiters, 1, [&](Waiter& waiter) { visit(a, waiter); });
  a.list(v.held, 1, [&](HeldReply& reply) { visit(a, reply); });
  visit_map(a, v.nodes);
  all(a, v.version, v.cachers_version, v.delete_pending, v.unlinking, v.unlink_node, v.unlink_open);
  all(a, v.renaming, v.renaming_node);
}

}  // namespace fields

namespace {

/// What the state machine takes for granted when it follows a name from one part to another.
bool parts_know_each_other(const FileState& file) {
  const auto is_open = [&](OpenId open) { return file.opens.contains(open); };
  for (const auto& [id, cache] : file.caches) {
    if (cache.opens.empty() || !std::is_sorted(cache.opens.begin(), cache.opens.end())) {
      return false;
    }
    const bool known = std::all_of(cache.opens.begin(), cache.opens.end(), [&](OpenId open) {
      const auto at = file.opens.find(open);
      return at != file.opens.end() && at->second.cached && at->second.cache == id;
    });
    if (!known) return false;
  }
  for (const auto& [id, open] : file.opens) {
    if (open.cached && !file.caches.contains(open.cache)) return false;
    if (open.node.raw() == 0 && !file.kept.contains(id)) return false;
  }
  return std::all_of(file.kept.begin(), file.kept.end(),
                     [&](const auto& kept) { return is_open(kept.first); }) &&
         std::all_of(file.locks.begin(), file.locks.end(),
                     [&](const HeldLock& lock) { return is_open(lock.open); }) &&
         std::all_of(file.held.begin(), file.held.end(), [&](const HeldReply& reply) {
           return reply.open.raw() == 0 || is_open(reply.open);
         });
}

}  // namespace

void encode(const HandedFile& file, Bytes& out) {
  ByteWriter to(out);
  to.u64(file.counter);
  to.u64(file.kept_version);
  encode_state(file.state, out);
}

std::optional<HandedFile> decode_handed_file(ByteReader& in) {
  HandedFile file;
  file.counter = in.u64();
  file.kept_version = in.u64();
  auto state = decode_state(in);
  if (!state || file.kept_version > file.counter) return std::nullopt;
  file.state = std::move(*state);
  return file;
}

void encode_state(const FileState& file, Bytes& out) {
  fields::Encoder a{out};
  fields::visit(a, const_cast<FileState&>(file));  // read only, as in codec.cpp
}

std::optional<FileState> decode_state(ByteReader& in) {
  fields::Decoder a{in};
  std::optional<FileState> file(std::in_place);
  fields::visit(a, *file);
  if (!in.ok() || !parts_know_each_other(*file)) return std::nullopt;
  for (const auto& [id, open] : file->opens) {
    count_share(file->shares, open.access, open.share, 1);
    count_acting(*file, open, 1);
  }
  std::map<OpenId, std::vector<HeldLock>> locks;
  for (const HeldLock& held : file->locks) locks[held.open].push_back(held);
  for (auto& [id, own] : locks) file->opens.at(id).locks = LockSet(std::move(own));
  return file;
}

}  // namespace flotilla::coherence
