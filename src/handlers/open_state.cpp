#include "handlers/open_state.hpp"

#include "handlers/pipe.hpp"

namespace flotilla::handlers {

OpenState::~OpenState() = default;

}  // namespace flotilla::handlers
