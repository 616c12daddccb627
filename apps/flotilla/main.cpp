// The program: reads flags and configuration, runs one verb.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "flotilla/commands.hpp"
#include "flotilla/import/import.hpp"
#include "flotilla/import/samba_state.hpp"

namespace {

using flotilla::app::AppConfig;

struct ServeFlags {
  std::string config_file;
  std::vector<std::string> shares;
  std::vector<std::string> listens;
  std::string user;
  std::string password_file;
};

int fail(const std::string& message) {
  std::cerr << "flotilla: " << message << '\n';
  return 1;
}

std::expected<AppConfig, std::string> config_of(const std::string& file) {
  if (file.empty()) return flotilla::app::default_config();
  return flotilla::app::load_config(file);
}

int run_serve(const ServeFlags& flags) {
  auto config = config_of(flags.config_file);
  if (!config) return fail(config.error());
  for (const std::string& text : flags.shares) {
    auto share = flotilla::app::parse_share(text);
    if (!share) return fail(share.error());
    config->server.shares.push_back(*share);
  }
  if (!flags.listens.empty()) config->listen.clear();
  for (const std::string& text : flags.listens) {
    auto listen = flotilla::app::parse_listen(text);
    if (!listen) return fail("--listen: expected " + listen.error());
    config->listen.push_back(*listen);
  }
  std::optional<flotilla::app::CommandLineUser> user;
  if (flags.user.empty() != flags.password_file.empty()) {
    return fail("--user and --password-file go together");
  }
  if (!flags.user.empty()) user = {flags.user, flags.password_file};
  if (auto good = flotilla::app::check(*config); !good) return fail(good.error());
  return flotilla::app::serve(*config, user);
}

int run_config_check(const std::string& file) {
  auto config = flotilla::app::load_config(file);
  if (!config) return fail(config.error());
  if (auto good = flotilla::app::check(*config); !good) return fail(file + ": " + good.error());
  std::cout << file << ": good, " << config->server.shares.size() << " share(s)"
            << (config->pool ? ", a node of a pool" : ", one node") << '\n';
  return 0;
}

std::expected<void, std::string> write_new(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios_base::noreplace);
  if (!out) return std::unexpected(path + ": cannot be made, or is there already");
  out << text;
  if (!out.flush()) return std::unexpected(path + ": cannot be written");
  return {};
}

/// Samba's users into a new file; what they lose goes to `facts`.
std::expected<void, std::string> import_users(const std::string& from, const std::string& to,
                                              flotilla::app::SambaFacts& facts) {
  if (std::filesystem::exists(to)) return std::unexpected(to + ": is there already");
  if (!facts.domain_sid) return {};  // a remark says why
  auto users = flotilla::app::users_of_samba(from, *facts.domain_sid);
  if (!users) return std::unexpected("Samba's users cannot be read: " + users.error());
  if (auto saved = users->db.save(to); !saved) return saved;
  facts.users_are_taken = true;
  for (std::string& remark : users->remarks) facts.remarks.push_back(std::move(remark));
  std::cerr << to << ": " << users->db.users().size() << " user(s), " << users->db.groups().size()
            << " group(s)\n";
  return {};
}

/// The new file to `to` ("-": standard output), what it does not say to standard error.
int run_config_import(const std::string& from, const std::string& to, const std::string& users) {
  std::ifstream file(from, std::ios::binary);
  if (!file) return fail(from + ": cannot be read");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  flotilla::app::SambaFacts facts = flotilla::app::ask_samba(from, text);
  if (!users.empty()) {
    if (auto done = import_users(from, users, facts); !done) return fail(done.error());
  }
  const flotilla::app::Imported made = flotilla::app::import_smb_conf(text, facts);
  if (to == "-") {
    std::cout << made.toml;
  } else if (auto done = write_new(to, made.toml); !done) {
    return fail(done.error());
  }
  for (const flotilla::app::ImportRemark& remark : made.remarks) {
    std::cerr << (remark.file.empty() ? from : remark.file)
              << (remark.line == 0 ? "" : ":" + std::to_string(remark.line)) << ": "
              << (remark.section.empty() ? "" : "[" + remark.section + "] ") << remark.what << '\n';
  }
  std::cerr << from << ": " << made.shares << " share(s), " << made.remarks.size()
            << " line(s) to look at\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Flotilla: one SMB file server on one machine or on many"};
  app.set_version_flag("--version", "flotilla " FLOTILLA_VERSION);
  app.require_subcommand(1);
  int result = 0;

  ServeFlags flags;
  CLI::App* const serve = app.add_subcommand("serve", "serve shares until SIGTERM or SIGINT");
  serve->add_option("--config", flags.config_file, "TOML file; flags add to it");
  serve->add_option("--share", flags.shares, "NAME=DIR, repeatable");
  serve->add_option("--listen", flags.listens, "ADDR:PORT, repeatable (default 0.0.0.0:445)");
  serve->add_option("--user", flags.user, "a user beside those of the users file");
  serve->add_option("--password-file", flags.password_file, "its password; - is standard input");
  serve->callback([&] { result = run_serve(flags); });

  const std::string default_users = flotilla::app::default_config().users_file.string();
  std::string users_file = default_users;
  CLI::App* const user = app.add_subcommand("user", "local users");
  user->require_subcommand(1);
  flotilla::app::UserAdd add;
  add.password_file = "-";
  CLI::App* const user_add = user->add_subcommand("add", "add a user or change its password");
  user_add->add_option("name", add.name)->required();
  user_add->add_option("--users-file", users_file, "default " + default_users);
  user_add->add_option("--password-file", add.password_file, "default -: standard input");
  user_add->add_option("--uid", add.uid, "act as this uid (where no account has the name)");
  user_add->add_option("--gid", add.gid);
  const CLI::Range rids(500, 0x3FFFFFFF);
  user_add->add_option("--rid", add.rid, "its RID in the server's domain, as Samba had it")
      ->check(rids);
  user_add->add_flag("--as-share-owner", add.as_share_owner,
                     "act as the owner of the share's directory, whatever accounts there are");
  user_add->callback([&] {
    add.users_file = users_file;
    result = flotilla::app::user_add(add);
  });
  CLI::App* const user_list = user->add_subcommand("list", "list the users");
  user_list->add_option("--users-file", users_file, "default " + default_users);
  user_list->callback([&] { result = flotilla::app::user_list(users_file); });
  CLI::App* const user_remove = user->add_subcommand("remove", "remove a user");
  std::string remove_name;
  user_remove->add_option("name", remove_name)->required();
  user_remove->add_option("--users-file", users_file, "default " + default_users);
  user_remove->callback([&] { result = flotilla::app::user_remove(users_file, remove_name); });

  CLI::App* const group = app.add_subcommand("group", "local groups");
  group->require_subcommand(1);
  flotilla::app::GroupAdd group_what;
  CLI::App* const group_add = group->add_subcommand("add", "add a group or change its members");
  group_add->add_option("name", group_what.name, "Administrators, Users and Guests are built in")
      ->required();
  group_add->add_option("--member", group_what.members, "a user's name or a SID, repeatable");
  group_add->add_option("--gid", group_what.gid, "a gid that its members get");
  group_add->add_option("--rid", group_what.rid, "its RID in the server's domain")->check(rids);
  group_add->add_option("--users-file", users_file, "default " + default_users);
  group_add->callback([&] {
    group_what.users_file = users_file;
    result = flotilla::app::group_add(group_what);
  });
  CLI::App* const group_list = group->add_subcommand("list", "list the groups");
  group_list->add_option("--users-file", users_file, "default " + default_users);
  group_list->callback([&] { result = flotilla::app::group_list(users_file); });
  CLI::App* const group_remove = group->add_subcommand("remove", "remove a group");
  group_remove->add_option("name", remove_name)->required();
  group_remove->add_option("--users-file", users_file, "default " + default_users);
  group_remove->callback([&] { result = flotilla::app::group_remove(users_file, remove_name); });

  CLI::App* const config = app.add_subcommand("config", "the configuration file");
  config->require_subcommand(1);
  std::string checked_file = "/etc/flotilla/flotilla.toml";
  CLI::App* const config_check = config->add_subcommand("check", "say what is wrong with it");
  config_check->add_option("file", checked_file, "default " + checked_file);
  config_check->callback([&] { result = run_config_check(checked_file); });

  std::string samba_file = "/etc/samba/smb.conf";
  std::string imported_file = "-";
  CLI::App* const config_import =
      config->add_subcommand("import", "make one from Samba's smb.conf, and say what is lost");
  config_import->add_option("file", samba_file, "default " + samba_file);
  config_import->add_option("--output", imported_file, "a new file; default -: standard output");
  std::string imported_users;
  config_import->add_option("--users-file", imported_users,
                            "a new file of Samba's users, their password hashes and RIDs");
  config_import->callback(
      [&] { result = run_config_import(samba_file, imported_file, imported_users); });

  std::string status_config;
  std::string runtime_dir;
  bool json = false;
  CLI::App* const status = app.add_subcommand("status", "what the running daemon is doing");
  status->add_option("--config", status_config, "the daemon's TOML file, for its runtime_dir");
  status->add_option("--runtime-dir", runtime_dir, "where its socket is");
  status->add_flag("--json", json);
  status->callback([&] {
    const auto loaded = config_of(status_config);
    if (!loaded) {
      result = fail(loaded.error());
      return;
    }
    result = flotilla::app::status(
        runtime_dir.empty() ? loaded->runtime_dir : std::filesystem::path(runtime_dir), json);
  });

  CLI11_PARSE(app, argc, argv);
  return result;
}
