// KeptStore: where a single node keeps the opens that must survive its restart. Must not know what
// is in the records beyond the file that they belong to.
#pragma once

#include <functional>

#include "coherence/command.hpp"

namespace flotilla::pool {

class KeptStore {
 public:
  virtual ~KeptStore() = default;
  /// Makes the record safe in place of the file's former one; without opens the file has none any
  /// more. `safe` runs once, after keep() has returned, on any thread, with no lock held; calls for
  /// one file become safe in their order. Whoever is called outlives the store.
  virtual void keep(const coherence::KeptFile& file, std::function<void()> safe) = 0;
};

}  // namespace flotilla::pool
