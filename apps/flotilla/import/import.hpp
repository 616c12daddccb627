// From Samba's configuration to ours. Pure: text in, text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flotilla/import/smb_conf.hpp"
#include "wire/sid.hpp"

namespace flotilla::app {

/// A line of smb.conf that the new file does not say, or says in another way.
struct ImportRemark {
  std::string file;      ///< an included one; empty: the file itself
  std::size_t line = 0;  ///< 0: about no line
  std::string section;
  std::string what;  ///< "KEY = VALUE: why, and what to do instead"
  friend bool operator==(const ImportRemark&, const ImportRemark&) = default;
};

struct Imported {
  std::string toml;                   ///< load_config() reads it; check() asks for its directories
  std::vector<ImportRemark> remarks;  ///< by line
  std::size_t shares = 0;
};

/// What smb.conf does not say of its server.
struct SambaFacts {
  std::optional<wire::Sid> domain_sid;
  std::string host_name;             ///< its name where smb.conf gives none; empty: not known
  bool users_are_taken = false;      ///< its users come in another way: nothing to say of them
  std::vector<std::string> remarks;  ///< go to the other remarks
  ReadSmbConf read_included;         ///< may be empty: nothing is included
};

/// Total. A key that cannot be carried over gives exactly one remark; one whose value is what
/// Flotilla does anyway gives none. What a [global] section says of shares goes to every share.
/// Later values win, as in Samba.
[[nodiscard]] Imported import_smb_conf(std::string_view text, const SambaFacts& facts = {});

}  // namespace flotilla::app
