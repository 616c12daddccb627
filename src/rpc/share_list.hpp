// The shares as srvsvc tells them: every configured one, the caller's home, and IPC$.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ports/config.hpp"
#include "ports/identity.hpp"

namespace flotilla::rpc {

/// [MS-SRVS] 2.2.2.4 Share Types.
namespace share_type {
inline constexpr std::uint32_t kDiskTree = 0x00000000;
inline constexpr std::uint32_t kIpc = 0x00000003;
inline constexpr std::uint32_t kSpecial = 0x80000000;  ///< hidden: the name ends in $
}  // namespace share_type

struct ShareFacts {
  std::u16string name;
  std::uint32_t type = share_type::kDiskTree;
  std::u16string comment;
  std::u16string path;  ///< as Samba writes it: C:\srv\data
  bool listed = true;   ///< false: NetrShareGetInfo finds it, NetrShareEnum does not tell
};

/// Of everybody's homes only the caller's own is listed.
[[nodiscard]] std::vector<ShareFacts> all_shares(const ports::ServerConfig& config,
                                                 const ports::TokenPtr& caller);
/// Text for the wire; what is no UTF-8 becomes empty.
[[nodiscard]] std::u16string wide(std::string_view utf8);

}  // namespace flotilla::rpc
