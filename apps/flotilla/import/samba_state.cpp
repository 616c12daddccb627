#include "flotilla/import/samba_state.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

#include "auth/tokens.hpp"
#include "flotilla/import/samba_accounts.hpp"
#include "flotilla/import/smb_conf.hpp"
#include "ports/id_map.hpp"

namespace flotilla::app {
namespace {

constexpr std::string_view kPrivateDir = "/var/lib/samba/private";  // as Debian builds Samba

/// What a program prints; why there is nothing otherwise. No shell reads `words`.
std::expected<std::string, std::string> output_of(const std::vector<std::string>& words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; error == 0 && (n = ::read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  if (error != 0) return std::unexpected(fmt::format("{}: {}", words[0], std::strerror(error)));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return std::unexpected(fmt::format("{} failed", words[0]));
  }
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 0x20);
  }
  return text;
}

/// What [global] says of `key` (small, without spaces), or `otherwise`.
std::string global(const SmbConf& conf, std::string_view key, std::string otherwise) {
  for (const SmbConfSection& section : conf.sections) {
    if (!section.is("global")) continue;
    for (const SmbConfEntry& entry : section.entries) {
      if (entry.key == key && !entry.value.empty()) otherwise = entry.value;
    }
  }
  return otherwise;
}

/// The host's name as Samba makes a NetBIOS name of it.
std::string host_name() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  std::string name = upper(host);
  name = name.substr(0, name.find('.'));
  return name.substr(0, 15);
}

std::expected<wire::Sid, std::string> read_sid(const std::filesystem::path& secrets,
                                               const std::string& name) {
  errno = 0;
  std::ifstream file(secrets, std::ios::binary);
  if (!file) {
    return std::unexpected(fmt::format("{}: {}", secrets.string(), std::strerror(errno)));
  }
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (const auto sid = sid_of_secrets(as_bytes(bytes), name)) return *sid;
  return std::unexpected(fmt::format("{} has no domain of {}", secrets.string(), name));
}

std::optional<std::uint32_t> gid_of_name(const std::string& name) {
  std::vector<char> room(65536);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0) {
    return std::nullopt;
  }
  return found == nullptr ? std::nullopt : std::optional<std::uint32_t>(entry.gr_gid);
}

crypto::Md16 hash_of(std::string_view hex) {
  crypto::Md16 out{};
  for (std::size_t i = 0; i < out.size() && 2 * i + 2 <= hex.size(); ++i) {
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, out[i], 16);
  }
  return out;
}

}  // namespace

SambaFacts ask_samba(const std::filesystem::path& smb_conf, std::string_view text) {
  SambaFacts facts;
  facts.read_included =
      [folder = smb_conf.parent_path()](const std::string& path) -> std::optional<std::string> {
    std::ifstream file(folder / path, std::ios::binary);
    if (!file || std::filesystem::is_directory(folder / path)) return std::nullopt;
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  const SmbConf conf = parse_smb_conf(text, facts.read_included);
  facts.host_name = host_name();
  const std::string name = upper(global(conf, "netbiosname", facts.host_name));
  std::string secrets_dir = global(conf, "privatedir", std::string(kPrivateDir));
  secrets_dir = global(conf, "privatedirectory", secrets_dir);
  const auto sid = read_sid(std::filesystem::path(secrets_dir) / "secrets.tdb", name);
  if (sid) {
    facts.domain_sid = *sid;
  } else {
    facts.remarks.push_back(
        fmt::format("the domain's SID cannot be read ({}): files that name Samba's users in their "
                    "ACLs need it. Run `net getlocalsid` as root where Samba is, and write "
                    "[server] domain_sid = \"S-1-5-21-...\"",
                    sid.error()));
  }
  return facts;
}

std::expected<SambaUsers, std::string> users_of_samba(const std::filesystem::path& smb_conf,
                                                      const wire::Sid& domain) {
  const std::string conf = smb_conf.string();
  const auto hashes = output_of({"pdbedit", "-s", conf, "-L", "-w"});
  if (!hashes) return std::unexpected(hashes.error());
  const auto verbose = output_of({"pdbedit", "-s", conf, "-L", "-v"});
  if (!verbose) return std::unexpected(verbose.error());
  const auto groupmap = output_of({"net", "-s", conf, "groupmap", "list"});
  SambaAccounts accounts = samba_accounts(*hashes, *verbose, groupmap.value_or(""), domain);
  SambaUsers out{.db = {}, .remarks = std::move(accounts.remarks)};
  if (!groupmap) out.remarks.push_back("groups' SIDs are not taken over: " + groupmap.error());
  const ports::IdMap ids = ports::IdMap::of_domain(domain);
  for (const SambaUser& from : accounts.users) {
    auth::User user{.name = from.name, .nt_hash = hash_of(from.nt_hash), .disabled = from.disabled};
    const auto account = auth::find_unix_account(from.name);
    if (!account) out.remarks.push_back("user " + from.name + " has no Unix account here");
    // One that follows from the uid needs not be said.
    if (!account || ids.user_sid(account->uid).rid() != from.rid) user.rid = from.rid;
    if (auto put = out.db.put(std::move(user)); !put) {
      out.remarks.push_back("user " + from.name + " is left out: " + put.error());
    }
  }
  for (const SambaGroup& from : accounts.groups) {
    const auto gid = gid_of_name(from.unix_group);
    if (!gid) {
      out.remarks.push_back("group " + from.name + " is left out: no Unix group " +
                            from.unix_group + " here");
      continue;
    }
    auth::Group group{.name = from.name, .gid = gid, .rid = from.rid, .members = {}};
    if (auto put = out.db.put_group(std::move(group)); !put) {
      out.remarks.push_back("group " + from.name + " is left out: " + put.error());
    }
  }
  return out;
}

}  // namespace flotilla::app
