// [MS-FSCC]: chains, limits, sizes; Samba's answers decoded.
#include <gtest/gtest.h>

#include "wire/testing/test_vectors.hpp"

namespace flotilla::wire {
namespace {

using Class = FileInformationClass;
using test::find_vector;

template <class Response>
Bytes output_of(const char* name) {
  static const auto kAll = test::load_vectors("smb2_samba_4.17.txt");
  const test::Vector v = find_vector(kAll, name);
  const Wire<Response> got = decode<Response>(v.bytes);
  EXPECT_TRUE(got) << name;
  return got ? Bytes(got->output_buffer.begin(), got->output_buffer.end()) : Bytes{};
}

TEST(WireFscc, SizesAreTheSpecifications) {
  EXPECT_EQ(encoded_size(FileBasicInformation{}), 40U);
  EXPECT_EQ(encoded_size(FileStandardInformation{}), 24U);
  EXPECT_EQ(encoded_size(FileAllInformation{}), 100U);
  EXPECT_EQ(encoded_size(FileNetworkOpenInformation{}), 56U);
  EXPECT_EQ(encoded_size(FileCompressionInformation{}), 16U);
  EXPECT_EQ(encoded_size(FileIdInformation{}), 24U);
  EXPECT_EQ(encoded_size(FilePipeLocalInformation{}), 40U);
  EXPECT_EQ(encoded_size(FileRenameInformation{}), 20U);
  EXPECT_EQ(encoded_size(FileFsVolumeInformation{}), 18U);
  EXPECT_EQ(encoded_size(FileFsSizeInformation{}), 24U);
  EXPECT_EQ(encoded_size(FileFsFullSizeInformation{}), 32U);
  EXPECT_EQ(encoded_size(FileFsDeviceInformation{}), 8U);
  EXPECT_EQ(encoded_size(FileFsAttributeInformation{}), 12U);
  EXPECT_EQ(encoded_size(FileFsControlInformation{}), 48U);
  EXPECT_EQ(encoded_size(FileFsObjectIdInformation{}), 64U);
  EXPECT_EQ(encoded_size(FileFsSectorSizeInformation{}), 28U);
}

TEST(WireFscc, SambasAllInformationNamesItsFile) {
  const auto got =
      decode<FileAllInformation>(output_of<QueryInfoResponse>("QueryInfo.response.1.18"));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->name.file_name, u"\\hello.txt");
  EXPECT_EQ(got->standard.number_of_links, 1U);
  EXPECT_EQ(got->standard.directory, 0);
  EXPECT_EQ(got->standard.end_of_file, 6U);
}

TEST(WireFscc, SambasFileSystemAnswersDecode) {
  EXPECT_EQ(decode<FileFsVolumeInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.1"))
                ->volume_label,
            u"data");
  const auto size =
      decode<FileFsSizeInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.3"));
  EXPECT_EQ(
      size->total_allocation_units * size->sectors_per_allocation_unit * size->bytes_per_sector,
      264212084ULL * 1024);
  EXPECT_EQ(
      decode<FileFsAttributeInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.5"))
          ->file_system_name,
      u"NTFS");
  EXPECT_EQ(decode<FileFsDeviceInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.4"))
                ->device_type,
            device_type::kDisk);
  EXPECT_TRUE(
      decode<FileFsFullSizeInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.7")));
  EXPECT_TRUE(
      decode<FileFsSectorSizeInformation>(output_of<QueryInfoResponse>("QueryInfo.response.2.11")));
}

TEST(WireFscc, SambasDirectoryDecodesAndComesBackAsTheSameBytes) {
  for (const auto& [name, c] :
       {std::pair{"QueryDirectory.response.37", Class::FileIdBothDirectoryInformation},
        std::pair{"QueryDirectory.response.3", Class::FileBothDirectoryInformation},
        std::pair{"QueryDirectory.response.12", Class::FileNamesInformation}}) {
    const Bytes bytes = output_of<QueryDirectoryResponse>(name);
    const auto got = decode_directory(c, bytes);
    ASSERT_TRUE(got) << name << ": " << got.error().what;
    ASSERT_FALSE(got->empty());
    if (c == Class::FileIdBothDirectoryInformation) {
      ASSERT_GE(got->size(), 2U);
      EXPECT_EQ(got->at(0).file_name, u".");
      EXPECT_EQ(got->at(1).file_name, u"..");
    }
    Bytes again;
    DirectoryWriter writer(c, 1 << 20, again);
    for (const DirectoryEntry& entry : *got) ASSERT_TRUE(writer.append(entry));
    EXPECT_EQ(decode_directory(c, again).value(), *got);
    EXPECT_LE(again.size(), bytes.size());  // Samba pads behind the last entry
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      (void)decode_directory(c, Bytes(bytes.begin(), bytes.begin() + static_cast<long>(n)));
    }
  }
}

TEST(WireFscc, DirectoryWriterAlignsAndStopsAtItsLimit) {
  for (const Class c :
       {Class::FileDirectoryInformation, Class::FileFullDirectoryInformation,
        Class::FileBothDirectoryInformation, Class::FileNamesInformation,
        Class::FileIdBothDirectoryInformation, Class::FileIdFullDirectoryInformation,
        Class::FileIdExtdDirectoryInformation, Class::FileIdExtdBothDirectoryInformation}) {
    const std::size_t fixed = directory_entry_fixed_size(c);
    Bytes out(3, 0xEE);  // what is in front belongs to others
    DirectoryEntry entry;
    entry.file_name = u"abc";
    DirectoryWriter exact(c, fixed + 6, out);
    EXPECT_TRUE(exact.append(entry));
    EXPECT_EQ(out.size(), 3 + fixed + 6) << "class " << static_cast<int>(c);
    EXPECT_FALSE(exact.append(entry));
    EXPECT_EQ(out.size(), 3 + fixed + 6);
    EXPECT_EQ(load_le<std::uint32_t>(out.data() + 3), 0U);
    out.clear();
    DirectoryWriter two(c, 2 * (fixed + 16), out);
    EXPECT_TRUE(two.append(entry));
    EXPECT_TRUE(two.append(entry));
    EXPECT_EQ(load_le<std::uint32_t>(out.data()), (fixed + 6 + 7) / 8 * 8);
    EXPECT_EQ(decode_directory(c, out)->size(), 2U);
  }
  EXPECT_FALSE(is_directory_class(Class::FileBasicInformation));
}

TEST(WireFscc, DirectoryChainThatPassesTheEndIsChainBroken) {
  Bytes out;
  DirectoryWriter writer(Class::FileNamesInformation, 1000, out);
  DirectoryEntry entry;
  entry.file_name = u"x";
  ASSERT_TRUE(writer.append(entry));
  store_le(out.data(), std::uint32_t{0x1000});
  EXPECT_EQ(decode_directory(Class::FileNamesInformation, out).error().fault,
            WireFault::ChainBroken);
}

TEST(WireFscc, NotifyThatDoesNotFitWritesNothing) {
  const std::vector<NotifyEntry> entries = {{NotifyAction::Added, u"neu.txt"},
                                            {NotifyAction::RenamedOldName, u"a"},
                                            {NotifyAction::RenamedNewName, u"dir\\b"}};
  Bytes out;
  ASSERT_TRUE(encode_notify(entries, 1000, out));
  EXPECT_EQ(*decode_notify(out), entries);
  const std::size_t size = out.size();
  Bytes small;
  EXPECT_TRUE(encode_notify(entries, size, small));
  small.clear();
  EXPECT_FALSE(encode_notify(entries, size - 1, small));
  EXPECT_TRUE(small.empty());
}

TEST(WireFscc, SambasNotificationDecodes) {
  const auto got = decode_notify(output_of<ChangeNotifyResponse>("ChangeNotify.response"));
  ASSERT_TRUE(got);
  ASSERT_FALSE(got->empty());
  EXPECT_FALSE(got->at(0).file_name.empty());
}

TEST(WireFscc, StreamsAndExtendedAttributesRoundTrip) {
  const std::vector<FileStreamEntry> streams = {{5, 4096, u"::$DATA"}, {1, 2, u":s:$DATA"}};
  Bytes out;
  EXPECT_EQ(encode_streams(streams, 1000, out), 2U);
  EXPECT_EQ(*decode_streams(out), streams);
  Bytes one;
  EXPECT_EQ(encode_streams(streams, out.size() - 1, one), 1U);
  EXPECT_EQ(decode_streams(one)->size(), 1U);

  const std::vector<FileFullEaEntry> eas = {{0, "AUTHOR", {1, 2, 3}}, {0x80, "B", {}}};
  Bytes ea_bytes;
  EXPECT_EQ(encode_full_ea_list(eas, 1000, ea_bytes), 2U);
  EXPECT_EQ(*decode_full_ea_list(ea_bytes), eas);
  Bytes names;
  encode_get_ea_list({"AUTHOR", "B"}, names);
  EXPECT_EQ(*decode_get_ea_list(names), (std::vector<std::string>{"AUTHOR", "B"}));
  Bytes huge;
  EXPECT_EQ(encode_full_ea_list({{0, std::string(256, 'x'), {}}}, 1 << 20, huge), 0U);
}

TEST(WireFscc, EaContextOfSmbtortureDecodes) {
  const auto all = test::load_vectors("smb2_samba_4.17.txt");
  const test::Vector v = find_vector(all, "Create.request.ExtA");
  const auto request = decode<CreateRequest>(v.bytes);
  ASSERT_TRUE(request);
  const CreateContext* context = find_context(request->create_contexts, create_tag::kExtA);
  ASSERT_NE(context, nullptr);
  const auto list = decode_full_ea_list(context->data);
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_FALSE(list->empty());
}

}  // namespace
}  // namespace flotilla::wire
