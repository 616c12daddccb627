// An IPv4 or IPv6 address as bytes in network order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flotilla::front {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4 uses the first four
  [[nodiscard]] std::size_t size() const noexcept { return v6 ? 16 : 4; }
  [[nodiscard]] std::span<const std::uint8_t> view() const noexcept {
    return std::span(bytes).first(size());
  }
  friend bool operator==(const IpAddress&, const IpAddress&) noexcept = default;

  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

/// True where the first `prefix_bits` bits agree and the families are the same.
[[nodiscard]] bool same_subnet(const IpAddress& a, const IpAddress& b,
                               unsigned prefix_bits) noexcept;

}  // namespace flotilla::front
