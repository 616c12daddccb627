// Interface: one RPC interface of a pipe, e.g. srvsvc: opnum and stub in, stub or fault out.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "rpc/pipe_server.hpp"
#include "wire/dcerpc.hpp"

namespace flotilla::rpc {

/// The response's stub, or a fault's status (wire::rpc_fault).
using CallResult = std::expected<Bytes, std::uint32_t>;

/// Stateless, one per process: what belongs to a pipe is in the context.
class Interface {
 public:
  virtual ~Interface() = default;
  [[nodiscard]] virtual const wire::RpcSyntaxId& syntax() const noexcept = 0;
  /// Errors  kOpRangeError  no such operation, or one that is not served
  ///         kBadStubData   the stub does not decode
  [[nodiscard]] virtual CallResult call(const PipeContext& context, std::uint16_t opnum,
                                        ByteView stub) const = 0;
  /// The operation answers administrators from `context.listing`.
  [[nodiscard]] virtual bool wants_listing(std::uint16_t) const noexcept { return false; }
};

/// What a pipe offers. `interfaces` are static.
struct Endpoint {
  std::string_view name;  ///< lower case, without "\PIPE\"
  std::vector<const Interface*> interfaces;
  bool needs_accounts = false;  ///< there only where names can be looked up
};
[[nodiscard]] const Endpoint* find_endpoint(std::string_view name) noexcept;

[[nodiscard]] const Interface& srvsvc_interface();
[[nodiscard]] const Interface& wkssvc_interface();
[[nodiscard]] const Interface& lsarpc_interface();
[[nodiscard]] const Interface& dssetup_interface();
[[nodiscard]] const Interface& samr_interface();

}  // namespace flotilla::rpc
