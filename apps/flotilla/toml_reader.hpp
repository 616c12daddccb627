// Reads one TOML table strictly: every key is asked for by name with its type and range; what
// nobody asked for is an error. Knows nothing of the configuration's meaning.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace flotilla::app {

/// Collects the first error of a file; later ones are ignored.
class TomlErrors {
 public:
  explicit TomlErrors(std::string file) : file_(std::move(file)) {}
  void add(const toml::node& at, std::string_view what) {
    if (!first_) first_ = fmt::format("{}:{}: {}", file_, at.source().begin.line, what);
  }
  [[nodiscard]] const std::optional<std::string>& first() const noexcept { return first_; }

 private:
  std::string file_;
  std::optional<std::string> first_;
};

class TomlTable {
 public:
  /// `name` as a person writes it: "[server]".
  TomlTable(const toml::table& table, std::string name, TomlErrors& errors)
      : table_(table), name_(std::move(name)), errors_(errors) {}

  /// The key's node, marked as known; null where it is not given.
  const toml::node* node(std::string_view key) {
    known_.emplace(key);
    return table_.get(key);
  }
  void text(std::string_view key, std::string& into) {
    const toml::node* const found = node(key);
    if (!found) return;
    if (const auto* value = found->as_string()) {
      into = value->get();
    } else {
      bad(*found, key, "a string");
    }
  }
  void flag(std::string_view key, bool& into) {
    const toml::node* const found = node(key);
    if (!found) return;
    if (const auto* value = found->as_boolean()) {
      into = value->get();
    } else {
      bad(*found, key, "true or false");
    }
  }
  template <class Int>
  void number(std::string_view key, Int& into, std::int64_t least, std::int64_t most) {
    const toml::node* const found = node(key);
    if (!found) return;
    const auto* const value = found->as_integer();
    if (value && value->get() >= least && value->get() <= most) {
      into = static_cast<Int>(value->get());
    } else {
      bad(*found, key, fmt::format("a number from {} to {}", least, most));
    }
  }
  void texts(std::string_view key, std::vector<std::string>& into) {
    const toml::node* const found = node(key);
    if (!found) return;
    std::vector<std::string> values;
    const toml::array* const array = found->as_array();
    if (!array) return bad(*found, key, "a list of strings");
    for (const toml::node& item : *array) {
      const auto* const value = item.as_string();
      if (!value) return bad(item, key, "a list of strings");
      values.push_back(value->get());
    }
    into = std::move(values);
  }
  void bad(const toml::node& at, std::string_view key, std::string_view expected) {
    errors_.add(at, fmt::format("{} {}: expected {}", name_, key, expected));
  }
  /// Reports the first key that nobody asked for.
  void finish() {
    for (const auto& [key, value] : table_) {
      if (known_.contains(std::string(key.str()))) continue;
      std::string known;
      for (const std::string& name : known_) known += (known.empty() ? "" : ", ") + name;
      errors_.add(value, fmt::format("{} has no key \"{}\"; it knows {}", name_, key.str(), known));
    }
  }

 private:
  const toml::table& table_;
  std::string name_;
  TomlErrors& errors_;
  std::set<std::string> known_;
};

}  // namespace flotilla::app
