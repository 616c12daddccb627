// Copies of what must survive nodes: opens that outlive their client. docs/pool.md, "Copies".
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "coherence/kept_index.hpp"
#include "pool/membership.hpp"

namespace flotilla::pool {

/// What one member knows: opens that it decides about, and copies of opens that others do.
struct FoundHere {
  std::vector<coherence::KeptFound> decided;
  std::vector<coherence::KeptFound> copies;
};
void encode(const FoundHere& found, Bytes& out);
[[nodiscard]] std::optional<FoundHere> decode_found_here(ByteReader& in);
/// One of each open, by OpenId.
[[nodiscard]] std::vector<coherence::KeptFound> united(std::vector<FoundHere> all);

/// What this node keeps for files that others decide about.
class Copies {
 public:
  /// Takes the copy's place; one without opens is dropped.
  void store(coherence::KeptFile file);
  void drop(const FileKey& key);
  void clear();

  [[nodiscard]] const std::map<FileKey, coherence::KeptFile>& files() const noexcept {
    return files_;
  }
  [[nodiscard]] std::vector<coherence::KeptFound> find(const coherence::KeptQuery& query) const;

 private:
  std::map<FileKey, coherence::KeptFile> files_;
  coherence::KeptIndex index_;
};

}  // namespace flotilla::pool
