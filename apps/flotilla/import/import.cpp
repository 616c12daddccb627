#include "flotilla/import/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.hpp"
#include "flotilla/import/samba_keys.hpp"
#include "flotilla/import/smb_conf.hpp"
#include "flotilla/import/values.hpp"
#include "ports/share_variables.hpp"

namespace flotilla::app {
namespace {

/// A line, and the section that it is in.
struct Place {
  const SmbConfSection* section = nullptr;
  SmbConfEntry entry;
};

struct Share {
  std::string name;
  Table table;
  bool served = true;
  bool available = true;
  bool printable = false;
  bool homes = false;
  bool owners = false;  ///< of homes: "valid users" names the owner
  bool guest_ok = false;
  std::vector<Place> modules;   ///< of "vfs objects", the last
  std::vector<Place> snapshot;  ///< options of shadow_copy2
};

class Importer {
 public:
  Importer(const SmbConf& conf, const SambaFacts& facts) : conf_(conf), facts_(facts) {}

  Imported run() {
    for (const std::string& what : facts_.remarks) out_.remarks.push_back({"", 0, "", what});
    for (const SmbConfFault& fault : conf_.faults) {
      out_.remarks.push_back({fault.file, fault.line, "", fault.what});
    }
    const auto global = std::ranges::find_if(
        conf_.sections, [](const SmbConfSection& section) { return section.is("global"); });
    Share defaults;
    if (global != conf_.sections.end()) {
      at_ = &*global;
      for (const SmbConfEntry& entry : global->entries) carry(entry, defaults);
    }
    for (const SmbConfSection& section : conf_.sections) {
      if (!section.is("global")) share(section, defaults);
    }
    finish_guests();
    finish_server();
    out_.toml =
        "# From smb.conf, by `flotilla config import`. `flotilla config check` reads "
        "it.\n\n[server]\n" +
        server_.text();
    for (const Share& made : shares_) {
      out_.toml += fmt::format("\n[[share]]\nname = {}\n{}", quoted(made.name), made.table.text());
    }
    std::ranges::stable_sort(out_.remarks, {}, [](const ImportRemark& remark) {
      return std::pair(std::string_view(remark.file), remark.line);
    });
    // What [global] says of every share is told once.
    std::vector<ImportRemark> once;
    for (ImportRemark& remark : out_.remarks) {
      const auto same_line = std::ranges::find_if(once.rbegin(), once.rend(), [&](const auto& it) {
        return it == remark || it.line != remark.line;
      });
      if (same_line == once.rend() || *same_line != remark) once.push_back(std::move(remark));
    }
    out_.remarks = std::move(once);
    return std::move(out_);
  }

 private:
  void remark(const SmbConfEntry& entry, std::string_view why) {
    out_.remarks.push_back({entry.file, entry.line, at_->name,
                            fmt::format("{} = {}: {}", entry.shown, entry.value, why)});
  }

  void share(const SmbConfSection& section, const Share& defaults) {
    at_ = &section;
    const auto leave_out = [&](std::string_view why) {
      out_.remarks.push_back({section.file, section.line, section.name,
                              fmt::format("the share is left out: {}", why)});
    };
    if (section.is("printers") || section.is("print$")) return leave_out("nothing is printed");
    if (section.is("ipc$")) return leave_out("IPC$ is built in");
    Share made = defaults;
    made.name = section.name;
    made.homes = section.is("homes");
    if (made.homes) {
      made.table.set("homes", "true");
      made.table.set("path", quoted("%H"));
    }
    for (const SmbConfEntry& entry : section.entries) carry(entry, made);
    finish_modules(made);
    if (made.homes && made.served && !made.owners && !made.table.has("valid_users")) {
      out_.remarks.push_back({section.file, section.line, section.name,
                              "homes are their owners' alone; Samba lets in whom the modes let in: "
                              "give valid_users = [] for that"});
    }
    at_ = &section;
    if (!is_utf8(section.name) || section.name.size() > 80 ||
        section.name.find_first_of("\"/\\[]:|<>+=;,*?") != std::string::npos) {
      return leave_out(
          "its name has other than 80 characters at most, none of \" / \\ [ ] : | < > + = ; , * ?");
    }
    if (!made.available) return leave_out("it is not available");
    made.table.remove(made.homes ? "hidden" : "");  // one's own is listed for oneself
    if (made.printable) return leave_out("nothing is printed");
    if (made.served && !made.table.has("path") && !made.table.has("dfs_referral"))
      return leave_out("it has no path");
    if (!made.served) return;
    ++out_.shares;
    if (!made.table.has("read_only")) made.table.set("read_only", "true");  // Samba's default
    shares_.push_back(std::move(made));
  }

  /// One line, into the server's table or a share's.
  void carry(const SmbConfEntry& entry, Share& share) {
    const bool global = at_->is("global");
    const std::size_t colon = entry.key.find(':');
    if (colon != std::string::npos && !find_samba_key(entry.key)) {
      const std::string module = entry.key.substr(0, colon);
      if (module.starts_with("idmapconfig")) return idmap(entry);
      if (module == "shadow") {
        share.snapshot.push_back({at_, entry});
        return;
      }
      const SambaModule* const known = find_samba_module(module);
      if (known == nullptr || known->remark.empty()) {
        return remark(entry, "options of modules are not taken over");
      }
      return remark(entry, known->remark);
    }
    const SambaKey* const key = find_samba_key(entry.key);
    if (key == nullptr) return remark(entry, "unknown");
    if (!global && !key->of_share) return remark(entry, "is a setting of [global]");
    if (!is_utf8(entry.value)) return remark(entry, "is not UTF-8");
    if (key->kind == SambaKind::Meaningless) return;
    if (key->kind != SambaKind::Refused && key->kind != SambaKind::Default &&
        entry.key != "serverstring" && has_macro(entry.value)) {
      if (key->target == "path") {
        if (const auto wrong = ports::wrong_in_path(entry.value)) {
          share.served = false;
          return remark(entry, *wrong + "; the share is left out");
        }
      } else if (key->kind != SambaKind::List) {
        return remark(entry, "macros are not replaced; write what it stands for");
      } else if (share.homes && key->target == "valid_users" && is_owner(entry.value)) {
        share.owners = true;  // as homes = true has it
        return;
      } else {
        share.served = false;  // rather nobody than everybody
        return remark(entry, "macros are not replaced, so the share is left out");
      }
    }
    Table& table = global && !key->of_share ? server_ : share.table;
    carry_kind(entry, *key, table, share);
  }

  void carry_kind(const SmbConfEntry& entry, const SambaKey& key, Table& table, Share& share) {
    switch (key.kind) {
      case SambaKind::Text:
        table.set(key.target, quoted(entry.value));
        break;
      case SambaKind::Flag:
      case SambaKind::NotFlag: {
        const auto flag = flag_of(entry.value);
        if (!flag) return remark(entry, "is neither yes nor no");
        table.set(key.target, *flag == (key.kind == SambaKind::Flag) ? "true" : "false");
        break;
      }
      case SambaKind::List:
        users(entry, key, share);
        break;
      case SambaKind::SlashList:
        table.set(key.target, quoted(slash_list_of(entry.value)));
        break;
      case SambaKind::Mode: {
        unsigned mode = 0;
        const char* const end = entry.value.data() + entry.value.size();
        const auto got = std::from_chars(entry.value.data(), end, mode, 8);
        if (got.ec != std::errc{} || got.ptr != end || mode > 07777) {
          return remark(entry, "is no octal mode");
        }
        table.set(key.target, fmt::format("\"{:04o}\"", mode));
        break;
      }
      case SambaKind::Number:
        number(entry, key);
        break;
      case SambaKind::Special:
        special(entry, key, share);
        break;
      case SambaKind::Default:
        if (!is_default(entry.value, key.remark)) {
          remark(entry,
                 fmt::format("here it is always {}", key.remark.substr(0, key.remark.find('|'))));
        }
        break;
      case SambaKind::Refused:
        // What is switched off is not missed.
        if (!entry.value.empty() && flag_of(entry.value) != false) remark(entry, key.remark);
        break;
      case SambaKind::Meaningless:
        break;
    }
  }

  /// The user whose home it is, as people write him in [homes].
  static bool is_owner(std::string_view value) {
    constexpr std::string_view kOwner[] = {"%S", "%D%w%S", "%D\\%S", "%D%S", "%U", "%u"};
    return std::ranges::find(kOwner, value) != std::end(kOwner);
  }

  /// `only`: what Flotilla has, by any of the names between "|".
  static bool is_default(std::string_view value, std::string_view only) {
    const std::string text = ascii::lower(value);
    const auto flag = flag_of(value);
    while (true) {
      const std::size_t end = only.find('|');
      const std::string_view name = only.substr(0, end);
      if (text == name || (flag && flag == flag_of(name))) return true;
      if (end == only.npos) return false;
      only.remove_prefix(end + 1);
    }
  }

  void users(const SmbConfEntry& entry, const SambaKey& key, Share& share) {
    std::vector<std::string> names;
    for (std::string name : list_of(entry.value)) {
      const bool group = name.find_first_not_of("@+&") != 0;
      if (name.starts_with('&')) remark(entry, name + ": netgroups are not asked, Unix groups are");
      name.erase(0, std::min(name.find_first_not_of("@+&"), name.size()));
      if (name.empty()) continue;
      names.push_back(group ? "@" + name : name);
    }
    if (names.empty() && !entry.value.empty()) {
      share.served = false;  // an empty list would let everybody in
      return remark(entry, "names nobody, so the share is left out");
    }
    share.table.set(key.target, quoted(names));
  }

  void number(const SmbConfEntry& entry, const SambaKey& key) {
    std::int64_t value = 0;
    const char* const end = entry.value.data() + entry.value.size();
    const auto got = std::from_chars(entry.value.data(), end, value);
    if (got.ec != std::errc{} || got.ptr != end || value < 0) return remark(entry, "is no number");
    std::int64_t least = 1;
    std::int64_t most = 1000000;
    if (key.target == "credits_max") least = 32, most = 65535;
    if (key.target == "opens_per_session_max") most = 10000000;
    if (key.target == "transaction_bytes_max") least = 65536, most = 8 << 20;
    if (key.target == "connections_max" && value == 0) return;  // without bound, as Samba's default
    if (value < least || value > most) {
      return remark(entry, fmt::format("must be from {} to {} here", least, most));
    }
    server_.set(key.target, fmt::format("{}", value));
  }

  void special(const SmbConfEntry& entry, const SambaKey& key, Share& share) {
    const std::string value = ascii::lower(entry.value);
    if (key.target == "name") {
      if (entry.value.empty() || entry.value.size() > 15) {
        return remark(entry, "a name of 1 to 15 characters is needed");
      }
      server_.set("name", quoted(entry.value));
    } else if (key.target == "comment") {
      if (has_macro(entry.value)) return remark(entry, "macros are not replaced");
      server_.set("comment", quoted(entry.value));
    } else if (key.target == "listen") {
      listen(entry);
    } else if (key.target == "dialect_min" || key.target == "dialect_max") {
      dialect(entry, key, value);
    } else if (key.target == "signing") {
      if (value == "mandatory" || value == "required" || value == "force" || value == "forced") {
        server_.set("signing", "\"required\"");
      } else {
        server_.set("signing", "\"enabled\"");
        if (flag_of(value) == false || value == "disabled") {
          remark(entry, "signing cannot be switched off; it is used where the client asks");
        }
      }
    } else if (key.target == "log_level") {
      const bool loud = !value.empty() && value[0] >= '3' && value[0] <= '9';
      server_.set("log_level", loud || value.starts_with("10") ? "\"debug\"" : "\"info\"");
    } else if (key.target == "path") {
      if (!entry.value.empty()) share.table.set("path", quoted(entry.value));
    } else if (key.target == "force_group") {
      if (entry.value.starts_with('+')) return remark(entry, "members alone cannot be meant here");
      share.table.set("force_group", quoted(entry.value));
    } else if (key.target == "dfs_referral") {
      referral(entry, share);
    } else if (key.target == "encryption") {
      encryption(entry, value, share);
    } else if (entry.key.starts_with("vfsobject")) {
      share.modules = {{at_, entry}};
    } else if (key.target == "guests") {
      guests(entry, value, share);
    } else if (entry.key == "copy") {
      copy(entry, share);
    } else {
      roles(entry, value, share);
    }
  }

  /// "\\server\\share[,\\server\\share]", with one backslash or two.
  void referral(const SmbConfEntry& entry, Share& share) {
    std::vector<std::string> targets;
    for (std::string target : list_of(entry.value)) {
      target.erase(0, std::min(target.find_first_not_of('\\'), target.size()));
      if (target.find('\\') == std::string::npos) return remark(entry, "is no \\\\server\\share");
      targets.push_back("\\\\" + target);
    }
    if (!targets.empty()) share.table.set("dfs_referral", quoted(targets));
  }

  /// Keys whose only fitting value says nothing, and those that take a share away.
  void roles(const SmbConfEntry& entry, const std::string& value, Share& share) {
    if (entry.key == "passdbbackend") {
      if (!facts_.users_are_taken) {
        remark(entry, "the users are taken over by --users-file, where Samba is");
      }
    } else if (entry.key == "security") {
      if (value == "ads" || value == "domain") {
        remark(entry, "give the machine's keytab as [server] keytab; users need Unix accounts");
      } else if (value != "user" && value != "auto") {
        remark(entry, "users log on one by one");
      }
    } else if (entry.key == "serverrole") {
      if (value.find("controller") != std::string::npos) {
        remark(entry, "Flotilla is no domain controller");
      }
    } else if (entry.key == "ntlmauth") {
      if (value != "ntlmv2-only" && flag_of(value) != false && value != "disabled") {
        remark(entry, "NTLMv2 is the only NTLM that is accepted");
      }
    } else if (entry.key == "clustering") {
      if (flag_of(value) == true) {
        remark(entry, "a pool is [pool] beside corosync, without CTDB: docs/pool.md");
      }
    } else if (entry.key == "casesensitive" || entry.key == "casesignames") {
      if (value != "auto" && flag_of(value) != false) remark(entry, "names have no case here");
    } else if (entry.key == "available") {
      share.available = flag_of(value) != false;
    } else {
      share.printable = flag_of(value) == true;
    }
  }

  void dialect(const SmbConfEntry& entry, const SambaKey& key, const std::string& value) {
    static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
        {"smb2_02", "2.0.2"}, {"smb2_10", "2.1"},   {"smb2_22", "2.1"},   {"smb2_24", "2.1"},
        {"smb3_00", "3.0"},   {"smb3_02", "3.0.2"}, {"smb3_10", "3.0.2"}, {"smb3_11", "3.1.1"},
        {"smb3", "3.1.1"},    {"smb2", "2.1"},      {"default", ""}};
    const auto* const found =
        std::ranges::find(kNames, value, &std::pair<std::string_view, std::string_view>::first);
    if (found == std::end(kNames)) {
      return remark(entry, "is no dialect of SMB 2 or 3; SMB1 is not served");
    }
    std::string_view dialect = found->second;
    if (key.target == "dialect_min" && value == "smb2") dialect = "2.0.2";
    if (key.target == "dialect_min" && value == "smb3") dialect = "3.0";
    if (!dialect.empty()) server_.set(key.target, quoted(dialect));
  }

  void encryption(const SmbConfEntry& entry, const std::string& value, Share& share) {
    const bool global = at_->is("global");
    std::string_view mode;
    if (value == "required" || value == "mandatory" || value == "forced" || value == "force") {
      mode = "required";
    } else if (value == "desired") {
      mode = "desired";
    } else if (value == "off" || value == "disabled" || flag_of(value) == false) {
      mode = "off";
    } else if (value == "default" || value == "enabled" || value == "auto" ||
               value == "if_required" || flag_of(value) == true) {
      mode = global ? "enabled" : "off";
    } else {
      return remark(entry, "is none of off, if_required, desired, required");
    }
    (global ? server_ : share.table).set("encryption", quoted(mode));
  }

  /// What "vfs objects" says in the end, with the options of those modules.
  void finish_modules(Share& share) {
    bool snapshots = false;
    for (const auto& [section, entry] : share.modules) {
      at_ = section;
      for (const std::string& name : list_of(entry.value)) {
        const SambaModule* const module = find_samba_module(ascii::lower(name));
        if (module == nullptr) {
          remark(entry, fmt::format("{}: unknown module", name));
        } else if (module->name == "shadow_copy2") {
          snapshots = true;
        } else if (!module->remark.empty()) {
          remark(entry, fmt::format("{}: {}", name, module->remark));
        }
      }
    }
    if (!snapshots) return;
    std::string folder = ".snapshots";  // as vfs_shadow_copy2(8) has it
    std::string format = "@GMT-%Y.%m.%d-%H.%M.%S";
    bool fits = true;
    for (const auto& [section, entry] : share.snapshot) {
      at_ = section;
      const std::string value = ascii::lower(entry.value);
      if (entry.key == "shadow:snapdir") {
        folder = entry.value;
      } else if (entry.key == "shadow:format") {
        format = entry.value;
      } else if (entry.key == "shadow:localtime" && flag_of(value) != false) {
        remark(entry, "snapshots are named in UTC here; previous versions are not shown");
        fits = false;
      } else if (entry.key == "shadow:snapdirseverywhere" && flag_of(value) != false) {
        remark(entry, "snapshots are those of the share's root");
      } else if (entry.key == "shadow:snapprefix" || entry.key == "shadow:delimiter" ||
                 entry.key == "shadow:basedir" || entry.key == "shadow:snapsharepath") {
        remark(entry, "[[share]] snapshots says all: a path below the share and strftime's format");
      }
    }
    while (folder.ends_with('/')) folder.pop_back();
    if (folder.starts_with('/') || folder.empty() || folder.find('%') != folder.npos ||
        format.find('%') == format.npos || format.find('/') != format.npos) {
      at_ = share.modules.back().section;
      remark(share.modules.back().entry,
             fmt::format("shadow_copy2: snapshots must be below the share; "
                         "\"{}\" and \"{}\" are not",
                         folder, format));
    } else if (fits) {
      share.table.set("snapshots", quoted(folder + "/" + format));
    }
  }

  void idmap(const SmbConfEntry& entry) {
    if (ascii::lower(entry.value) == "tdb" && entry.key.find("*") != entry.key.npos)
      return;  // default
    remark(entry,
           "ids come from the users file, from the system and its winbind, or from [[domain]]");
  }

  void guests(const SmbConfEntry& entry, const std::string& value, Share& share) {
    if (entry.key == "maptoguest") {
      map_to_guest_ = value;
      if (value == "bad password" || value == "bad uid") {
        remark(entry, "only users that nobody knows become guests; wrong passwords are refused");
      } else if (value != "never" && value != "bad user") {
        remark(entry, "is none of never, bad user, bad password, bad uid");
      }
    } else if (entry.key == "guestaccount") {
      guest_account_ = entry.value;
    } else {
      share.guest_ok = flag_of(value) == true;
      if (share.guest_ok) guest_lines_.push_back({at_, entry});
    }
  }

  /// Guests of the server may use all shares but those that say they may not.
  void finish_guests() {
    const bool any = std::ranges::any_of(shares_, &Share::guest_ok);
    if (map_to_guest_ == "never") {
      for (const auto& [section, entry] : guest_lines_) {
        at_ = section;
        remark(entry,
               "nobody becomes a guest without map to guest = bad user ([server] "
               "guest_account), and anonymous clients see IPC$ alone");
      }
    }
    if (!any || map_to_guest_ == "never") return;
    server_.set("guest_account", quoted(guest_account_));
    for (Share& share : shares_) {
      if (!share.guest_ok) share.table.append("invalid_users", "Guest");
    }
  }

  /// What the other section says, as if it stood here.
  void copy(const SmbConfEntry& entry, Share& share) {
    const auto other = std::ranges::find_if(
        conf_.sections, [&](const SmbConfSection& section) { return section.is(entry.value); });
    if (other == conf_.sections.end() || &*other == at_ || ++copies_ > kCopiesMax) {
      return remark(entry, "there is no such share");
    }
    for (const SmbConfEntry& copied : other->entries) {
      carry(copied, share);
    }
  }

  void listen(const SmbConfEntry& entry) {
    if (entry.key == "bindinterfacesonly") {
      bind_only_ = flag_of(entry.value) == true;
    } else if (entry.key == "smbports") {
      ports_.clear();
      for (const std::string& port : list_of(entry.value)) {
        unsigned number = 0;
        const auto got = std::from_chars(port.data(), port.data() + port.size(), number);
        if (got.ec != std::errc{} || got.ptr != port.data() + port.size() || number == 0 ||
            number > 65535) {
          remark(entry, fmt::format("{} is no port", port));
        } else if (number == 139) {
          remark(entry, "139: NetBIOS sessions are not served");
        } else {
          ports_.push_back(number);
        }
      }
    } else {
      addresses_.clear();
      for (std::string address : list_of(entry.value)) {
        address = address.substr(0, address.find_first_of("/;"));
        const bool v6 = address.find(':') != std::string::npos;
        if (!address.empty() &&
            address.find_first_not_of(v6 ? "0123456789abcdefABCDEF:." : "0123456789.") ==
                std::string::npos) {
          addresses_.push_back(v6 ? "[" + address + "]" : address);
        } else {
          remark(entry, fmt::format("{}: give addresses instead of interfaces", address));
        }
      }
    }
  }

  void finish_server() {
    if (!facts_.host_name.empty() && !server_.has("name")) {
      server_.set("name", quoted(facts_.host_name));
    }
    if (facts_.domain_sid) server_.set("domain_sid", quoted(facts_.domain_sid->to_string()));
    if (ports_.empty()) ports_.push_back(445);
    if (!bind_only_) addresses_.clear();
    const bool any = bind_only_ && !addresses_.empty();
    if (!any && ports_ == std::vector<unsigned>{445}) return;
    std::vector<std::string> all;
    if (!any) addresses_ = {"0.0.0.0"};
    for (const std::string& address : addresses_) {
      for (const unsigned port : ports_) all.push_back(fmt::format("{}:{}", address, port));
    }
    server_.set("listen", quoted(all));
  }

  const SmbConf& conf_;
  const SambaFacts& facts_;
  const SmbConfSection* at_ = nullptr;
  Imported out_;
  Table server_;
  std::vector<Share> shares_;
  std::string map_to_guest_ = "never";
  std::string guest_account_ = "nobody";
  std::vector<Place> guest_lines_;
  static constexpr std::size_t kCopiesMax = 100;
  std::size_t copies_ = 0;
  std::vector<unsigned> ports_;
  std::vector<std::string> addresses_;
  bool bind_only_ = false;
};

}  // namespace

Imported import_smb_conf(std::string_view text, const SambaFacts& facts) {
  const SmbConf conf = parse_smb_conf(text, facts.read_included);
  return Importer(conf, facts).run();
}

}  // namespace flotilla::app
