// The visitors behind codec.hpp: each walks a struct's field list and decodes, encodes, measures,
// prints or generates. Included by the .cpp files of this folder only; raw offsets live here.
//
// A field list is `Fields<T>::visit(v, s)`, which names the fields in wire order:
//   v.struct_size(n)              StructureSize, checked
//   v.field("x", s.x)             integer, enum, id, time or byte array
//   v.reserved(n)                 n bytes: zero on send, ignored on receipt
//   v.offset16(slot), v.length16(slot)   (8, 16, 32) where a variable part is described
//   v.data("x", slot, s.x, ...)   the variable part that offset and length describe
//   v.tail("x", slot, s.x)        the variable part that follows here, with the slot's length
//   v.rest("x", s.x)              everything to the end
//   v.scalars / v.elements        slot.length numbers / structs that follow here
//   v.present(wanted)             whether an optional tail exists (decoder: are there bytes left)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/utf16.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

template <class T>
struct Fields;

/// Base of a Fields<T> whose struct follows an SMB2 header; offsets count from the header.
struct MessageLayout {
  static constexpr std::size_t kOrigin = 64;
  static constexpr bool kPadsOddSize = false;
};
/// The same, and the one byte that an odd StructureSize counts is sent where there is no variable
/// part: servers check requests for it; of the responses only ERROR has it.
struct PaddedMessageLayout : MessageLayout {
  static constexpr bool kPadsOddSize = true;
};
/// Base of a Fields<T> whose offsets count from its own first byte.
struct PayloadLayout {
  static constexpr std::size_t kOrigin = 0;
  static constexpr bool kPadsOddSize = false;
};

/// Where a variable part is: filled by the decoder from the fixed part; for the encoder, the places
/// to patch.
struct Slot {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::size_t offset_at = 0;
  std::size_t length_at = 0;
  std::uint8_t offset_width = 0;
  std::uint8_t length_width = 0;
};

/// What Offset says for a part that is empty.
enum class WhenEmpty : std::uint8_t { Position, Zero };

namespace detail {
template <class T>
struct IsId : std::false_type {};
template <class Tag, class Int>
struct IsId<Id<Tag, Int>> : std::true_type {};
template <class T>
struct IsId16 : std::false_type {};
template <class Tag>
struct IsId16<Id16<Tag>> : std::true_type {};
template <class T>
struct IsByteArray : std::false_type {};
template <std::size_t N>
struct IsByteArray<std::array<std::uint8_t, N>> : std::true_type {};

/// Calls `f(integer or array)` for each primitive that a field consists of.
template <class T, class F>
void primitives(T& x, F&& f) {
  using V = std::remove_const_t<T>;
  if constexpr (std::is_enum_v<V>) {
    auto raw = static_cast<std::underlying_type_t<V>>(x);
    f(raw);
    if constexpr (!std::is_const_v<T>) x = static_cast<V>(raw);
  } else if constexpr (IsId<V>::value) {
    auto raw = x.raw();
    f(raw);
    if constexpr (!std::is_const_v<T>) x = V{raw};
  } else if constexpr (IsId16<V>::value) {
    f(x.bytes);
  } else if constexpr (std::is_same_v<V, FileId>) {
    f(x.persistent_id);
    f(x.volatile_id);
  } else if constexpr (std::is_same_v<V, NtTime>) {
    f(x.ticks);
  } else {
    static_assert(std::is_integral_v<V> || IsByteArray<V>::value, "no such kind of field");
    f(x);
  }
}
}  // namespace detail

class Decoder {
 public:
  Decoder(ByteView all, std::size_t start) noexcept : all_(all), at_(start) {
    if (start > all.size()) fail(WireFault::Truncated, "header");
  }

  [[nodiscard]] const std::optional<WireError>& error() const noexcept { return error_; }
  [[nodiscard]] std::size_t position() const noexcept { return at_; }
  void fail(WireFault fault, const char* what) noexcept {
    if (!error_) error_ = WireError{fault, at_, what};
  }

  void struct_size(std::uint16_t expected) noexcept {
    std::uint16_t size = 0;
    const std::size_t at = at_;
    field("structure_size", size);
    if (!error_ && size != expected) {
      error_ = WireError{WireFault::StructureSize, at, "structure_size"};
    }
  }
  void magic(const char* name, std::uint32_t expected) noexcept {
    std::uint32_t value = 0;
    const std::size_t at = at_;
    field(name, value);
    if (!error_ && value != expected) error_ = WireError{WireFault::ProtocolId, at, name};
  }
  template <class T>
  void field(const char* name, T& x) noexcept {
    detail::primitives(x, [&](auto& p) { take(name, p); });
  }
  template <class T>
  void nested(const char*, T& x) {
    Fields<T>::visit(*this, x);
  }
  void reserved(std::size_t count, std::uint64_t = 0) noexcept {
    if (room("reserved", count)) at_ += count;
  }
  void offset8(Slot& s) noexcept { s.offset = number<std::uint8_t>("offset"); }
  void offset16(Slot& s) noexcept { s.offset = number<std::uint16_t>("offset"); }
  void offset32(Slot& s) noexcept { s.offset = number<std::uint32_t>("offset"); }
  void length8(Slot& s) noexcept { s.length = number<std::uint8_t>("length"); }
  void length16(Slot& s) noexcept { s.length = number<std::uint16_t>("length"); }
  void length32(Slot& s) noexcept { s.length = number<std::uint32_t>("length"); }

  /// A length that follows from other fields: written by encoders, ignored on receipt.
  void computed16(std::size_t) noexcept { reserved(2); }
  void computed32(std::size_t) noexcept { reserved(4); }
  /// The first `count` bytes of an array.
  template <std::size_t N>
  void part(const char* name, std::array<std::uint8_t, N>& x, std::size_t count) noexcept {
    if (!room(name, count)) return;
    std::memcpy(x.data(), all_.data() + at_, count);
    at_ += count;
  }
  /// Offsets of the variable parts that follow count from here.
  void rebase() noexcept { base_ = fixed_end_ = at_; }

  /// A part of length 0 may have any offset; else it lies behind the fixed part, inside the bytes.
  template <class T>
  void data(const char* name, Slot& s, T& x, std::size_t = 1, WhenEmpty = WhenEmpty::Position) {
    if (error_) return;
    note_fixed_end();
    ByteView part;
    if (s.length != 0) {
      const std::uint64_t offset = s.offset + base_;
      if (offset < fixed_end_ || offset > all_.size()) {
        return fail(WireFault::OffsetOutOfRange, name);
      }
      if (s.length > all_.size() - offset) return fail(WireFault::LengthOutOfRange, name);
      part = all_.subspan(offset, s.length);
    }
    assign(name, part, x);
  }
  template <class T>
  void tail(const char* name, Slot& s, T& x) {
    if (error_) return;
    if (s.length > all_.size() - at_) return fail(WireFault::LengthOutOfRange, name);
    const ByteView part = all_.subspan(at_, s.length);
    assign(name, part, x);
    at_ += s.length;
  }
  template <class T>
  void rest(const char* name, T& x) {
    if (error_) return;
    assign(name, all_.subspan(at_), x);
    at_ = all_.size();
  }
  template <class T>
  void scalars(const char* name, Slot& s, std::vector<T>& x) {
    if (error_) return;
    if (s.length > (all_.size() - at_) / sizeof(T)) return fail(WireFault::CountOutOfRange, name);
    x.resize(s.length);
    for (T& element : x) field(name, element);
  }
  template <class T>
  void elements(const char* name, Slot& s, std::vector<T>& x, std::size_t least_bytes,
                std::size_t alignment = 1) {
    if (error_) return;
    if (s.length > (all_.size() - at_) / least_bytes) {
      return fail(WireFault::CountOutOfRange, name);
    }
    x.resize(s.length);
    for (std::size_t i = 0; i < x.size() && !error_; ++i) {
      if (i != 0) align(name, alignment);
      Fields<T>::visit(*this, x[i]);
    }
  }
  /// elements() that start where the slot's offset says.
  template <class T>
  void elements_at(const char* name, Slot& s, std::vector<T>& x, std::size_t least_bytes,
                   std::size_t alignment, std::size_t base = 0) {
    if (error_ || s.length == 0) return;
    note_fixed_end();
    if (s.offset + base < fixed_end_ || s.offset + base > all_.size()) {
      return fail(WireFault::OffsetOutOfRange, name);
    }
    at_ = s.offset + base;
    elements(name, s, x, least_bytes, alignment);
  }
  /// A text inside a fixed area of `area` bytes; `s.length` bytes of it are used.
  void fixed_text(const char* name, Slot& s, std::u16string& x, std::size_t area) {
    if (!room(name, area)) return;
    if (s.length > area) return fail(WireFault::LengthOutOfRange, name);
    assign(name, all_.subspan(at_, s.length), x);
    at_ += area;
  }
  /// u16 length that counts a NUL, text, NUL; length 0 is an empty text without NUL.
  void counted_text(const char* name, std::string& x) {
    Slot s;
    length16(s);
    tail(name, s, x);
    if (const auto end = x.find('\0'); end != std::string::npos) x.resize(end);
  }
  void align_here(std::size_t alignment) noexcept { align("padding", alignment); }
  [[nodiscard]] bool present(bool) const noexcept { return !error_ && at_ < all_.size(); }
  template <class T>
  void chain(const char* name, Slot& s, std::vector<T>& x) {
    ByteView part;
    data(name, s, part);
    if (error_) return;
    const std::size_t base = s.length == 0 ? 0 : s.offset;
    if (auto e = read_chain(part, x)) {
      e->offset += base;
      error_ = e;
    }
  }
  /// A sequence of T chained by a leading 32-bit Next; each T's offsets count from its first byte.
  template <class T>
  [[nodiscard]] static std::optional<WireError> read_chain(ByteView bytes, std::vector<T>& x) {
    std::size_t at = 0;
    while (at < bytes.size()) {
      if (bytes.size() - at < 4) return WireError{WireFault::Truncated, at, "next"};
      const std::size_t next = load_le<std::uint32_t>(bytes.data() + at);
      if (next != 0 &&
          (next < 8 || next % Fields<T>::kAlignment != 0 || next > bytes.size() - at)) {
        return WireError{WireFault::ChainBroken, at, "next"};
      }
      if (x.size() == Fields<T>::kCountMax)
        return WireError{WireFault::CountOutOfRange, at, "next"};
      Decoder d(bytes.subspan(at, next != 0 ? next : bytes.size() - at), 4);
      x.emplace_back();
      Fields<T>::visit(d, x.back());
      if (d.error_) {
        WireError e = *d.error_;
        e.offset += at;
        return e;
      }
      if (next == 0) break;
      at += next;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool room(const char* name, std::size_t count) noexcept {
    if (error_) return false;
    if (all_.size() - at_ >= count) return true;
    fail(WireFault::Truncated, name);
    return false;
  }
  void note_fixed_end() noexcept {
    if (fixed_end_ == 0) fixed_end_ = at_;
  }
  void align(const char* name, std::size_t alignment) noexcept {
    const std::size_t past = at_ & (alignment - 1);
    if (past != 0 && room(name, alignment - past)) at_ += alignment - past;
  }
  template <class T>
  T number(const char* name) noexcept {
    T value{};
    take(name, value);
    return value;
  }
  template <class T>
  void take(const char* name, T& x) noexcept {
    if (!room(name, sizeof(T))) return;
    if constexpr (std::is_integral_v<T>) {
      x = load_le<T>(all_.data() + at_);
    } else {
      std::memcpy(x.data(), all_.data() + at_, x.size());
    }
    at_ += sizeof(T);
  }
  void assign(const char*, ByteView part, ByteView& x) noexcept { x = part; }
  void assign(const char*, ByteView part, Bytes& x) { x.assign(part.begin(), part.end()); }
  void assign(const char*, ByteView part, std::string& x) { x.assign(as_text(part)); }
  void assign(const char* name, ByteView part, std::u16string& x) {
    if (part.size() % 2 != 0) return fail(WireFault::BadText, name);
    x.resize(part.size() / 2);
    if (!part.empty()) std::memcpy(x.data(), part.data(), part.size());
  }

  ByteView all_;
  std::size_t at_;
  std::size_t fixed_end_ = 0;
  std::size_t base_ = 0;
  std::optional<WireError> error_;
};

/// Where encoders write: a growing buffer, a count, or a fixed place.
class BytesSink {
 public:
  explicit BytesSink(Bytes& out) noexcept : out_(out) {}
  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
  void put(const void* data, std::size_t count) {
    const auto* from = static_cast<const std::uint8_t*>(data);
    out_.insert(out_.end(), from, from + count);
  }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  void patch(std::size_t at, std::uint64_t value, std::size_t width) noexcept {
    std::memcpy(out_.data() + at, &value, width);
  }

 private:
  Bytes& out_;
};
class CountingSink {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void put(const void*, std::size_t count) noexcept { size_ += count; }
  void zeros(std::size_t count) noexcept { size_ += count; }
  void patch(std::size_t, std::uint64_t, std::size_t) noexcept {}

 private:
  std::size_t size_ = 0;
};
class FixedSink {  // the caller knows that the room suffices
 public:
  explicit FixedSink(std::uint8_t* out) noexcept : out_(out) {}
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void put(const void* data, std::size_t count) noexcept {
    std::memcpy(out_ + size_, data, count);
    size_ += count;
  }
  void zeros(std::size_t count) noexcept {
    std::memset(out_ + size_, 0, count);
    size_ += count;
  }
  void patch(std::size_t at, std::uint64_t value, std::size_t width) noexcept {
    std::memcpy(out_ + at, &value, width);
  }

 private:
  std::uint8_t* out_;
  std::size_t size_ = 0;
};

template <class Sink>
class Encoder {
 public:
  /// `origin`: the position in the sink that offsets count from.
  Encoder(Sink& sink, std::size_t origin) noexcept
      : sink_(sink), origin_(origin), start_(sink.size()) {}

  void fail(WireFault, const char*) noexcept {}
  void struct_size(std::uint16_t size) {
    struct_size_ = size;
    number(size, 2);
  }
  void magic(const char*, std::uint32_t value) { number(value, 4); }
  template <class T>
  void field(const char*, const T& x) {
    detail::primitives(x, [&](const auto& p) { sink_.put(&p, sizeof p); });
  }
  template <class T>
  void nested(const char*, const T& x) {
    Fields<T>::visit(*this, x);
  }
  void reserved(std::size_t count) { sink_.zeros(count); }
  void reserved(std::size_t count, std::uint64_t value) { number(value, count); }
  void offset8(Slot& s) { mark(s.offset_at, s.offset_width, 1); }
  void offset16(Slot& s) { mark(s.offset_at, s.offset_width, 2); }
  void offset32(Slot& s) { mark(s.offset_at, s.offset_width, 4); }
  void length8(Slot& s) { mark(s.length_at, s.length_width, 1); }
  void length16(Slot& s) { mark(s.length_at, s.length_width, 2); }
  void length32(Slot& s) { mark(s.length_at, s.length_width, 4); }
  void computed16(std::size_t value) { number(value, 2); }
  void computed32(std::size_t value) { number(value, 4); }
  template <std::size_t N>
  void part(const char*, const std::array<std::uint8_t, N>& x, std::size_t count) {
    sink_.put(x.data(), count);
  }
  void rebase() noexcept { origin_ = sink_.size(); }

  template <class T>
  void data(const char*, Slot& s, const T& x, std::size_t alignment = 1,
            WhenEmpty when_empty = WhenEmpty::Position) {
    if (x.empty() && when_empty == WhenEmpty::Zero) return;
    if (!x.empty()) align(alignment);
    patch_offset(s, 0);
    patch_length(s, size_of(x));
    put(x);
  }
  template <class T>
  void tail(const char*, Slot& s, const T& x) {
    patch_length(s, size_of(x));
    put(x);
  }
  template <class T>
  void rest(const char*, const T& x) {
    put(x);
  }
  template <class T>
  void scalars(const char* name, Slot& s, const std::vector<T>& x) {
    patch_length(s, x.size());
    for (const T& element : x) field(name, element);
  }
  template <class T>
  void elements(const char*, Slot& s, const std::vector<T>& x, std::size_t,
                std::size_t alignment = 1) {
    patch_length(s, x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i != 0) align(alignment);
      Fields<T>::visit(*this, x[i]);
    }
  }
  template <class T>
  void elements_at(const char* name, Slot& s, const std::vector<T>& x, std::size_t least,
                   std::size_t alignment, std::size_t base = 0) {
    if (x.empty()) return;
    align(alignment);
    patch_offset(s, base);
    elements(name, s, x, least, alignment);
  }
  void fixed_text(const char*, Slot& s, const std::u16string& x, std::size_t area) {
    const std::size_t used = x.size() * 2 <= area ? x.size() * 2 : 0;
    patch_length(s, used);
    sink_.put(x.data(), used);
    sink_.zeros(area - used);
  }
  void counted_text(const char*, const std::string& x) {
    const std::size_t text_size = x.size() < 0xFFFE ? x.size() : 0xFFFE;
    const std::size_t counted = text_size == 0 ? 0 : text_size + 1;
    number(counted, 2);
    sink_.put(x.data(), text_size);
    sink_.zeros(counted - text_size);
  }
  void align_here(std::size_t alignment) { align(alignment); }
  [[nodiscard]] bool present(bool wanted) const noexcept { return wanted; }
  template <class T>
  void chain(const char*, Slot& s, const std::vector<T>& x) {
    if (x.empty()) return;
    align(8);
    patch_offset(s, 0);
    const std::size_t begin = sink_.size();
    write_chain(sink_, x);
    patch_length(s, sink_.size() - begin);
  }
  template <class T>
  static void write_chain(Sink& sink, const std::vector<T>& x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t at = sink.size();
      sink.zeros(4);
      Encoder e(sink, at);
      Fields<T>::visit(e, x[i]);
      if (i + 1 == x.size()) break;
      e.align(Fields<T>::kAlignment);
      sink.patch(at, sink.size() - at, 4);
    }
  }
  /// The one byte that an odd StructureSize counts, where no variable part supplied it.
  void finish() {
    if (struct_size_ % 2 != 0 && sink_.size() - start_ + 1 == struct_size_) sink_.zeros(1);
  }

 private:
  void number(std::uint64_t value, std::size_t width) { sink_.put(&value, width); }
  void mark(std::size_t& at, std::uint8_t& width, std::uint8_t bytes) {
    at = sink_.size();
    width = bytes;
    sink_.zeros(bytes);
  }
  void align(std::size_t alignment) {
    const std::size_t past = (sink_.size() - origin_) & (alignment - 1);
    if (past != 0) sink_.zeros(alignment - past);
  }
  static void fits(std::uint64_t value, std::uint8_t width) {
    FLOTILLA_CHECK(width == 8 || (value >> (8 * width)) == 0);
  }
  void patch_offset(const Slot& s, std::size_t base) {
    if (s.offset_width == 0) return;
    const std::size_t value = sink_.size() - origin_ - base;
    fits(value, s.offset_width);
    sink_.patch(s.offset_at, value, s.offset_width);
  }
  void patch_length(const Slot& s, std::size_t value) {
    if (s.length_width == 0) return;
    fits(value, s.length_width);
    sink_.patch(s.length_at, value, s.length_width);
  }
  template <class T>
  static std::size_t size_of(const T& x) noexcept {
    return x.size() * sizeof(*x.data());
  }
  template <class T>
  void put(const T& x) {
    if (!x.empty()) sink_.put(x.data(), size_of(x));
  }

  Sink& sink_;
  std::size_t origin_;
  std::size_t start_;
  std::size_t struct_size_ = 0;
};

/// Visits that neither read nor write wire bytes share these.
class NoLayout {
 public:
  void struct_size(std::uint16_t) noexcept {}
  void fail(WireFault, const char*) noexcept {}
  void magic(const char*, std::uint32_t) noexcept {}
  void reserved(std::size_t, std::uint64_t = 0) noexcept {}
  void offset8(Slot&) noexcept {}
  void offset16(Slot&) noexcept {}
  void offset32(Slot&) noexcept {}
  void length8(Slot&) noexcept {}
  void length16(Slot&) noexcept {}
  void length32(Slot&) noexcept {}
  void computed16(std::size_t) noexcept {}
  void computed32(std::size_t) noexcept {}
  void rebase() noexcept {}
  void align_here(std::size_t) noexcept {}
};

class Printer : public NoLayout {
 public:
  [[nodiscard]] std::string take() { return "{" + std::move(text_) + "}"; }
  template <class T>
  void field(const char* name, const T& x) {
    label(name);
    bool first = true;
    detail::primitives(x, [&](const auto& p) {
      if (!first) text_ += ':';
      first = false;
      primitive(p);
    });
  }
  template <class T>
  void nested(const char* name, const T& x) {
    Printer inner;
    Fields<T>::visit(inner, x);
    label(name);
    text_ += inner.take();
  }
  template <class T>
  void data(const char* name, Slot&, const T& x, std::size_t = 1, WhenEmpty = {}) {
    rest(name, x);
  }
  template <class T>
  void tail(const char* name, Slot&, const T& x) {
    rest(name, x);
  }
  void rest(const char* name, const std::u16string& x) {
    label(name);
    text_ += '"' + printable(x) + '"';
  }
  void rest(const char* name, const std::string& x) {
    label(name);
    text_ += '"' + x + '"';
  }
  void rest(const char* name, ByteView x) {
    label(name);
    text_ += '[' + std::to_string(x.size()) + " bytes]";
  }
  template <std::size_t N>
  void part(const char* name, const std::array<std::uint8_t, N>& x, std::size_t count) {
    label(name);
    append_hex(ByteView(x).first(count), text_);
  }
  template <class T>
  void scalars(const char* name, Slot&, const std::vector<T>& x) {
    label(name);
    text_ += '[';
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i != 0) text_ += ' ';
      detail::primitives(x[i], [&](const auto& p) { primitive(p); });
    }
    text_ += ']';
  }
  template <class T>
  void elements(const char* name, Slot& s, const std::vector<T>& x, std::size_t = 0,
                std::size_t = 1) {
    chain(name, s, x);
  }
  template <class T>
  void elements_at(const char* name, Slot& s, const std::vector<T>& x, std::size_t, std::size_t,
                   std::size_t = 0) {
    chain(name, s, x);
  }
  void fixed_text(const char* name, Slot&, const std::u16string& x, std::size_t) { rest(name, x); }
  void counted_text(const char* name, const std::string& x) { rest(name, x); }
  [[nodiscard]] bool present(bool wanted) const noexcept { return wanted; }
  template <class T>
  void chain(const char* name, Slot&, const std::vector<T>& x) {
    label(name);
    text_ += '[';
    for (const T& element : x) {
      Printer inner;
      Fields<T>::visit(inner, element);
      text_ += inner.take();
    }
    text_ += ']';
  }

 private:
  void label(const char* name) {
    if (!text_.empty()) text_ += ", ";
    text_ += name;
    text_ += '=';
  }
  void primitive(std::uint64_t value) { append_number(value, text_); }
  template <std::size_t N>
  void primitive(const std::array<std::uint8_t, N>& bytes) {
    append_hex(bytes, text_);
  }
  static void append_number(std::uint64_t value, std::string& out);
  static void append_hex(ByteView bytes, std::string& out);

  std::string text_;
};

/// Fills a struct from fuzz bytes.
class Generator : public NoLayout {
 public:
  explicit Generator(ByteView seed) noexcept : seed_(seed) {}
  template <class T>
  void field(const char*, T& x) noexcept {
    detail::primitives(x, [&](auto& p) {
      const ByteView part = next(sizeof p);
      if (!part.empty()) std::memcpy(&p, part.data(), part.size());
    });
  }
  template <class T>
  void nested(const char*, T& x) {
    Fields<T>::visit(*this, x);
  }
  template <class T>
  void data(const char* name, Slot&, T& x, std::size_t = 1, WhenEmpty = {}) {
    rest(name, x);
  }
  template <class T>
  void tail(const char* name, Slot&, T& x) {
    rest(name, x);
  }
  void rest(const char*, ByteView& x) noexcept { x = next(byte()); }
  void rest(const char*, std::string& x) { x.assign(as_text(next(byte()))); }
  void rest(const char*, Bytes& x) {
    const ByteView bytes = next(byte());
    x.assign(bytes.begin(), bytes.end());
  }
  void rest(const char*, std::u16string& x) {
    x.clear();
    for (std::size_t n = byte() % 32; n != 0; --n) {
      std::uint16_t unit = 0;
      field("", unit);
      x.push_back(static_cast<char16_t>(unit));
    }
  }
  template <std::size_t N>
  void part(const char*, std::array<std::uint8_t, N>& x, std::size_t count) noexcept {
    const ByteView bytes = next(count);
    if (!bytes.empty()) std::memcpy(x.data(), bytes.data(), bytes.size());
  }
  template <class T>
  void scalars(const char* name, Slot&, std::vector<T>& x) {
    x.resize(byte() % 8);
    for (T& element : x) field(name, element);
  }
  template <class T>
  void elements(const char* name, Slot& s, std::vector<T>& x, std::size_t = 0, std::size_t = 1) {
    chain(name, s, x);
  }
  template <class T>
  void elements_at(const char* name, Slot& s, std::vector<T>& x, std::size_t, std::size_t,
                   std::size_t = 0) {
    chain(name, s, x);
  }
  void counted_text(const char* name, std::string& x) {
    rest(name, x);
    if (const auto end = x.find('\0'); end != std::string::npos) x.resize(end);
  }
  void fixed_text(const char* name, Slot&, std::u16string& x, std::size_t area) {
    rest(name, x);
    if (x.size() * 2 > area) x.resize(area / 2);
  }
  [[nodiscard]] bool present(bool) noexcept { return (byte() & 1U) != 0; }
  template <class T>
  void chain(const char*, Slot&, std::vector<T>& x) {
    x.resize(byte() % 4);
    for (T& element : x) Fields<T>::visit(*this, element);
  }

 private:
  ByteView next(std::size_t count) noexcept {
    const ByteView part = seed_.first(count < seed_.size() ? count : seed_.size());
    seed_ = seed_.subspan(part.size());
    return part;
  }
  std::size_t byte() noexcept {
    const ByteView part = next(1);
    return part.empty() ? 0 : part[0];
  }
  ByteView seed_;
};

template <class T>
Wire<T> decode(ByteView bytes) {
  Decoder d(bytes, Fields<T>::kOrigin);
  T value;
  Fields<T>::visit(d, value);
  if (d.error()) return std::unexpected(*d.error());
  return value;
}
template <class T>
void encode(const T& value, Bytes& out) {
  FLOTILLA_CHECK(out.size() >= Fields<T>::kOrigin);
  BytesSink sink(out);
  Encoder<BytesSink> e(sink, out.size() - Fields<T>::kOrigin);
  Fields<T>::visit(e, value);
  if constexpr (Fields<T>::kPadsOddSize) e.finish();
}
template <class T>
std::size_t encoded_size(const T& value) {
  CountingSink sink;
  sink.zeros(Fields<T>::kOrigin);
  Encoder<CountingSink> e(sink, 0);
  Fields<T>::visit(e, value);
  if constexpr (Fields<T>::kPadsOddSize) e.finish();
  return sink.size() - Fields<T>::kOrigin;
}
template <class T>
std::string print(const T& value) {
  Printer p;
  Fields<T>::visit(p, value);
  return p.take();
}
template <class T>
T generate(ByteView seed) {
  Generator g(seed);
  T value;
  Fields<T>::visit(g, value);
  return value;
}

#define FLOTILLA_WIRE_INSTANTIATE(T)              \
  template Wire<T> decode<T>(ByteView);           \
  template void encode<T>(const T&, Bytes&);      \
  template std::size_t encoded_size<T>(const T&); \
  template std::string print<T>(const T&);        \
  template T generate<T>(ByteView)

}  // namespace flotilla::wire
