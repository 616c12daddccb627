// Chained lists: directory entries, change notifications, streams, extended attributes.
#include "wire/fscc_directory.hpp"

#include <algorithm>

#include "wire/fields.hpp"
#include "wire/fscc_file.hpp"
#include "wire/posix.hpp"

namespace flotilla::wire {
namespace {

using Class = FileInformationClass;

bool has_short_name(Class c) noexcept {
  return c == Class::FileBothDirectoryInformation || c == Class::FileIdBothDirectoryInformation ||
         c == Class::FileIdExtdBothDirectoryInformation;
}
bool is_extended(Class c) noexcept {
  return c == Class::FileIdExtdDirectoryInformation ||
         c == Class::FileIdExtdBothDirectoryInformation;
}

/// The fields behind NextEntryOffset, as `c` selects them.
void visit_entry(auto& v, auto& s, Class c) {
  Slot name;
  v.field("file_index", s.file_index);
  if (c == Class::FileNamesInformation) {
    v.length32(name);
    v.tail("file_name", name, s.file_name);
    return;
  }
  v.field("creation_time", s.creation_time);
  v.field("last_access_time", s.last_access_time);
  v.field("last_write_time", s.last_write_time);
  v.field("change_time", s.change_time);
  v.field("end_of_file", s.end_of_file);
  v.field("allocation_size", s.allocation_size);
  v.field("file_attributes", s.file_attributes);
  v.length32(name);
  if (c != Class::FileDirectoryInformation) v.field("ea_size", s.ea_size);
  if (is_extended(c)) {
    v.field("reparse_tag", s.reparse_tag);
    v.field("file_id_128", s.file_id_128);
  }
  if (has_short_name(c)) {
    Slot short_name;
    v.length8(short_name);
    v.reserved(1);
    v.fixed_text("short_name", short_name, s.short_name, 24);
  }
  if (c == Class::FileIdBothDirectoryInformation) v.reserved(2);
  if (c == Class::FileIdFullDirectoryInformation) v.reserved(4);
  if (c == Class::FileIdBothDirectoryInformation || c == Class::FileIdFullDirectoryInformation) {
    v.field("file_id", s.file_id);
  }
  v.tail("file_name", name, s.file_name);
}

/// Without the owner and the group, of which the shortest has 8 bytes, and without the name.
constexpr std::size_t kPosixEntryBytesMin = 92 + 2 * 8 + 4;

constexpr std::size_t aligned(std::size_t at, std::size_t alignment) noexcept {
  return (at + alignment - 1) & ~(alignment - 1);
}

/// Appends as many of `list` as fit into `limit_bytes`, chained; returns how many.
template <class T>
std::size_t encode_bounded(const std::vector<T>& list, std::size_t limit_bytes, Bytes& out) {
  const std::size_t begin = out.size();
  std::size_t last = 0;
  BytesSink sink(out);
  for (std::size_t i = 0; i < list.size(); ++i) {
    CountingSink count;
    Encoder<CountingSink> measure(count, 0);
    Fields<T>::visit(measure, list[i]);
    const std::size_t at = aligned(out.size() - begin, Fields<T>::kAlignment);
    if (at + 4 + count.size() > limit_bytes) return i;
    sink.zeros(begin + at - out.size());
    if (i != 0) sink.patch(last, out.size() - last, 4);
    last = out.size();
    sink.zeros(4);
    Encoder<BytesSink> e(sink, last);
    Fields<T>::visit(e, list[i]);
  }
  return list.size();
}

template <class T>
Wire<std::vector<T>> decode_chain(ByteView bytes) {
  std::vector<T> list;
  if (auto error = Decoder::read_chain(bytes, list)) return std::unexpected(*error);
  return list;
}

struct GetEaEntry {
  std::string ea_name;
};

}  // namespace

template <>
struct Fields<NotifyEntry> : PayloadLayout {  // behind NextEntryOffset, as are the next three
  static constexpr std::size_t kAlignment = 4;
  static constexpr std::size_t kCountMax = 65536;
  static void visit(auto& v, auto& s) {
    Slot name;
    v.field("action", s.action);
    v.length32(name);
    v.tail("file_name", name, s.file_name);
  }
};

template <>
struct Fields<FileStreamEntry> : PayloadLayout {
  static constexpr std::size_t kAlignment = 8;
  static constexpr std::size_t kCountMax = 65536;
  static void visit(auto& v, auto& s) {
    Slot name;
    v.length32(name);
    v.field("stream_size", s.stream_size);
    v.field("stream_allocation_size", s.stream_allocation_size);
    v.tail("stream_name", name, s.stream_name);
  }
};

template <>
struct Fields<FileFullEaEntry> : PayloadLayout {
  static constexpr std::size_t kAlignment = 4;
  static constexpr std::size_t kCountMax = 4096;
  static void visit(auto& v, auto& s) {
    Slot name;
    Slot value;
    v.field("flags", s.flags);
    v.length8(name);
    v.length16(value);
    v.tail("ea_name", name, s.ea_name);
    v.reserved(1);  // NUL
    v.tail("ea_value", value, s.ea_value);
  }
};

template <>
struct Fields<GetEaEntry> : PayloadLayout {
  static constexpr std::size_t kAlignment = 4;
  static constexpr std::size_t kCountMax = 4096;
  static void visit(auto& v, auto& s) {
    Slot name;
    v.length8(name);
    v.tail("ea_name", name, s.ea_name);
    v.reserved(1);  // NUL
  }
};

bool is_directory_class(Class c) noexcept { return directory_entry_fixed_size(c) != 0; }

std::size_t directory_entry_fixed_size(Class c) noexcept {
  switch (c) {
    case Class::FileDirectoryInformation:
      return 64;
    case Class::FileFullDirectoryInformation:
      return 68;
    case Class::FileBothDirectoryInformation:
      return 94;
    case Class::FileNamesInformation:
      return 12;
    case Class::FileIdBothDirectoryInformation:
      return 104;
    case Class::FileIdFullDirectoryInformation:
      return 80;
    case Class::FileIdExtdDirectoryInformation:
      return 88;
    case Class::FileIdExtdBothDirectoryInformation:
      return 114;
    case Class::FilePosixInformation:
      return kPosixEntryBytesMin;
    default:
      return 0;
  }
}

bool DirectoryWriter::append_posix(const DirectoryEntry& entry) {
  Bytes body;
  ByteWriter writer(body);
  writer.u32(0);  // NextEntryOffset
  writer.u32(0);
  encode_posix_information(entry, entry.posix, body);
  writer.u32(static_cast<std::uint32_t>(2 * entry.file_name.size()));
  for (const char16_t unit : entry.file_name) writer.u16(unit);
  const std::size_t at = aligned(out_.size() - begin_, 8);
  if (at + body.size() > limit_bytes_) return false;
  out_.resize(begin_ + at);
  if (count_ != 0) store_le(out_.data() + last_, static_cast<std::uint32_t>(out_.size() - last_));
  last_ = out_.size();
  out_.insert(out_.end(), body.begin(), body.end());
  ++count_;
  return true;
}

bool DirectoryWriter::append(const DirectoryEntry& entry) {
  if (class_ == Class::FilePosixInformation) return append_posix(entry);
  const std::size_t fixed = directory_entry_fixed_size(class_);
  if (fixed == 0) return false;
  const std::size_t at = aligned(out_.size() - begin_, 8);
  if (at + fixed + entry.file_name.size() * 2 > limit_bytes_) return false;
  BytesSink sink(out_);
  sink.zeros(begin_ + at - out_.size());
  if (count_ != 0) sink.patch(last_, out_.size() - last_, 4);
  last_ = out_.size();
  sink.zeros(4);
  Encoder<BytesSink> e(sink, last_);
  visit_entry(e, entry, class_);
  ++count_;
  return true;
}

void DirectoryWriter::overlay(const MacListing& listing) noexcept {
  constexpr std::size_t kEaSizeAt = 64;  // [MS-FSCC] 2.4.22 FileIdBothDirectoryInformation
  constexpr std::size_t kShortNameLengthAt = 68;
  constexpr std::size_t kShortNameAt = 70;
  if (count_ == 0 || class_ != Class::FileIdBothDirectoryInformation) return;
  std::uint8_t* const entry = out_.data() + last_;
  store_le(entry + kEaSizeAt, listing.maximal_access);
  store_le(entry + kShortNameLengthAt, std::uint16_t{24});
  store_le(entry + kShortNameAt, listing.resource_fork_bytes);
  std::ranges::copy(listing.finder_info, entry + kShortNameAt + 8);
}

Wire<std::vector<DirectoryEntry>> decode_directory(Class c, ByteView bytes) {
  if (!is_directory_class(c) || c == Class::FilePosixInformation) {
    return std::unexpected(WireError{WireFault::BadValue, 0, "file_information_class"});
  }
  std::vector<DirectoryEntry> list;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 4) {
      return std::unexpected(WireError{WireFault::Truncated, at, "next_entry_offset"});
    }
    const std::size_t next = load_le<std::uint32_t>(bytes.data() + at);
    if (next != 0 && (next % 8 != 0 || next > bytes.size() - at)) {
      return std::unexpected(WireError{WireFault::ChainBroken, at, "next_entry_offset"});
    }
    Decoder d(bytes.subspan(at, next != 0 ? next : bytes.size() - at), 4);
    visit_entry(d, list.emplace_back(), c);
    if (d.error()) {
      WireError error = *d.error();
      error.offset += at;
      return std::unexpected(error);
    }
    if (next == 0) break;
    at += next;
  }
  return list;
}

bool encode_notify(const std::vector<NotifyEntry>& entries, std::size_t limit_bytes, Bytes& out) {
  const std::size_t begin = out.size();
  if (encode_bounded(entries, limit_bytes, out) == entries.size()) return true;
  out.resize(begin);
  return false;
}
Wire<std::vector<NotifyEntry>> decode_notify(ByteView bytes) {
  return decode_chain<NotifyEntry>(bytes);
}

std::size_t encode_streams(const std::vector<FileStreamEntry>& streams, std::size_t limit_bytes,
                           Bytes& out) {
  return encode_bounded(streams, limit_bytes, out);
}
Wire<std::vector<FileStreamEntry>> decode_streams(ByteView bytes) {
  return decode_chain<FileStreamEntry>(bytes);
}

std::size_t encode_full_ea_list(const std::vector<FileFullEaEntry>& list, std::size_t limit_bytes,
                                Bytes& out) {
  // A name past 255 or a value past 65535 bytes has no place on the wire: the list ends there.
  std::size_t usable = 0;
  while (usable < list.size() && list[usable].ea_name.size() <= 0xFF &&
         list[usable].ea_value.size() <= 0xFFFF) {
    ++usable;
  }
  if (usable == list.size()) return encode_bounded(list, limit_bytes, out);
  const auto end = list.begin() + static_cast<std::ptrdiff_t>(usable);
  return encode_bounded(std::vector<FileFullEaEntry>(list.begin(), end), limit_bytes, out);
}
Wire<std::vector<FileFullEaEntry>> decode_full_ea_list(ByteView bytes) {
  return decode_chain<FileFullEaEntry>(bytes);
}

Wire<std::vector<std::string>> decode_get_ea_list(ByteView bytes) {
  auto list = decode_chain<GetEaEntry>(bytes);
  if (!list) return std::unexpected(list.error());
  std::vector<std::string> names;
  names.reserve(list->size());
  for (GetEaEntry& entry : *list) names.push_back(std::move(entry.ea_name));
  return names;
}
void encode_get_ea_list(const std::vector<std::string>& names, Bytes& out) {
  std::vector<GetEaEntry> list;
  list.reserve(names.size());
  for (const std::string& name : names) list.push_back({name});
  BytesSink sink(out);
  Encoder<BytesSink>::write_chain(sink, list);
}

}  // namespace flotilla::wire
