// Facts of this machine that rooms ask for.
#pragma once

#include <vector>

#include "handlers/server.hpp"

namespace flotilla::app {

/// Addresses that clients may reach this machine at; loopback only where there is nothing else.
[[nodiscard]] std::vector<handlers::InterfaceFacts> network_interfaces();

}  // namespace flotilla::app
