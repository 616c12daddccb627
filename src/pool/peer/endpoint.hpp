// "address:port" as text, numeric only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

namespace flotilla::pool {

/// Nothing where it is not a numeric address ([..] around IPv6) and a port.
[[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> parse_endpoint(const std::string& text);

}  // namespace flotilla::pool
