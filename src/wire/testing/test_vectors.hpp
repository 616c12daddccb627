// For tests: golden vectors from testdata/, and the properties that every struct shares.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "wire/all_structs.hpp"

namespace flotilla::wire::test {

struct Vector {
  std::string name;
  Bytes bytes;
};

inline Bytes from_hex(std::string_view hex) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(nibble(hex[i]) * 16 + nibble(hex[i + 1])));
  }
  return out;
}

inline std::vector<Vector> load_vectors(const char* file) {
  std::ifstream in(std::filesystem::path(__FILE__).parent_path().parent_path() / "testdata" / file);
  std::vector<Vector> out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.find(' ');
    out.push_back({line.substr(0, space), from_hex(std::string_view(line).substr(space + 1))});
  }
  EXPECT_FALSE(out.empty()) << file;
  return out;
}

inline Vector find_vector(const std::vector<Vector>& all, std::string_view name) {
  for (const Vector& v : all) {
    if (v.name == name) return v;
  }
  ADD_FAILURE() << "no vector " << name;
  return {};
}

/// encode() behind as many zero bytes as the struct's header takes.
template <class T>
Bytes whole(const T& value) {
  Bytes out(kBytesInFront<T>);
  encode(value, out);
  return out;
}

/// Hostile lengths: every prefix either decodes or is refused with an offset inside the prefix.
/// The prefix is copied, so that a sanitizer sees a read past its end.
template <class T>
void expect_prefixes_are_safe(ByteView message) {
  for (std::size_t n = 0; n <= message.size(); ++n) {
    const Bytes prefix(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(n));
    const Wire<T> got = decode<T>(prefix);
    if (!got) {
      EXPECT_LE(got.error().offset, std::max(n, kBytesInFront<T>) + 64);
      EXPECT_NE(std::string_view(got.error().what), "");
    }
  }
}

/// Wild values: each aligned 16- and 32-bit word in turn becomes a hostile number.
template <class T>
void expect_wild_words_are_safe(ByteView message) {
  for (std::size_t at = kBytesInFront<T>; at + 4 <= message.size(); at += 2) {
    for (const std::uint32_t wild : {0xFFFFFFFFU, 0x7FFFFFFFU, 0x80000000U, 0xFFF8U, 0x00010000U}) {
      Bytes bytes(message.begin(), message.end());
      store_le(bytes.data() + at, wild);
      const Wire<T> got = decode<T>(bytes);
      if (!got) continue;
      const Bytes again = whole(*got);
      const Wire<T> second = decode<T>(again);
      ASSERT_TRUE(second) << print(*got) << " at " << at << ": " << second.error().what;
      EXPECT_EQ(print(*second), print(*got));
    }
  }
}

}  // namespace flotilla::wire::test
