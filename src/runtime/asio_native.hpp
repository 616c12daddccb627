// Native access to a shard's io_context. Include in .cpp files only: Asio is heavy.
#pragma once

#include <boost/asio/io_context.hpp>

#include "runtime/asio_executor.hpp"

namespace flotilla::runtime {

/// Objects made on it belong to the executor's thread and die before the executor.
[[nodiscard]] boost::asio::io_context& native(AsioExecutor& executor) noexcept;

}  // namespace flotilla::runtime
