#include "handlers/dfs.hpp"

#include <algorithm>

#include "wire/utf16.hpp"

namespace flotilla::handlers {

Result<wire::DfsReferral> refer(const Server& server, std::u16string_view path) {
  const auto elsewhere = [](const Share& share) { return !share.config.dfs_referral.empty(); };
  if (std::ranges::none_of(server.shares(), elsewhere)) return fail(NtStatus::FsDriverRequired);
  path = path.substr(0, path.find(u'\0'));
  if (!path.starts_with(u'\\')) return fail(NtStatus::InvalidParameter);
  const std::size_t slash = path.find(u'\\', 1);
  if (slash == std::u16string_view::npos) return fail(NtStatus::NotFound);
  const std::size_t end = std::min(path.find(u'\\', slash + 1), path.size());
  const auto name = wire::utf8_of(path.substr(slash + 1, end - slash - 1));
  const Share* const share = name ? server.find_share(*name) : nullptr;
  if (share == nullptr || !elsewhere(*share)) return fail(NtStatus::NotFound);
  wire::DfsReferral referral;
  referral.dfs_path = path.substr(0, end);
  for (const std::string& target : share->config.dfs_referral) {
    // "\\server\share" as people write it; on the wire with one backslash in front.
    auto text = wire::utf16_of(target).value_or(u"");
    if (text.starts_with(u"\\\\")) text.erase(0, 1);
    referral.targets.push_back(std::move(text));
  }
  return referral;
}

}  // namespace flotilla::handlers
