#include "handlers/session_channels.hpp"

#include <algorithm>

#include "handlers/channel.hpp"

namespace flotilla::handlers {

std::shared_ptr<ServerChannel> SessionChannels::pick(
    const std::shared_ptr<ServerChannel>& preferred) const {
  std::shared_ptr<ServerChannel> first;
  for (const auto& weak : list) {
    auto channel = weak.lock();
    if (!channel || channel->closed()) continue;
    if (channel == preferred) return channel;
    if (!first) first = std::move(channel);
  }
  return first;
}

bool SessionChannels::remove(const ServerChannel* channel) {
  std::erase_if(list, [channel](const std::weak_ptr<ServerChannel>& weak) {
    const auto alive = weak.lock();
    return !alive || alive.get() == channel;
  });
  return list.empty();
}

}  // namespace flotilla::handlers
