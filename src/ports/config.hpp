// The configuration as the rooms see it: values, checked. apps/ reads it from flags and TOML.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::ports {

struct ShareConfig {
  std::string name;
  std::string path;
  std::string comment;
  bool read_only = false;
  bool hidden = false;  ///< not listed by NetShareEnumAll (a name ending in $ is too)
  bool continuous_availability = false;  ///< issue about state
  std::vector<std::string> valid_users;  ///< empty: every authenticated user
  std::string volume;                    ///< overrides the derived volume identity
};

enum class SigningMode : std::uint8_t { Enabled, Required };

struct ServerConfig {
  std::string server_name = "FLOTILLA";  ///< NetBIOS-like, upper case, at most 15 characters
  std::string workgroup = "WORKGROUP";
  std::string comment = "Flotilla";
  ServerGuid guid;  ///< one for the whole pool
  std::uint16_t dialect_min = 0x0202;
  std::uint16_t dialect_max = 0x0311;
  SigningMode signing = SigningMode::Required;
  std::uint32_t credits_max = 8192;  ///< per connection
  std::uint32_t transaction_bytes_max = 8U
                                        << 20;  ///< MaxTransact/Read/WriteSize (64 KiB for 2.0.2)
  std::chrono::milliseconds unauthenticated_timeout{30000};
  std::chrono::milliseconds break_timeout{35000};
  std::uint32_t connections_max = 20000;
  std::uint32_t sessions_max = 100000;
  std::uint32_t opens_max = 500000;
  std::uint32_t opens_per_session_max = 65536;
  bool leases = true;
  std::vector<ShareConfig> shares;
};

}  // namespace flotilla::ports
