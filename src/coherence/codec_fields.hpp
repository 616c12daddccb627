// One list of fields for each replicated struct: it drives encoding and decoding alike. Private to
// coherence/.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "coherence/command.hpp"

namespace flotilla::coherence::fields {

/// Writes. Takes values as mutable references so that one list serves both directions; it never
/// changes them.
class Encoder {
 public:
  explicit Encoder(Bytes& out) : out_(out) {}
  template <class T>
  void integer(T& value) {
    out_.put<T>(value);
  }
  void boolean(bool& value) { out_.u8(value ? 1 : 0); }
  template <std::size_t N>
  void array(std::array<std::uint8_t, N>& value) {
    out_.bytes(value);
  }
  void text(std::string& value) {
    out_.u32(static_cast<std::uint32_t>(value.size()));
    out_.bytes(as_bytes(value));
  }
  void blob(Bytes& value) {
    out_.u32(static_cast<std::uint32_t>(value.size()));
    out_.bytes(value);
  }
  template <class T, class F>
  void list(std::vector<T>& values, std::size_t, F each) {
    out_.u32(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) each(value);
  }
  [[nodiscard]] bool decoding() const { return false; }
  void fail() {}
  [[nodiscard]] bool ok() const { return true; }

 private:
  ByteWriter out_;
};

/// Reads. A count is believed only as far as the bytes that are left could hold so many elements.
class Decoder {
 public:
  explicit Decoder(ByteReader& in) : in_(in) {}
  template <class T>
  void integer(T& value) {
    value = in_.take<T>();
  }
  void boolean(bool& value) {
    const std::uint8_t byte = in_.u8();
    if (byte > 1) in_.fail();
    value = byte == 1;
  }
  template <std::size_t N>
  void array(std::array<std::uint8_t, N>& value) {
    value = in_.array<N>();
  }
  void text(std::string& value) {
    const std::uint32_t size = in_.u32();
    value = std::string(as_text(in_.view(size)));
  }
  void blob(Bytes& value) {
    const std::uint32_t size = in_.u32();
    const ByteView bytes = in_.view(size);
    value.assign(bytes.begin(), bytes.end());
  }
  template <class T, class F>
  void list(std::vector<T>& values, std::size_t element_size_min, F each) {
    const std::uint32_t count = in_.u32();
    if (!in_.ok() || count > in_.remaining() / element_size_min) return in_.fail();
    values.resize(count);
    for (T& value : values) each(value);
  }
  [[nodiscard]] bool decoding() const { return true; }
  void fail() { in_.fail(); }
  [[nodiscard]] bool ok() const { return in_.ok(); }

 private:
  ByteReader& in_;
};

template <class A, class T>
  requires std::is_integral_v<T>
void visit(A& a, T& value) {
  a.integer(value);
}
template <class A>
void visit(A& a, bool& value) {
  a.boolean(value);
}
template <class A>
void visit(A& a, std::string& value) {
  a.text(value);
}
template <class A, class Tag, class Int>
void visit(A& a, Id<Tag, Int>& value) {
  Int raw = value.raw();
  a.integer(raw);
  value = Id<Tag, Int>{raw};
}
template <class A, class Tag>
void visit(A& a, Id16<Tag>& value) {
  a.array(value.bytes);
}
template <class A>
void visit(A& a, FileKey& value) {
  visit(a, value.volume);
  visit(a, value.inode);
  visit(a, value.generation);
}
template <class A>
void visit(A& a, MonoTime& value) {
  a.integer(value.ns);
}
template <class A>
void visit(A& a, NtStatus& value) {
  auto raw = static_cast<std::uint32_t>(value);
  a.integer(raw);
  value = static_cast<NtStatus>(raw);
}
template <class A>
void visit(A& a, CacheKind& value) {
  auto raw = static_cast<std::uint8_t>(value);
  a.integer(raw);
  if (raw > static_cast<std::uint8_t>(CacheKind::Lease)) return a.fail();
  value = static_cast<CacheKind>(raw);
}

template <class A>
void visit(A& a, Bytes& value) {
  a.blob(value);
}
template <class A>
void visit(A& a, std::chrono::milliseconds& value) {
  auto count = static_cast<std::int64_t>(value.count());
  a.integer(count);
  value = std::chrono::milliseconds{count};
}
template <class A>
void visit(A& a, DurableKind& value) {
  auto raw = static_cast<std::uint8_t>(value);
  a.integer(raw);
  if (raw > static_cast<std::uint8_t>(DurableKind::Persistent)) return a.fail();
  value = static_cast<DurableKind>(raw);
}

template <class A, class... T>
void all(A& a, T&... values) {
  (visit(a, values), ...);
}

template <class A>
void visit(A& a, CacheRequest& v) {
  all(a, v.kind, v.rights, v.key, v.version, v.epoch, v.has_parent, v.parent_key);
}
template <class A>
void visit(A& a, RenameStage& value) {
  auto raw = static_cast<std::uint8_t>(value);
  visit(a, raw);
  if (raw > static_cast<std::uint8_t>(RenameStage::Seen)) return a.fail();
  value = static_cast<RenameStage>(raw);
}
template <class A>
void visit(A& a, LockRange& v) {
  all(a, v.offset, v.length_bytes, v.exclusive);
}
template <class A>
void visit(A& a, HeldLock& v) {
  all(a, v.open, v.range);
}
template <class A>
void visit(A& a, Cacher& v) {
  all(a, v.open, v.client, v.key);
}
template <class A, class T>
void visit_list(A& a, std::vector<T>& values, std::size_t element_size_min) {
  a.list(values, element_size_min, [&](T& value) { visit(a, value); });
}
template <class A>
void visit(A& a, LockSet& v) {
  std::vector<HeldLock> locks;
  if (!a.decoding()) locks.assign(v.begin(), v.end());
  visit_list(a, locks, 25);
  if (!a.decoding()) return;
  // So that equal states are equal bytes.
  if (!LockSet::in_order(locks)) return a.fail();
  v = LockSet(std::move(locks));
}
template <class A>
void visit(A& a, Restrictions& v) {
  all(a, v.version, v.locks);
  visit_list(a, v.cachers, 40);
}
/// One byte where there is nothing to say, as of most opens.
template <class A>
void visit(A& a, Durability& v) {
  bool present = v != Durability{};
  visit(a, present);
  if (!present) return;
  all(a, v.kind, v.timeout, v.create_guid, v.app_instance, v.app_version_high, v.app_version_low,
      v.passport);
  if (v == Durability{}) a.fail();
}
template <class A>
void visit(A& a, LockSequence& v) {
  all(a, v.index, v.number);
}
template <class A>
void visit(A& a, Open& v) {
  all(a, v.open, v.client, v.session, v.path, v.access, v.share, v.cache, v.directory, v.overwrites,
      v.created, v.delete_on_close, v.denies_delete, v.durability);
}
template <class A>
void visit(A& a, KeptOpen& v) {
  all(a, v.open, v.holder, v.lease_epoch);
  visit_list(a, v.locks, 17);
  visit_list(a, v.sequences, 2);
}
template <class A>
void visit(A& a, KeptFile& v) {
  all(a, v.key, v.version, v.path, v.delete_pending);
  visit_list(a, v.opens, 100);
}
template <class A>
void visit(A& a, KeptQuery& v) {
  all(a, v.open, v.client, v.create_guid, v.app_instance);
}
template <class A>
void visit(A& a, KeptFound& v) {
  all(a, v.key, v.what);
}
template <class A>
void visit(A& a, Close& v) {
  all(a, v.open, v.keeps_name);
}
template <class A>
void visit(A& a, Unlinked& v) {
  all(a, v.open, v.ok, v.later);
}
template <class A>
void visit(A& a, Lock& v) {
  visit(a, v.open);
  visit_list(a, v.ranges, 17);
  all(a, v.unlock, v.fail_immediately, v.sequence);
}
template <class A>
void visit(A& a, Cancel& v) {
  visit(a, v.request);
}
template <class A>
void visit(A& a, AcknowledgeBreak& v) {
  all(a, v.open, v.client, v.key, v.kept);
}
template <class A>
void visit(A& a, SetDeletePending& v) {
  all(a, v.open, v.pending);
}
template <class A>
void visit(A& a, BeginRename& v) {
  all(a, v.open, v.client, v.key);
}
template <class A>
void visit(A& a, Renamed& v) {
  all(a, v.open, v.path, v.stage);
}
template <class A>
void visit(A& a, Modify& v) {
  visit(a, v.open);
}
template <class A>
void visit(A& a, RestrictionsKnown& v) {
  visit(a, v.version);
}
template <class A>
void visit(A& a, AssertOpen& v) {
  all(a, v.open, v.held, v.breaking, v.breaking_to, v.lease_epoch, v.delete_pending);
  visit_list(a, v.locks, 17);
  visit_list(a, v.sequences, 2);
}
template <class A>
void visit(A& a, Detach& v) {
  visit(a, v.open);
}
template <class A>
void visit(A& a, Reclaim& v) {
  all(a, v.open, v.client, v.session, v.former);
}
template <class A>
void visit(A& a, UpdateKept& v) {
  all(a, v.open, v.durability);
}
template <class A>
void visit(A& a, Restore& v) {
  visit(a, v.file);
}
template <class A>
void visit(A&, Tick&) {}
template <class A>
void visit(A& a, NodeGone& v) {
  visit(a, v.node);
}
template <class A>
void visit(A& a, ChildChanged& v) {
  all(a, v.client, v.parent_key);
}
template <class A>
void visit(A&, ProbeNames&) {}
template <class A>
void visit(A&, AllAsserted&) {}
template <class A>
void visit(A&, std::monostate&) {}
template <class A>
void visit(A& a, Opened& v) {
  all(a, v.kind, v.rights, v.lease_epoch, v.break_in_progress, v.breaking_to, v.restrictions,
      v.lease_version, v.path);
}
template <class A>
void visit(A& a, Closed& v) {
  all(a, v.unlink, v.path);
}
template <class A>
void visit(A& a, BreakAcknowledged& v) {
  visit(a, v.rights);
}
template <class A>
void visit(A& a, Reclaimed& v) {
  all(a, v.what, v.delete_pending, v.restrictions, v.owes_break, v.owed.from, v.owed.to);
}
template <class A>
void visit(A& a, Break& v) {
  all(a, v.open, v.kind, v.key, v.from, v.to, v.ack_required, v.new_epoch, v.elsewhere);
}

template <class A, class... T, std::size_t... I>
void emplace_alternative(A& a, std::variant<T...>& value, std::uint8_t index,
                         std::index_sequence<I...>) {
  const bool found = ((index == I ? (value.template emplace<I>(), true) : false) || ...);
  if (!found) a.fail();
}
/// The alternative's number, then its fields.
template <class A, class... T>
void visit(A& a, std::variant<T...>& value) {
  auto index = static_cast<std::uint8_t>(value.index());
  a.integer(index);
  if (a.decoding()) emplace_alternative(a, value, index, std::index_sequence_for<T...>{});
  if (!a.ok()) return;
  std::visit([&](auto& alternative) { visit(a, alternative); }, value);
}
template <class A>
void visit(A& a, Outcome& v) {
  visit(a, v.status);
  visit(a, v.answer);
}
template <class A>
void visit(A& a, Command& v) {
  all(a, v.key, v.from, v.request, v.now);
  visit(a, v.body);
}

}  // namespace flotilla::coherence::fields
