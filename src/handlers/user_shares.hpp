// The shares that were made from patterns for those who came.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ports/config.hpp"
#include "ports/identity.hpp"

namespace flotilla::handlers {

struct Share;

/// What the machine knows of one of its accounts.
struct UnixAccount {
  std::string name;
  std::string home;   ///< its directory, absolute
  std::string group;  ///< the primary group's name; empty where it has none
};

/// The shares that were made from patterns: each once, and for as long as the server runs, since
/// trees, opens and watches point at them. Any thread.
class UserShares {
 public:
  /// A share's directory and accounts; the directory is `owner`'s where it has to be made. Blocks.
  /// Errors  a sentence
  using Open = std::function<std::expected<Share, std::string>(const ports::ShareConfig&,
                                                               const ports::Token& owner)>;
  static constexpr std::size_t kSharesMax = 20000;

  explicit UserShares(Open open);
  ~UserShares();

  /// Null where it was not made yet.
  [[nodiscard]] const Share* find(std::string_view name) const;
  /// Finds it or makes it. Blocks.
  /// Errors  a sentence: its directory does not open, or there are too many
  [[nodiscard]] std::expected<const Share*, std::string> open(const ports::ShareConfig& config,
                                                              const ports::Token& owner);
  [[nodiscard]] std::vector<const Share*> all() const;

 private:
  const Open open_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<const Share>, std::less<>> made_;
};

}  // namespace flotilla::handlers
