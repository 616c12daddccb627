#include "wire/ndr.hpp"

namespace flotilla::wire {

void NdrReader::take_alignment(std::size_t boundary) {
  const std::size_t past = at_ & (boundary - 1);
  if (past != 0) (void)take_bytes(boundary - past);
}

ByteView NdrReader::take_bytes(std::size_t count) {
  if (remaining() < count) {
    fail(WireFault::Truncated, "stub");
    return {};
  }
  const ByteView part = stub_.subspan(at_, count);
  at_ += count;
  return part;
}

void NdrReader::take_string(std::u16string& value) {
  value.clear();
  const std::uint32_t max_count = take_u32();
  const std::uint32_t offset = take_u32();
  const std::uint32_t actual_count = take_u32();
  if (!ok()) return;
  if (offset != 0 || actual_count > max_count) return fail(WireFault::BadValue, "string counts");
  if (actual_count > remaining() / 2) return fail(WireFault::CountOutOfRange, "string");
  const ByteView part = take_bytes(std::size_t{actual_count} * 2);
  value.resize(actual_count);
  if (!part.empty()) std::memcpy(value.data(), part.data(), part.size());
  if (const auto end = value.find(u'\0'); end != std::u16string::npos) value.resize(end);
}

void NdrReader::run_deferred() {
  // A pointee's own pointees follow it, in front of its siblings.
  std::vector<std::function<void()>> batch = std::move(deferred_);
  deferred_.clear();
  for (const std::function<void()>& pointee : batch) {
    if (!ok()) return;
    ++depth_;
    pointee();
    --depth_;
    if (!deferred_.empty()) run_deferred();
  }
}

void NdrWriter::align(std::size_t boundary) {
  const std::size_t past = (out_.size() - origin_) & (boundary - 1);
  if (past != 0) out_.resize(out_.size() + boundary - past);
}

void NdrWriter::put(const void* data, std::size_t size_bytes) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  out_.insert(out_.end(), from, from + size_bytes);
}

void NdrWriter::put_string(const std::u16string& value) {
  const auto count = static_cast<std::uint32_t>(value.size() + 1);
  put_u32(count);
  put_u32(0);
  put_u32(count);
  put(value.data(), value.size() * 2);
  put("\0", 2);
}

void NdrWriter::run_deferred() {
  std::vector<std::function<void()>> batch = std::move(deferred_);
  deferred_.clear();
  for (const std::function<void()>& pointee : batch) {
    ++depth_;
    pointee();
    --depth_;
    if (!deferred_.empty()) run_deferred();
  }
}

}  // namespace flotilla::wire
