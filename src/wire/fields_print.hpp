// The visitors that print a struct and that generate one from fuzz bytes.
#pragma once

#include "wire/fields_common.hpp"

namespace flotilla::wire {

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

}  // namespace flotilla::wire
