// flotilla status: prints what the daemon says of itself.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "admin/status_socket.hpp"
#include "flotilla/commands.hpp"

namespace flotilla::app {

int status(const std::filesystem::path& runtime_dir, bool json) {
  const auto text = admin::fetch_status(runtime_dir);
  if (!text) {
    std::cerr << "flotilla: " << text.error() << '\n';
    return 1;
  }
  if (json) {
    std::cout << *text << '\n';
    return 0;
  }
  const auto document = nlohmann::json::parse(*text, nullptr, false);
  if (document.is_discarded()) {
    std::cerr << "flotilla: the daemon's answer is no JSON; is it another version?\n";
    return 1;
  }
  for (const auto& [key, value] : document.items()) {
    if (!value.is_structured()) {
      std::cout << fmt::format("{:<18} {}\n", key,
                               value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  for (const auto& [key, value] : document.items()) {
    if (!value.is_structured()) continue;
    if (!value.empty() && value.begin()->is_object()) {
      std::cout << key << ":\n";
      for (const auto& row : value) {
        std::cout << "  ";
        for (const auto& [name, cell] : row.items()) {
          std::cout << name << '=' << (cell.is_string() ? cell.get<std::string>() : cell.dump())
                    << ' ';
        }
        std::cout << '\n';
      }
    } else {
      std::cout << fmt::format("{:<18} {}\n", key, value.dump());
    }
  }
  return 0;
}

}  // namespace flotilla::app
