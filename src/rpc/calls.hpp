// How an interface declares its operations: a row per opnum, a struct for what comes in, reply()
// for what goes out. Internal to rpc/.
#pragma once

#include <algorithm>
#include <span>

#include "rpc/handles.hpp"
#include "rpc/interface.hpp"
#include "wire/ndr.hpp"

namespace flotilla::rpc {

/// The [out] parameters in order, each with its pointees behind it, the status last.
template <class... Out>
[[nodiscard]] Bytes reply(const Out&... out) {
  Bytes stub;
  wire::NdrWriter writer(stub);
  (writer(out), ...);
  return stub;
}

/// One operation. `run` decodes the stub itself.
struct Operation {
  std::uint16_t opnum;
  CallResult (*run)(const PipeContext& context, ByteView stub);
};

namespace detail {
template <auto F>
struct Decoded;
template <class In, CallResult (*F)(const PipeContext&, In&)>
struct Decoded<F> {
  static CallResult run(const PipeContext& context, ByteView stub) {
    In in{};
    wire::NdrReader reader(stub);
    In::parameters(reader, in);
    if (!reader.ok()) return std::unexpected(wire::rpc_fault::kBadStubData);
    return F(context, in);
  }
};
}  // namespace detail

/// A row for `CallResult f(const PipeContext&, In&)`; In::parameters(v, s) calls v() once for each
/// [in] parameter. A stub that does not decode is a fault. Bytes behind the last parameter are
/// ignored, as Windows does.
template <auto F>
[[nodiscard]] constexpr Operation row(std::uint16_t opnum) {
  return {opnum, &detail::Decoded<F>::run};
}

/// An operation that is known and refused with `Status`, whose [out] parameters are `Words` zero
/// words.
template <auto Status, std::size_t Words = 0>
[[nodiscard]] constexpr Operation refused(std::uint16_t opnum) {
  return {opnum, [](const PipeContext&, ByteView) -> CallResult {
            Bytes stub;
            wire::NdrWriter writer(stub);
            for (std::size_t i = 0; i < Words; ++i) writer(std::uint32_t{0});
            writer(Status);
            return stub;
          }};
}

[[nodiscard]] inline CallResult call_row(std::span<const Operation> rows,
                                         const PipeContext& context, std::uint16_t opnum,
                                         ByteView stub) {
  const auto found = std::ranges::find(rows, opnum, &Operation::opnum);
  if (found == rows.end()) return std::unexpected(wire::rpc_fault::kOpRangeError);
  return found->run(context, stub);
}

[[nodiscard]] inline std::unexpected<std::uint32_t> bad_handle() {
  return std::unexpected(wire::rpc_fault::kContextMismatch);
}

/// For operations whose [out] parameter is a handle: a handle of another kind is an answer, one
/// that was never given a fault.
/// Spec    [MS-SAMR] 3.1.2.3 (HandleType), [C706] 5.1.6
[[nodiscard]] inline CallResult other_kind_of_handle(const PipeContext& context,
                                                     const wire::NdrContextHandle& handle) {
  if (context.handles->find(handle) == nullptr) return bad_handle();
  return reply(wire::NdrContextHandle{}, NtStatus::InvalidHandle);
}

}  // namespace flotilla::rpc
