// Samba's configuration file as sections of keys and values. Pure; must not know what a key means.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::app {

struct SmbConfEntry {
  std::string file;      ///< an included one; empty: the file itself
  std::size_t line = 0;  ///< where it begins, from 1
  std::string key;       ///< in small letters without white space: Samba compares them so
  std::string shown;     ///< the key as written
  std::string value;     ///< without white space around it; continued lines are one
};

struct SmbConfSection {
  std::string file;  ///< as SmbConfEntry::file
  std::size_t line = 0;
  std::string name;  ///< as written; what is before any [section] belongs to "global"
  std::vector<SmbConfEntry> entries;
  [[nodiscard]] bool is(std::string_view other) const;  ///< without case
};

struct SmbConfFault {
  std::string file;  ///< as SmbConfEntry::file
  std::size_t line = 0;
  std::string what;
};

struct SmbConf {
  std::vector<SmbConfSection>
      sections;                      ///< in order; those with one name are joined, as Samba does
  std::vector<SmbConfFault> faults;  ///< lines that are no section, key or comment
};

/// The text of a file that "include" names; nothing where it cannot be read.
using ReadSmbConf = std::function<std::optional<std::string>(const std::string& path)>;

/// Total: every text is a configuration, with faults.
/// Spec    smb.conf(5), "FILE FORMAT"
/// Input   `read`: may be empty. Files that it reads stand where they are included, as in Samba:
/// the
///         section in which they end goes on behind them. "include" stays as an entry where its
///         file cannot be read, its name has a macro, or more than 100 files are included, 8 deep.
[[nodiscard]] SmbConf parse_smb_conf(std::string_view text, const ReadSmbConf& read = {});

/// "a, b c  \"d e\"" as Samba reads lists: separated by commas and white space, quoted or not.
[[nodiscard]] std::vector<std::string> list_of(std::string_view value);

/// "/a*/b c/": a list of names between slashes.
[[nodiscard]] std::vector<std::string> slash_list_of(std::string_view value);

}  // namespace flotilla::app
