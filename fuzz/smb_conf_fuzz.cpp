// smb.conf: any text is a configuration, and what comes of it is lines of KEY = VALUE. The same
// bytes as what Samba's tools print, and as secrets.tdb.
#include <utility>

#include "base/check.hpp"
#include "flotilla/import/import.hpp"
#include "flotilla/import/samba_accounts.hpp"
#include "flotilla/import/smb_conf.hpp"

using namespace flotilla::app;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const SmbConf conf = parse_smb_conf(text);
  std::size_t entries = conf.faults.size() + conf.sections.size();
  for (const SmbConfSection& section : conf.sections) entries += section.entries.size();
  FLOTILLA_CHECK(entries <= size + 1);
  SambaFacts facts;
  // Whatever is included is this file again, once.
  facts.read_included = [&text,
                         again = false](const std::string&) mutable -> std::optional<std::string> {
    if (std::exchange(again, true)) return std::nullopt;
    return std::string(text);
  };
  const SambaAccounts accounts =
      samba_accounts(text, text, text, flotilla::wire::Sid{5, {21, 1, 2, 3}});
  FLOTILLA_CHECK(accounts.users.size() + accounts.groups.size() <= size);
  (void)sid_of_secrets({data, size}, "NAME");
  const Imported made = import_smb_conf(text, facts);
  FLOTILLA_CHECK(made.shares <= 2 * conf.sections.size());
  for (std::size_t at = 0; at < made.toml.size(); ++at) {
    const auto c = static_cast<unsigned char>(made.toml[at]);
    FLOTILLA_CHECK(c == '\n' || c >= 0x20);
  }
  return 0;
}
