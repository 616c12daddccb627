// PoolQueries: what a node asks the others where asking is rare and telling all beforehand would
// cost every open: a directory is renamed, a lease key of a client that is on several nodes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::handlers {

struct Share;

/// Which file a client's lease key belongs to, and one of the lease's opens.
struct LeasePlace {
  FileKey file;
  OpenId open;
};

/// Calls   any thread, without a lock; every `done` once, on any thread, when all nodes that were
///         asked have answered or left
class PoolQueries {
 public:
  virtual ~PoolQueries() = default;
  /// What is open on the other nodes below the directory `path` (not itself), at most
  /// kOpensBelowMax a node.
  virtual void opens_below(const Share& share, const std::string& path,
                           std::move_only_function<void(std::vector<FileKey>)> done) = 0;
  /// The file has another name: the other nodes' opens of it learn it.
  virtual void renamed(const FileKey& file, const std::string& path,
                       std::move_only_function<void()> done) = 0;
  /// It is to go with its last close, or is not any more: the other nodes' opens of it show that.
  virtual void delete_pending(const FileKey& file, bool pending,
                              std::move_only_function<void()> done) = 0;
  virtual void find_lease(const std::vector<NodeId>& nodes, const ClientGuid& client,
                          const LeaseKey& key,
                          std::move_only_function<void(std::vector<LeasePlace>)> done) = 0;
};

inline constexpr std::size_t kOpensBelowMax = 64;

}  // namespace flotilla::handlers
