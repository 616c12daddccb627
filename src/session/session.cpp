#include "session/session.hpp"

namespace flotilla::session {

TreeId Session::new_tree_id() {
  for (;;) {
    const TreeId candidate{next_tree++};
    if (candidate.raw() != 0 && candidate.raw() != 0xFFFFFFFFU && !trees.contains(candidate)) {
      return candidate;
    }
  }
}

std::shared_ptr<Open> Session::find_open(const FileId& wanted) const {
  const auto found = opens.find(wanted.volatile_id);
  if (found == opens.end() || found->second->id != wanted || found->second->closing) return nullptr;
  return found->second;
}

}  // namespace flotilla::session
