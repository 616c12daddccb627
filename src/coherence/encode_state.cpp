// The canonical bytes of a file's state: every field, in the order of the structs in state.hpp.
#include "coherence/codec_fields.hpp"
#include "coherence/state.hpp"

namespace flotilla::coherence {
namespace fields {

template <class A>
void visit(A& a, CacheId& v) {
  all(a, v.open, v.client, v.key);
}
template <class A>
void visit(A& a, Cache& v) {
  all(a, v.kind, v.version, v.epoch, v.rights, v.offered, v.required, v.breaking, v.untold,
      v.has_parent, v.parent_key, v.deadline);
  visit_list(a, v.opens, 8);
}
template <class A>
void visit(A& a, OpenState& v) {
  all(a, v.node, v.client, v.session, v.access, v.share, v.directory, v.delete_on_close, v.answered,
      v.cached);
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
  for (auto& [key, value] : values) {
    K name = key;
    visit(a, name);
    visit(a, value);
  }
}

}  // namespace fields

void encode_state(const FileState& file, Bytes& out) {
  fields::Encoder a{out};
  auto& v = const_cast<FileState&>(file);  // read only, as in codec.cpp
  fields::visit(a, v.path);
  fields::visit_map(a, v.opens);
  fields::visit_map(a, v.kept);
  fields::visit_map(a, v.caches);
  fields::visit_list(a, v.locks, 25);
  a.list(v.waiters, 1, [&](Waiter& waiter) { fields::visit(a, waiter); });
  a.list(v.held, 1, [&](HeldReply& reply) { fields::visit(a, reply); });
  fields::visit_map(a, v.nodes);
  fields::all(a, v.version, v.delete_pending, v.unlinking, v.unlink_node, v.unlink_open);
}

}  // namespace flotilla::coherence
