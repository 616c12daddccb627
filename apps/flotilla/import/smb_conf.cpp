#include "flotilla/import/smb_conf.hpp"

#include "base/ascii.hpp"
#include "flotilla/import/text.hpp"

namespace flotilla::app {
namespace {

/// One logical line: a backslash at the end of a physical one joins the next.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool next(std::string& line) {
    line.clear();
    if (rest_.empty()) return false;
    first_ = number_ + 1;
    for (bool more = true; more && !rest_.empty();) {
      const std::size_t end = rest_.find('\n');
      std::string_view part = rest_.substr(0, end);
      rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
      ++number_;
      if (part.ends_with('\r')) part.remove_suffix(1);
      const std::string_view begin = trimmed(part);
      const bool comment = line.empty() && (begin.starts_with('#') || begin.starts_with(';'));
      more = !comment && part.ends_with('\\');
      if (more) part.remove_suffix(1);
      line += part;
    }
    return true;
  }
  [[nodiscard]] std::size_t number() const noexcept { return first_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
  std::size_t first_ = 0;
};

/// "My  Files" is "My Files".
std::string one_space(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_space(c)) {
      out += c;
    } else if (!out.ends_with(' ')) {
      out += ' ';
    }
  }
  return out;
}

constexpr std::size_t kIncludesMax = 100;
constexpr std::size_t kDepthMax = 8;

class Parser {
 public:
  Parser(SmbConf& conf, const ReadSmbConf& read) : conf_(conf), read_(read) {}

  void parse(std::string_view text, const std::string& file, std::size_t depth) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    Lines lines(text);
    for (std::string whole; lines.next(whole);) {
      const std::string_view line = trimmed(whole);
      if (line.empty() || line.front() == '#' || line.front() == ';') continue;
      if (line.front() == '[') {
        const std::size_t end = line.find(']');
        const std::string_view name = trimmed(line.substr(1, end - 1));
        if (end == std::string_view::npos || name.empty()) {
          conf_.faults.push_back({file, lines.number(), "a section without its name or its ]"});
          continue;
        }
        current_ = one_space(name);
        (void)section(file, lines.number());
        continue;
      }
      const std::size_t equals = line.find('=');
      const std::string_view shown = trimmed(line.substr(0, equals));
      if (equals == std::string_view::npos || shown.empty()) {
        conf_.faults.push_back({file, lines.number(), "neither a section nor KEY = VALUE"});
        continue;
      }
      std::string key = ascii::lower(shown);
      std::erase_if(key, is_space);
      std::string value(trimmed(line.substr(equals + 1)));
      if (key == "include" && included(value, depth)) continue;
      section(file, lines.number())
          .entries.push_back(
              {file, lines.number(), std::move(key), std::string(shown), std::move(value)});
    }
  }

 private:
  bool included(const std::string& path, std::size_t depth) {
    if (!read_ || path.find('%') != path.npos || depth == kDepthMax || ++includes_ > kIncludesMax) {
      return false;
    }
    const auto text = read_(path);
    if (text) parse(*text, path, depth + 1);
    return text.has_value();
  }

  SmbConfSection& section(const std::string& file, std::size_t line) {
    for (SmbConfSection& known : conf_.sections) {
      if (known.is(current_)) return known;
    }
    conf_.sections.push_back({file, line, current_, {}});
    return conf_.sections.back();
  }

  SmbConf& conf_;
  const ReadSmbConf& read_;
  std::string current_ = "global";
  std::size_t includes_ = 0;
};

}  // namespace

bool SmbConfSection::is(std::string_view other) const {
  return ascii::equal_without_case(name, other);
}

SmbConf parse_smb_conf(std::string_view text, const ReadSmbConf& read) {
  SmbConf conf;
  Parser(conf, read).parse(text, {}, 0);
  return conf;
}

std::vector<std::string> list_of(std::string_view value) {
  std::vector<std::string> out;
  while (!value.empty()) {
    if (is_space(value.front()) || value.front() == ',' || value.front() == ';') {
      value.remove_prefix(1);
      continue;
    }
    // A quote may begin inside, as in +"domain users".
    std::string item;
    bool quoted = false;
    while (!value.empty()) {
      const char c = value.front();
      if (!quoted && (is_space(c) || c == ',' || c == ';')) break;
      if (c == '"') {
        quoted = !quoted;
      } else {
        item += c;
      }
      value.remove_prefix(1);
    }
    if (!item.empty()) out.push_back(std::move(item));
  }
  return out;
}

std::vector<std::string> slash_list_of(std::string_view value) {
  std::vector<std::string> out;
  while (!value.empty()) {
    const std::size_t slash = value.find('/');
    if (const std::string_view item = value.substr(0, slash); !item.empty()) out.emplace_back(item);
    if (slash == std::string_view::npos) break;
    value.remove_prefix(slash + 1);
  }
  return out;
}

}  // namespace flotilla::app
