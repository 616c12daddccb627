// The visitor that writes a struct to a growing buffer, a count or a fixed place.
#pragma once

#include "wire/fields_common.hpp"

namespace flotilla::wire {

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

}  // namespace flotilla::wire
