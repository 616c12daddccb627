// The decoders of compressed data, and that what the encoders write is read back.
#include <algorithm>

#include "base/check.hpp"
#include "crypto/compression/codec.hpp"
#include "crypto/compression/message.hpp"

using namespace flotilla;
using namespace flotilla::crypto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto algorithm = static_cast<wire::CompressionAlgorithm>(data[0] % 6);
  const std::size_t out_bytes = data[1] + 256U * data[2];
  const bool chained = (data[3] & 1) != 0;
  const ByteView input(data + 4, size - 4);
  Bytes out(out_bytes);
  (void)decompress(algorithm, input, out);
  Bytes small;
  if (compress(algorithm, input, small)) {
    FLOTILLA_CHECK(small.size() < input.size());
    Bytes back(input.size());
    FLOTILLA_CHECK(decompress(algorithm, small, back));
    FLOTILLA_CHECK(std::ranges::equal(back, input));
  }
  const std::vector<std::uint16_t> algorithms = {1, 2, 3, 4};
  const CompressionTerms terms{algorithms, chained};
  if (const auto message = decompress_message(input, terms, 1U << 17)) {
    FLOTILLA_CHECK(message->size() <= 1U << 17);
  }
  const std::size_t plain = std::min<std::size_t>(data[1], input.size());
  const Bytes packed = compress_message(input, plain, terms);
  if (!packed.empty()) {
    const auto back = decompress_message(packed, terms, input.size());
    FLOTILLA_CHECK(back.has_value() && std::ranges::equal(*back, input));
  }
  return 0;
}
