// [MS-FSCC] classes and chains, SIDs, security descriptors, text: the first byte picks.
#include "wire/quota.hpp"
#include "wire/security_descriptor.hpp"
#include "wire/utf16.hpp"
#include "wire_fuzz_common.hpp"

using namespace flotilla;
using namespace flotilla::wire;

namespace {

void directory(std::size_t choice, ByteView input) {
  using Class = FileInformationClass;
  static constexpr Class kClasses[] = {
      Class::FileDirectoryInformation,       Class::FileFullDirectoryInformation,
      Class::FileBothDirectoryInformation,   Class::FileNamesInformation,
      Class::FileIdBothDirectoryInformation, Class::FileIdFullDirectoryInformation,
      Class::FileIdExtdDirectoryInformation, Class::FileIdExtdBothDirectoryInformation};
  const Class c = kClasses[choice % std::size(kClasses)];
  const auto list = decode_directory(c, input);
  if (!list) return;
  Bytes again;
  DirectoryWriter writer(c, std::size_t{1} << 24, again);
  for (const DirectoryEntry& entry : *list) FLOTILLA_CHECK(writer.append(entry));
  FLOTILLA_CHECK(decode_directory(c, again).value() == *list);
}

void chains(std::size_t choice, ByteView input) {
  constexpr std::size_t kNoLimit = std::size_t{1} << 24;
  Bytes again;
  switch (choice % 6) {
    case 4:
      if (const auto list = decode_quotas(input)) {
        FLOTILLA_CHECK(encode_quotas(*list, kNoLimit, again) == list->size());
        FLOTILLA_CHECK(decode_quotas(again).value() == *list);
      }
      return;
    case 5:
      if (const auto query = decode_query_quota(input)) {
        encode_query_quota(*query, again);
        FLOTILLA_CHECK(decode_query_quota(again).value() == *query);
      }
      return;
    case 0:
      if (const auto list = decode_notify(input)) {
        FLOTILLA_CHECK(encode_notify(*list, kNoLimit, again));
        FLOTILLA_CHECK(decode_notify(again).value() == *list);
      }
      return;
    case 1:
      if (const auto list = decode_streams(input)) {
        FLOTILLA_CHECK(encode_streams(*list, kNoLimit, again) == list->size());
        FLOTILLA_CHECK(decode_streams(again).value() == *list);
      }
      return;
    case 2:
      if (const auto list = decode_full_ea_list(input)) {
        FLOTILLA_CHECK(encode_full_ea_list(*list, kNoLimit, again) == list->size());
        FLOTILLA_CHECK(decode_full_ea_list(again).value() == *list);
      }
      return;
    default:
      if (const auto list = decode_get_ea_list(input)) {
        encode_get_ea_list(*list, again);
        FLOTILLA_CHECK(decode_get_ea_list(again).value() == *list);
      }
  }
}

void identities(std::size_t choice, ByteView input) {
  Bytes again;
  switch (choice % 4) {
    case 0:
      if (const auto sid = Sid::decode(input)) {
        sid->encode(again);
        FLOTILLA_CHECK(Sid::decode(again).value() == *sid);
        FLOTILLA_CHECK(Sid::parse(sid->to_string()).value() == *sid);
      }
      return;
    case 1:
      if (const auto sid = Sid::parse(as_text(input))) {
        FLOTILLA_CHECK(Sid::parse(sid->to_string()).value() == *sid);
      }
      return;
    case 2:
      if (const auto sd = SecurityDescriptor::decode(input)) {
        sd->encode(again);
        FLOTILLA_CHECK(SecurityDescriptor::decode(again).value() == *sd);
      }
      return;
    default:
      if (const auto units = utf16_of(as_text(input))) {
        FLOTILLA_CHECK(as_bytes(utf8_of(*units).value()).size() == input.size());
      }
      if (const auto units = utf16_of_bytes(input)) {
        (void)printable(*units);
        if (const auto text = utf8_of(*units)) FLOTILLA_CHECK(utf16_of(*text).value() == *units);
      }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t choice = data[0];
  const ByteView input(data + 1, size - 1);
  switch (choice % 4) {
    case 0:
      fuzz::run_one(FsccTypes{}, choice / 4, input);
      break;
    case 1:
      directory(choice / 4, input);
      break;
    case 2:
      chains(choice / 4, input);
      break;
    default:
      identities(choice / 4, input);
  }
  return 0;
}
