#include "flotilla/import/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "flotilla/import/samba_keys.hpp"
#include "flotilla/import/smb_conf.hpp"

namespace flotilla::app {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string quoted(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + quoted(item);
  return out + "]";
}

std::optional<bool> flag_of(std::string_view value) {
  const std::string text = lower(value);
  if (text == "yes" || text == "true" || text == "on" || text == "1") return true;
  if (text == "no" || text == "false" || text == "off" || text == "0") return false;
  return std::nullopt;
}

/// A macro of smb.conf(5), "VARIABLE SUBSTITUTIONS"; "%%" is none.
bool has_macro(std::string_view value) {
  for (std::size_t at = value.find('%'); at != std::string_view::npos && at + 1 < value.size();
       at = value.find('%', at + 2)) {
    if (value[at + 1] != '%') return true;
  }
  return false;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    if (size == 0 || size > text.size() - at) return false;
    std::uint32_t code = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3FU);
    }
    if ((size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10FFFF)) ||
        (code >= 0xD800 && code < 0xE000)) {
      return false;
    }
    at += size;
  }
  return true;
}

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

struct Share {
  std::string name;
  Table table;
  bool served = true;
};

class Importer {
 public:
  Importer(const SmbConf& conf, const SambaFacts& facts) : conf_(conf), facts_(facts) {}

  Imported run() {
    for (const std::string& what : facts_.remarks) out_.remarks.push_back({0, "", what});
    for (const SmbConfFault& fault : conf_.faults) {
      out_.remarks.push_back({fault.line, "", fault.what});
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
    finish_server();
    out_.toml =
        "# From smb.conf, by `flotilla config import`. `flotilla config check` reads "
        "it.\n\n[server]\n" +
        server_.text() + shares_;
    // In the order of lines, and of their making within one.
    std::multimap<decltype(ImportRemark::line), ImportRemark> by_line;
    for (ImportRemark& remark : out_.remarks) by_line.emplace(remark.line, std::move(remark));
    out_.remarks.clear();
    for (auto& [line, remark] : by_line) out_.remarks.push_back(std::move(remark));
    return std::move(out_);
  }

 private:
  void remark(const SmbConfEntry& entry, std::string_view why) {
    out_.remarks.push_back(
        {entry.line, at_->name, fmt::format("{} = {}: {}", entry.shown, entry.value, why)});
  }

  void share(const SmbConfSection& section, const Share& defaults) {
    at_ = &section;
    const auto leave_out = [&](std::string_view why) {
      out_.remarks.push_back(
          {section.line, section.name, fmt::format("the share is left out: {}", why)});
    };
    if (section.is("homes")) {
      return leave_out("shares by user's name do not exist; share the parent directory");
    }
    if (section.is("printers") || section.is("print$")) return leave_out("nothing is printed");
    if (section.is("ipc$")) return leave_out("IPC$ is built in");
    Share made = defaults;
    made.name = section.name;
    for (const SmbConfEntry& entry : section.entries) carry(entry, made);
    if (!is_utf8(section.name) || section.name.size() > 80 ||
        section.name.find_first_of("\"/\\[]:|<>+=;,*?") != std::string::npos) {
      return leave_out(
          "its name has other than 80 characters at most, none of \" / \\ [ ] : | < > + = ; , * ?");
    }
    if (made.served && !made.table.has("path") && !made.table.has("dfs_referral"))
      return leave_out("it has no path");
    if (!made.served) return;
    ++out_.shares;
    if (!made.table.has("read_only")) made.table.set("read_only", "true");  // Samba's default
    shares_ += fmt::format("\n[[share]]\nname = {}\n{}", quoted(section.name), made.table.text());
  }

  /// One line, into the server's table or a share's.
  void carry(const SmbConfEntry& entry, Share& share) {
    const bool global = at_->is("global");
    const std::size_t colon = entry.key.find(':');
    if (colon != std::string::npos && !find_samba_key(entry.key)) {
      const std::string module = entry.key.substr(0, colon);
      if (module.starts_with("idmapconfig")) {
        return remark(entry, "ids come from the users file and from the system");
      }
      return remark(entry, "options of modules are not taken over");
    }
    const SambaKey* const key = find_samba_key(entry.key);
    if (key == nullptr) return remark(entry, "unknown");
    if (!global && !key->of_share) return remark(entry, "is a setting of [global]");
    if (!is_utf8(entry.value)) return remark(entry, "is not UTF-8");
    if (key->kind == SambaKind::Meaningless) return;
    if (key->kind != SambaKind::Refused && key->kind != SambaKind::Default &&
        entry.key != "serverstring" && has_macro(entry.value)) {
      if (key->target != "path" && key->kind != SambaKind::List) {
        return remark(entry, "macros are not replaced; write what it stands for");
      }
      share.served = false;  // rather nobody than everybody
      return remark(entry, "macros are not replaced, so the share is left out");
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
          remark(entry, fmt::format("here it is always {}", key.remark));
        }
        break;
      case SambaKind::Refused:
        remark(entry, key.remark);
        break;
      case SambaKind::Meaningless:
        break;
    }
  }

  static bool is_default(std::string_view value, std::string_view only) {
    if (lower(value) == only) return true;
    const auto a = flag_of(value);
    return a && a == flag_of(only);
  }

  void users(const SmbConfEntry& entry, const SambaKey& key, Share& share) {
    std::vector<std::string> names;
    for (std::string name : list_of(entry.value)) {
      const bool group = name.find_first_not_of("@+&") != 0;
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
    if (key.target == "transaction_bytes_max") least = 65536, most = 8 << 20;
    if (key.target == "connections_max" && value == 0) return;  // without bound, as Samba's default
    if (value < least || value > most) {
      return remark(entry, fmt::format("must be from {} to {} here", least, most));
    }
    server_.set(key.target, fmt::format("{}", value));
  }

  void special(const SmbConfEntry& entry, const SambaKey& key, Share& share) {
    const std::string value = lower(entry.value);
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
      share.served = !entry.value.empty();
      share.table.set("path", quoted(entry.value));
    } else if (key.target == "force_group") {
      if (entry.value.starts_with('+')) return remark(entry, "members alone cannot be meant here");
      share.table.set("force_group", quoted(entry.value));
    } else if (key.target == "dfs_referral") {
      referral(entry, share);
    } else if (key.target == "encryption") {
      encryption(entry, value, share);
    } else if (entry.key.starts_with("vfsobject")) {
      modules(entry);
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
    } else if (entry.key == "casesensitive") {
      if (value != "auto" && flag_of(value) != false) remark(entry, "names have no case here");
    } else if (flag_of(value) == (entry.key == "available" ? false : true)) {
      share.served = false;
      remark(entry, entry.key == "available" ? "the share is left out"
                                             : "the share is left out: nothing is printed");
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

  void modules(const SmbConfEntry& entry) {
    for (const std::string& name : list_of(entry.value)) {
      const SambaModule* const module = find_samba_module(lower(name));
      if (module == nullptr) {
        remark(entry, fmt::format("{}: unknown module", name));
      } else if (!module->remark.empty()) {
        remark(entry, fmt::format("{}: {}", name, module->remark));
      }
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
  std::string shares_;
  std::vector<unsigned> ports_;
  std::vector<std::string> addresses_;
  bool bind_only_ = false;
};

}  // namespace

Imported import_smb_conf(std::string_view text, const SambaFacts& facts) {
  const SmbConf conf = parse_smb_conf(text);
  return Importer(conf, facts).run();
}

}  // namespace flotilla::app
