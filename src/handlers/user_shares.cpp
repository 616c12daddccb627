#include "handlers/user_shares.hpp"

#include <utility>

#include "handlers/server.hpp"

namespace flotilla::handlers {

UserShares::UserShares(Open open) : open_(std::move(open)) {}
UserShares::~UserShares() = default;

const Share* UserShares::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = made_.find(name);
  return found != made_.end() ? found->second.get() : nullptr;
}

std::expected<const Share*, std::string> UserShares::open(const ports::ShareConfig& config,
                                                          const ports::Token& owner) {
  if (const Share* const there = find(config.name); there != nullptr) {
    if (there->config.path == config.path) return there;
    return std::unexpected("it was at " + there->config.path + " and would be at " + config.path +
                           " now: restart the server where it moved");
  }
  if (!open_) return std::unexpected("this server opens no shares of users");
  auto opened = open_(config, owner);
  if (!opened) return std::unexpected(std::move(opened.error()));
  const std::scoped_lock lock(mutex_);
  const auto found = made_.find(config.name);  // somebody else was faster
  if (found != made_.end()) return found->second.get();
  if (made_.size() >= kSharesMax) {
    return std::unexpected("there are " + std::to_string(kSharesMax) +
                           " shares of users already, the most that a node has");
  }
  return made_.emplace(config.name, std::make_unique<const Share>(std::move(*opened)))
      .first->second.get();
}

std::vector<const Share*> UserShares::all() const {
  std::vector<const Share*> shares;
  const std::scoped_lock lock(mutex_);
  shares.reserve(made_.size());
  for (const auto& [name, share] : made_) shares.push_back(share.get());
  return shares;
}

}  // namespace flotilla::handlers
