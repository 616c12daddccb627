#include "crypto/compression/codec.hpp"

namespace flotilla::crypto {

using wire::CompressionAlgorithm;

bool decompress(CompressionAlgorithm algorithm, ByteView in, MutableBytes out) {
  switch (algorithm) {
    case CompressionAlgorithm::Lznt1:
      return lznt1_decode(in, out);
    case CompressionAlgorithm::Lz77:
      return lz77_decode(in, out);
    case CompressionAlgorithm::Lz77Huffman:
      return lz77_huffman_decode(in, out);
    default:
      return false;
  }
}

bool compress(CompressionAlgorithm algorithm, ByteView in, Bytes& out) {
  if (in.empty() || in.size() > std::size_t{1} << 30) return false;
  const std::size_t before = out.size();
  bool smaller = false;
  switch (algorithm) {
    case CompressionAlgorithm::Lznt1:
      smaller = lznt1_encode(in, in.size() - 1, out);
      break;
    case CompressionAlgorithm::Lz77:
      smaller = lz77_encode(in, in.size() - 1, out);
      break;
    case CompressionAlgorithm::Lz77Huffman:
      smaller = lz77_huffman_encode(in, in.size() - 1, out);
      break;
    default:
      break;
  }
  if (!smaller) out.resize(before);
  return smaller;
}

}  // namespace flotilla::crypto
