#include "crypto/compression/huffman_lengths.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace flotilla::crypto {

namespace {

/// One Huffman tree by the two-queue method: leaves sorted by count, joints come out sorted.
/// The deepest leaf's depth.
std::size_t tree_depths(const HuffmanCounts& counts, HuffmanLengths& depths) {
  struct Node {
    std::uint32_t count;
    std::uint16_t parent;
  };
  std::vector<std::uint16_t> leaves;
  for (std::uint16_t symbol = 0; symbol < kHuffmanSymbols; ++symbol) {
    if (counts[symbol] != 0) leaves.push_back(symbol);
  }
  std::ranges::sort(leaves, {},
                    [&](std::uint16_t symbol) { return std::pair(counts[symbol], symbol); });
  std::vector<Node> nodes;
  nodes.reserve(2 * leaves.size());
  for (const std::uint16_t symbol : leaves) nodes.push_back({counts[symbol], 0});
  std::size_t leaf = 0;
  std::size_t joint = leaves.size();
  const auto take_least = [&]() -> std::size_t {
    const bool from_leaves =
        leaf < leaves.size() && (joint == nodes.size() || nodes[leaf].count <= nodes[joint].count);
    return from_leaves ? leaf++ : joint++;
  };
  while (nodes.size() < 2 * leaves.size() - 1) {
    const std::size_t a = take_least();
    const std::size_t b = take_least();
    nodes[a].parent = nodes[b].parent = static_cast<std::uint16_t>(nodes.size());
    nodes.push_back({nodes[a].count + nodes[b].count, 0});
  }
  std::vector<std::size_t> depth(nodes.size(), 0);
  std::size_t deepest = 0;
  for (std::size_t i = nodes.size() - 1; i-- > 0;) depth[i] = depth[nodes[i].parent] + 1;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    deepest = std::max(deepest, depth[i]);
    depths[leaves[i]] = static_cast<std::uint8_t>(std::min<std::size_t>(depth[i], 255));
  }
  return deepest;
}

}  // namespace

HuffmanLengths huffman_lengths(HuffmanCounts counts) {
  const auto occurring = std::ranges::count_if(counts, [](auto count) { return count != 0; });
  if (occurring < 2) {
    // Two codes of one bit: a code must be complete.
    for (std::size_t symbol = 0, missing = 2 - static_cast<std::size_t>(occurring);
         missing > 0 && symbol < 2; ++symbol) {
      if (counts[symbol] != 0) continue;
      counts[symbol] = 1;
      --missing;
    }
  }
  HuffmanLengths lengths{};
  // Halving the counts flattens the tree; all equal, 512 symbols need 9 bits.
  while (tree_depths(counts, lengths) > kHuffmanBitsMax) {
    for (std::uint32_t& count : counts) count = (count + 1) / 2;
  }
  return lengths;
}

HuffmanCodes huffman_codes(const HuffmanLengths& lengths) noexcept {
  HuffmanCodes codes{};
  std::uint32_t next = 0;
  for (std::uint8_t bits = 1; bits <= kHuffmanBitsMax; ++bits) {
    for (std::size_t symbol = 0; symbol < kHuffmanSymbols; ++symbol) {
      if (lengths[symbol] == bits) codes[symbol] = static_cast<std::uint16_t>(next++);
    }
    next <<= 1;
  }
  return codes;
}

}  // namespace flotilla::crypto
