// The visitor that reads a struct from bytes; every bound is checked here and nowhere else.
#pragma once

#include "wire/fields_common.hpp"

namespace flotilla::wire {

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

}  // namespace flotilla::wire
