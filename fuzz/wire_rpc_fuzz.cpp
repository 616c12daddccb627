// DCE/RPC PDUs and NDR stubs: the first byte picks.
#include "wire/ndr.hpp"
#include "wire_fuzz_common.hpp"

using namespace flotilla;
using namespace flotilla::wire;

namespace {

void pdu(ByteView input) {
  const Wire<RpcHeader> header = RpcHeader::decode(input);
  if (!header) return;
  Bytes again;
  header->encode(again);
  FLOTILLA_CHECK(RpcHeader::decode(again).value() == *header);
  (void)rpc_body(*header, input);
}

/// Everything that NDR types can be, in one struct.
struct Leaf {
  std::optional<std::u16string> name;
  std::uint16_t small = 0;
  NdrUnique<std::vector<std::uint8_t>> blob;
  static void ndr(auto& v, auto& s) {
    v(s.name);
    v(s.small);
    v(s.blob);
  }
};
struct Tree {
  std::uint32_t level = 0;
  NdrUnique<std::vector<Leaf>> leaves;
  std::array<std::uint8_t, 16> guid{};
  std::uint64_t wide = 0;
  NdrUnique<Leaf> one;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.leaves);
    v(s.guid);
    v(s.wide);
    v(s.one);
  }
};

void stub(ByteView input) {
  NdrReader reader(input);
  const auto tree = reader.take<Tree>();
  const auto text = reader.take<std::u16string>();
  if (!reader.ok()) {
    FLOTILLA_CHECK(reader.error().what[0] != '\0');
    return;
  }
  Bytes once;
  NdrWriter writer(once);
  writer(tree);
  writer(text);
  NdrReader second(once);
  const auto tree_again = second.take<Tree>();
  const auto text_again = second.take<std::u16string>();
  FLOTILLA_CHECK(second.ok() && second.remaining() == 0);
  FLOTILLA_CHECK(text_again == text);
  Bytes twice;
  NdrWriter writer_again(twice);
  writer_again(tree_again);
  writer_again(text_again);
  FLOTILLA_CHECK(twice == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t choice = data[0];
  const ByteView input(data + 1, size - 1);
  if (choice % 8 == 6) {
    pdu(input);
  } else if (choice % 8 == 7) {
    stub(input);
  } else {
    fuzz::run_one(RpcTypes{}, choice % 8, input);
  }
  return 0;
}
