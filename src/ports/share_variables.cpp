#include "ports/share_variables.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace flotilla::ports {
namespace {

struct Variable {
  char letter;
  std::string ShareVariables::* value;
  const char* what;
};

constexpr std::array kVariables = {
    Variable{'U', &ShareVariables::user, "the user's name"},
    Variable{'u', &ShareVariables::user, "the user's name"},
    Variable{'D', &ShareVariables::domain, "the user's domain"},
    Variable{'G', &ShareVariables::group, "the user's Unix group"},
    Variable{'g', &ShareVariables::group, "the user's Unix group"},
    Variable{'H', &ShareVariables::home, "a home directory"},
    Variable{'S', &ShareVariables::share, "the share's name"},
    Variable{'R', &ShareVariables::dialect, "the dialect"},
    Variable{'I', &ShareVariables::address, "the client's address"},
    Variable{'t', &ShareVariables::time, "the time"},
};

const Variable* variable_of(char letter) {
  for (const Variable& variable : kVariables) {
    if (variable.letter == letter) return &variable;
  }
  return nullptr;
}

/// One part of a path, as a name from outside must be.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

/// Calls `text` for what stands for itself, `variable` for the letters after '%'. The last '%' of
/// a text, or one before a letter that nobody knows, goes to `variable` as well.
template <class Text, class Letter>
void take_apart(std::string_view from, Text text, Letter letter) {
  while (!from.empty()) {
    const std::size_t at = from.find('%');
    text(from.substr(0, at));
    if (at == std::string_view::npos) return;
    const char next = at + 1 < from.size() ? from[at + 1] : '\0';
    if (next == '%') {
      text("%");
    } else {
      letter(next);
    }
    from.remove_prefix(std::min(from.size(), at + 2));
  }
}

/// "%S" alone, in a list of users: the share's name.
void name_share(std::vector<std::string>& users, const std::string& share) {
  for (std::string& user : users) {
    if (user == "%S") user = share;
  }
}

}  // namespace

bool is_per_user(const ShareConfig& share) {
  return share.homes || share.path.find('%') != std::string::npos;
}

std::optional<std::string> wrong_in_path(std::string_view path) {
  if (!path.starts_with('/') && !path.starts_with("%H")) {
    return "a path with variables is absolute, or begins with %H";
  }
  std::optional<std::string> wrong;
  take_apart(
      path, [](std::string_view) {},
      [&](char letter) {
        if (wrong || variable_of(letter) != nullptr) return;
        wrong = std::string("%") + (letter != '\0' ? std::string(1, letter) : std::string()) +
                ": expected one of %U %u %D %G %g %H %S %R %I %t, or %% for the sign itself";
      });
  return wrong;
}

std::expected<ShareConfig, std::string> share_for(const ShareConfig& pattern,
                                                  const ShareVariables& variables) {
  ShareConfig made = pattern;
  made.homes = false;
  made.path.clear();
  const std::string& owner =
      variables.qualified_owner.empty() ? variables.share : variables.qualified_owner;
  if (pattern.homes) made.name = owner;
  std::string wrong;
  std::string told;  // what the name says already
  take_apart(
      pattern.path, [&](std::string_view text) { made.path += text; },
      [&](char letter) {
        const Variable* const variable = variable_of(letter);
        if (variable == nullptr) {
          wrong = std::string("%") + letter + " stands for nothing";
          return;
        }
        const std::string& value = variables.*(variable->value);
        const bool home = variable->value == &ShareVariables::home;
        if (home ? !value.starts_with('/') : !is_plain_name(value)) {
          wrong = std::string("%") + letter + ", " + variable->what + ": \"" + value + "\" is none";
          return;
        }
        made.path += value;
        const bool of_share = letter == 'S' || (home && pattern.homes);
        made.varies = made.varies || letter == 'R' || letter == 'I' || letter == 't';
        if (of_share || told.find(letter) != std::string::npos) return;
        told += letter;
        made.name += "/" + (home ? value.substr(1) : value);
      });
  if (wrong.empty() && !is_plain_name(variables.share)) wrong = "the share has no name";
  if (!wrong.empty()) return std::unexpected(std::move(wrong));
  for (auto* const list :
       {&made.valid_users, &made.invalid_users, &made.read_list, &made.write_list}) {
    name_share(*list, owner);
  }
  return made;
}

std::string_view name_of_dialect(std::uint16_t dialect) noexcept {
  switch (dialect) {
    case 0x0202:
      return "SMB2_02";
    case 0x0210:
      return "SMB2_10";
    case 0x0300:
      return "SMB3_00";
    case 0x0302:
      return "SMB3_02";
    default:
      return "SMB3_11";
  }
}

}  // namespace flotilla::ports
