// What becomes of each key of smb.conf: one row per key. Must not know the file's form.
#pragma once

#include <span>
#include <string_view>

namespace flotilla::app {

enum class SambaKind : unsigned char {
  Text,         ///< target = "value"
  Flag,         ///< target = true or false
  NotFlag,      ///< the other way round
  List,         ///< a list of users; groups become "@name"
  SlashList,    ///< a list of names between slashes
  Mode,         ///< octal
  Number,       ///< a number of `target`'s range
  Special,      ///< import.cpp knows
  Default,      ///< `remark` is the only value (in small letters; A|B: both mean it) that
                ///< Flotilla has; else told
  Meaningless,  ///< about Samba itself: carried over by leaving it out
  Refused,      ///< `remark` says why not
};

struct SambaKey {
  std::string_view key;  ///< as SmbConfEntry::key
  SambaKind kind{};
  bool of_share = false;  ///< also where [global] says it
  std::string_view target;
  std::string_view remark;
};

/// Those of Samba 4.17 that few configurations name; find_samba_key() looks there too.
[[nodiscard]] std::span<const SambaKey> other_samba_keys() noexcept;

/// Null where nothing is known of it.
[[nodiscard]] const SambaKey* find_samba_key(std::string_view key) noexcept;

/// What becomes of a VFS module: nothing to say where Flotilla does the same by itself.
struct SambaModule {
  std::string_view name;
  std::string_view remark;  ///< "" : built in
};
[[nodiscard]] const SambaModule* find_samba_module(std::string_view name) noexcept;

}  // namespace flotilla::app
