#include "flotilla/import/samba_accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "flotilla/import/text.hpp"
#include "ports/id_map.hpp"

namespace flotilla::app {
namespace {

std::vector<std::string_view> parts(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

std::optional<std::uint8_t> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

/// "Unix username:  ann" and "User SID:  S-1-..." of each user.
std::map<std::string, wire::Sid, std::less<>> sids_of_users(std::string_view verbose) {
  std::map<std::string, wire::Sid, std::less<>> out;
  std::string_view name;
  for (const std::string_view line : parts(verbose, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (line.starts_with("Unix username:")) name = value;
    if (!line.starts_with("User SID:")) continue;
    if (const auto sid = wire::Sid::parse(value)) out.insert_or_assign(std::string(name), *sid);
  }
  return out;
}

}  // namespace

std::optional<wire::Sid> sid_of_secrets(ByteView tdb, std::string_view name) {
  constexpr std::size_t kHeaderBytes = 24;
  constexpr std::uint32_t kUsed = 0x26011999;  // a free record has another magic
  const std::string key = "SECRETS/SID/" + std::string(name);
  for (auto rest = tdb;;) {
    const auto found = std::ranges::search(rest, as_bytes(key));
    if (found.empty()) return std::nullopt;
    const auto at = static_cast<std::size_t>(found.begin() - tdb.begin());
    rest = tdb.subspan(at + key.size());
    if (at < kHeaderBytes) continue;
    const std::uint8_t* const header = tdb.data() + at - kHeaderBytes;
    if (load_le<std::uint32_t>(header + 8) != key.size() ||
        load_le<std::uint32_t>(header + 20) != kUsed) {
      continue;
    }
    const std::size_t size = load_le<std::uint32_t>(header + 12);
    const auto sid = wire::Sid::decode(rest.first(std::min(size, rest.size())));
    if (sid && ports::IdMap::is_domain(*sid)) return *sid;
  }
}

SambaAccounts samba_accounts(std::string_view smbpasswd, std::string_view verbose,
                             std::string_view groupmap, const wire::Sid& domain) {
  SambaAccounts out;
  const auto sids = sids_of_users(verbose);
  for (const std::string_view line : parts(smbpasswd, '\n')) {
    const std::vector<std::string_view> fields = parts(line, ':');
    if (fields.size() < 5 || line.starts_with('#')) continue;
    const std::string name(fields[0]);
    const std::string_view hash = fields[3];
    const std::string_view flags = fields[4];
    const auto leave_out = [&](std::string_view why) {
      out.remarks.push_back("user " + name + " is left out: " + std::string(why));
    };
    if (flags.find('U') == flags.npos) {
      leave_out("it is a machine's or another domain's");
      continue;
    }
    if (flags.find('N') != flags.npos) {
      leave_out("it needs no password; give it one with `flotilla user add`");
      continue;
    }
    const bool hexadecimal =
        std::ranges::all_of(hash, [](char c) { return hex_digit(c).has_value(); });
    if (hash.size() != 32 || !hexadecimal) {
      leave_out("it has no password; give it one with `flotilla user add`");
      continue;
    }
    const auto sid = sids.find(name);
    if (sid == sids.end() || !sid->second.is_in(domain)) {
      leave_out("its SID is not of the domain " + domain.to_string());
      continue;
    }
    out.users.push_back({.name = name,
                         .nt_hash = std::string(hash),
                         .disabled = flags.find('D') != flags.npos,
                         .rid = sid->second.rid()});
  }
  for (const std::string_view line : parts(groupmap, '\n')) {
    const std::size_t arrow = line.rfind(") -> ");
    const std::size_t open = arrow == line.npos ? line.npos : line.rfind(" (", arrow);
    if (open == line.npos) continue;
    const std::string name(line.substr(0, open));
    const std::string unix_group(trimmed(line.substr(arrow + 5)));
    const auto sid = wire::Sid::parse(line.substr(open + 2, arrow - open - 2));
    if (sid && sid->is_in(domain)) {
      out.groups.push_back({.name = name, .unix_group = unix_group, .rid = sid->rid()});
    } else {
      out.remarks.push_back(fmt::format(
          "group {} ({}) is left out: it is not of the domain; who is in Administrators "
          "is said by `flotilla group add Administrators`",
          name, unix_group));
    }
  }
  return out;
}

}  // namespace flotilla::app
