// Values of smb.conf and of our configuration, as text. Pure; must not know what a key means.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::app {

/// A TOML string, or a list of them.
[[nodiscard]] std::string quoted(std::string_view text);
[[nodiscard]] std::string quoted(const std::vector<std::string>& items);

/// yes, true, on, 1 or no, false, off, 0, in any case; nothing otherwise.
[[nodiscard]] std::optional<bool> flag_of(std::string_view value);

/// A macro of smb.conf(5), "VARIABLE SUBSTITUTIONS"; "%%" is none.
[[nodiscard]] bool has_macro(std::string_view value);

[[nodiscard]] bool is_utf8(std::string_view text);

/// Keys and values of one table of the new file, in the order in which they came; later ones win.
class Table {
 public:
  void set(std::string_view key, std::string value) {
    for (auto& [name, text] : lines_) {
      if (name == key) {
        text = std::move(value);
        return;
      }
    }
    lines_.emplace_back(key, std::move(value));
  }
  /// One more item of the list `key`.
  void append(std::string_view key, std::string_view item) {
    for (auto& [name, text] : lines_) {
      if (name != key || !text.ends_with(']')) continue;
      text.insert(text.size() - 1, (text.size() > 2 ? ", " : "") + quoted(item));
      return;
    }
    set(key, "[" + quoted(item) + "]");
  }
  void remove(std::string_view key) {
    std::erase_if(lines_, [&](const auto& line) { return line.first == key; });
  }
  [[nodiscard]] bool has(std::string_view key) const {
    return std::ranges::any_of(lines_, [&](const auto& line) { return line.first == key; });
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& [key, value] : lines_) out += fmt::format("{} = {}\n", key, value);
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace flotilla::app
