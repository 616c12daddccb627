#include "vfs/posix/xattr_cache.hpp"

#include <time.h>

namespace flotilla::vfs {

namespace {
/// Linux stamps changes with a clock that advances every 1 to 10 ms.
constexpr std::int64_t kSettleNanoseconds = 50'000'000;
}  // namespace

bool XattrCache::settled(const struct statx& st) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t seconds = now.tv_sec - st.stx_ctime.tv_sec;
  if (seconds > 1) return true;
  return seconds * 1'000'000'000 + now.tv_nsec - static_cast<std::int64_t>(st.stx_ctime.tv_nsec) >
         kSettleNanoseconds;
}

XattrCache::Entry* XattrCache::find(Part& part, const FileKey& key, const struct statx& st) {
  const auto found = part.entries.find(key);
  if (found == part.entries.end()) return nullptr;
  Entry& entry = found->second;
  const bool same = entry.change_seconds == st.stx_ctime.tv_sec &&
                    entry.change_nanoseconds == st.stx_ctime.tv_nsec;
  return same ? &entry : nullptr;
}

XattrCache::Entry& XattrCache::entry(Part& part, const FileKey& key, const struct statx& st) {
  if (Entry* const known = find(part, key, st)) return *known;
  if (part.entries.size() >= kEntriesMax) part.entries.clear();
  Entry& fresh = part.entries[key];
  fresh = Entry{st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec, {}, {}};
  return fresh;
}

std::optional<StoredFacts> XattrCache::facts(const FileKey& key, const struct statx& st) {
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  const Entry* const known = find(part, key, st);
  return known == nullptr ? std::nullopt : known->facts;
}

void XattrCache::keep_facts(const FileKey& key, const struct statx& st, const StoredFacts& facts) {
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  entry(part, key, st).facts = facts;
}

XattrCache::Blob XattrCache::security(const FileKey& key, const struct statx& st) {
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  const Entry* const known = find(part, key, st);
  return known == nullptr ? nullptr : known->security;
}

void XattrCache::keep_security(const FileKey& key, const struct statx& st, ByteView stored) {
  if (stored.size() > kBlobBytesMax) return;
  auto blob = std::make_shared<const Bytes>(stored.begin(), stored.end());
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  entry(part, key, st).security = std::move(blob);
}

}  // namespace flotilla::vfs
