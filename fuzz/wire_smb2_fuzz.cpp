// All SMB2 messages and what they carry: the first byte picks the decoder.
#include <algorithm>

#include "wire/dfs.hpp"
#include "wire/reparse.hpp"
#include "wire_fuzz_common.hpp"

using namespace flotilla;
using namespace flotilla::wire;

namespace {

void packet(ByteView input) {
  std::vector<ByteView> parts;
  (void)split_compound(input, 16, parts);
  for (const ByteView part : parts) {
    const Wire<Smb2Header> header = Smb2Header::decode(part);
    FLOTILLA_CHECK(header.has_value());
    std::array<std::uint8_t, kSmb2HeaderSize> bytes{};
    header->encode_at(bytes);
    FLOTILLA_CHECK(Smb2Header::decode(bytes).value() == *header);
  }
  (void)break_kind_of(input);
}

void list_decoders(std::size_t choice, ByteView input) {
  Bytes again;
  switch (choice % 7) {
    case 0:
      return packet(input);
    case 1:
      if (const auto chain = decode_compression_chain(input)) {
        encode_compression_chain(*chain, again);
        FLOTILLA_CHECK(decode_compression_chain(again)->payloads.size() == chain->payloads.size());
      }
      return;
    case 2:
      if (const auto request = decode_smb1_negotiate(input)) {
        encode_smb1_negotiate(*request, again);
        FLOTILLA_CHECK(decode_smb1_negotiate(again)->dialects == request->dialects);
      }
      return;
    case 3:
      if (const auto list = decode_network_interfaces(input)) {
        encode_network_interfaces(*list, again);
        FLOTILLA_CHECK(decode_network_interfaces(again).value() == *list);
      }
      return;
    case 4:
      if (const auto referral = decode_dfs_referral(input)) {
        encode_dfs_referral(*referral, 3, again);
        FLOTILLA_CHECK(decode_dfs_referral(again)->targets == referral->targets);
      }
      return;
    case 5:
      if (const auto meaning = decode_reparse(input)) {
        FLOTILLA_CHECK(meaning->tag == load_le<std::uint32_t>(input.data()));
      }
      return;
    default:
      if (const auto list = decode_error_contexts(input, input.size() % 8)) {
        encode_error_contexts(*list, again);
        FLOTILLA_CHECK(decode_error_contexts(again, list->size())->size() == list->size());
      }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t choice = data[0];
  const ByteView input(data + 1, size - 1);
  constexpr std::size_t kMessages = MessageTypes::kSize;
  constexpr std::size_t kPayloads = PayloadTypes::kSize;
  static_assert(kMessages + kPayloads < 250);
  if (choice < kMessages) {
    fuzz::run_one(MessageTypes{}, choice, input);
  } else if (choice < kMessages + kPayloads) {
    fuzz::run_one(PayloadTypes{}, choice - kMessages, input);
  } else {
    list_decoders(choice, input);
  }
  return 0;
}
