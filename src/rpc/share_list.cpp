#include "rpc/share_list.hpp"

#include <algorithm>

#include "wire/utf16.hpp"

namespace flotilla::rpc {

std::u16string wide(std::string_view utf8) { return wire::utf16_of(utf8).value_or(u""); }

std::vector<ShareFacts> all_shares(const ports::ServerConfig& config,
                                   const ports::TokenPtr& caller) {
  std::vector<ShareFacts> list;
  for (const ports::ShareConfig& share : config.shares) {
    ShareFacts facts;
    facts.name = wide(share.name);
    facts.comment = wide(share.comment);
    facts.path = u"C:" + wide(share.path);
    std::ranges::replace(facts.path, u'/', u'\\');
    if (share.name.ends_with('$')) facts.type |= share_type::kSpecial;
    facts.listed = !share.hidden && !share.homes;
    list.push_back(std::move(facts));
    if (share.homes && !share.hidden && caller && !caller->anonymous && !caller->guest) {
      ShareFacts own = list.back();
      own.name = wide(caller->user_name);
      own.comment = share.comment.empty() ? u"Home of " + own.name : wide(share.comment);
      own.listed = true;
      list.push_back(std::move(own));
    }
  }
  ShareFacts ipc;
  ipc.name = u"IPC$";
  ipc.type = share_type::kIpc | share_type::kSpecial;
  ipc.comment = u"IPC Service (" + wide(config.comment) + u")";
  ipc.path = u"C:\\tmp";
  list.push_back(std::move(ipc));
  return list;
}

}  // namespace flotilla::rpc
