// smb.conf: any text is a configuration, and what comes of it is lines of KEY = VALUE.
#include "base/check.hpp"
#include "flotilla/import/import.hpp"
#include "flotilla/import/smb_conf.hpp"

using namespace flotilla::app;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const SmbConf conf = parse_smb_conf(text);
  std::size_t entries = conf.faults.size() + conf.sections.size();
  for (const SmbConfSection& section : conf.sections) entries += section.entries.size();
  FLOTILLA_CHECK(entries <= size + 1);
  const Imported made = import_smb_conf(text);
  FLOTILLA_CHECK(made.shares <= conf.sections.size());
  for (std::size_t at = 0; at < made.toml.size(); ++at) {
    const auto c = static_cast<unsigned char>(made.toml[at]);
    FLOTILLA_CHECK(c == '\n' || c >= 0x20);
  }
  return 0;
}
