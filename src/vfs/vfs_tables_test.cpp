// Tables and formats: errno to NtStatus, names, and Samba's xattrs against bytes that Samba wrote.
#include <gtest/gtest.h>

#include <cerrno>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/samba_xattr.hpp"
#include "vfs/test_support.hpp"

namespace flotilla::vfs {
namespace {

using testing::status_of;

Bytes from_hex(std::string_view hex) {
  Bytes out;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    out.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return out;
}

/// What smbd 4.17.12 with acl_xattr wrote for a file and a directory of uid 5 and gid 60: by this
/// hash it knows that nobody has changed the rights behind the descriptor's back.
TEST(NtAcl, TheSystemAclsHashIsSmbds) {
  constexpr std::size_t kHashAt = 96;
  const Bytes descriptor = from_hex("0100048000000000000000000000000000000000");
  SystemAcl system;
  system.access = from_hex(
      "0200000001000700ffffffff020007000500000004000500ffffffff080005003c00000010000700ffffffff2000"
      "0500ffffffff");
  system.owner = 5;
  system.group = 60;
  system.mode = 0100775;
  const auto hash_in = [&](const Bytes& blob) {
    return Bytes(blob.begin() + kHashAt, blob.begin() + kHashAt + 32);
  };
  EXPECT_EQ(hash_in(encode_nt_acl(descriptor, system, NtTime{1})),
            from_hex("94a2d611489b4f33158591069ad7b90646adfb60e49d8b15e24be2786942704b"));
  system.by_default = system.access;
  system.mode = 040775;
  EXPECT_EQ(hash_in(encode_nt_acl(descriptor, system, NtTime{1})),
            from_hex("167e6d9d6b20e73f07a1612681530c352c201fa64ec269df12f1d62705887ebb"));
}

TEST(NtAcl, CountsOnlyBesideTheRightsThatItWasStoredWith) {
  SystemAcl system;
  system.owner = 5;
  system.mode = 0100644;
  const Bytes blob =
      encode_nt_acl(from_hex("0100048000000000000000000000000000000000"), system, NtTime{1});
  EXPECT_TRUE(nt_acl_is_current(blob, system));
  system.mode = 0100600;
  EXPECT_FALSE(nt_acl_is_current(blob, system));
  EXPECT_TRUE(nt_acl_is_current(from_hex("03000300"), system)) << "another version says nothing";
}

TEST(ErrnoTable, OneRowPerCase) {
  struct Row {
    int error;
    During during;
    NtStatus status;
  };
  const Row rows[] = {
      {ENOENT, During::Name, NtStatus::ObjectNameNotFound},
      {ENOENT, During::Path, NtStatus::ObjectPathNotFound},
      {ENOENT, During::Change, NtStatus::ObjectNameNotFound},
      {ENOTDIR, During::Name, NtStatus::ObjectPathNotFound},
      {ENOTDIR, During::Change, NtStatus::NotADirectory},
      {ELOOP, During::Name, NtStatus::ObjectPathNotFound},
      {EXDEV, During::Name, NtStatus::AccessDenied},
      {EXDEV, During::Change, NtStatus::NotSameDevice},
      {EACCES, During::Name, NtStatus::AccessDenied},
      {EPERM, During::Change, NtStatus::AccessDenied},
      {EEXIST, During::Change, NtStatus::ObjectNameCollision},
      {ENOTEMPTY, During::Change, NtStatus::DirectoryNotEmpty},
      {ENAMETOOLONG, During::Name, NtStatus::ObjectNameInvalid},
      {ENOSPC, During::Data, NtStatus::DiskFull},
      {EDQUOT, During::Data, NtStatus::DiskFull},
      {EROFS, During::Change, NtStatus::MediaWriteProtected},
      {EMFILE, During::Other, NtStatus::TooManyOpenedFiles},
      {ETIMEDOUT, During::Data, NtStatus::IoTimeout},
      {EIO, During::Data, NtStatus::UnexpectedIoError},
      {ESTALE, During::Data, NtStatus::FileClosed},
      {E2BIG, During::Ea, NtStatus::EaTooLarge},
      {ERANGE, During::Ea, NtStatus::EaTooLarge},
      {EOPNOTSUPP, During::Other, NtStatus::NotSupported},
      {12345, During::Other, NtStatus::Unsuccessful},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(nt_status_of(row.error, row.during), row.status) << row.error;
  }
}

TEST(Names, FoldIsOneToOneWithoutLocale) {
  EXPECT_EQ(fold("ABCxyz019.TXT"), "abcxyz019.txt");
  EXPECT_EQ(fold("ÄÖÜ"), "äöü");
  EXPECT_EQ(fold("ΣΣ"), fold("σς"));  // final sigma too
  EXPECT_NE(fold("ß"), fold("ss"));   // no full folding
  EXPECT_NE(fold("ı"), fold("i"));    // dotless i stays itself
  EXPECT_NE(fold("İ"), fold("i"));    // and so does dotted I
  EXPECT_EQ(fold("ДОМ"), "дом");
  EXPECT_EQ(fold("𐐀"), "𐐨");              // outside the basic plane
  EXPECT_NE(fold("é"), fold("e\u0301"));  // no normalisation
  EXPECT_EQ(fold("A\xff\xc3"), "a\xff\xc3");
}

TEST(Names, Utf8IsJudgedStrictly) {
  EXPECT_TRUE(valid_utf8("plain"));
  EXPECT_TRUE(valid_utf8("ß€𐐀"));
  EXPECT_FALSE(valid_utf8("\x80"));
  EXPECT_FALSE(valid_utf8("\xc0\xaf"));          // overlong '/'
  EXPECT_FALSE(valid_utf8("\xed\xa0\x80"));      // a surrogate
  EXPECT_FALSE(valid_utf8("\xf4\x90\x80\x80"));  // past U+10FFFF
  EXPECT_FALSE(valid_utf8("\xe2\x82"));          // cut off
}

TEST(Names, PathsAreCheckedByComponent) {
  EXPECT_TRUE(check_path(""));
  EXPECT_TRUE(check_path("a/b c/...d/..e"));
  EXPECT_EQ(status_of(check_path("a/../b")), NtStatus::ObjectPathSyntaxBad);
  EXPECT_EQ(status_of(check_path("a/.")), NtStatus::ObjectPathSyntaxBad);
  EXPECT_EQ(status_of(check_path(std::string(256, 'x'))), NtStatus::ObjectNameInvalid);
  EXPECT_TRUE(check_path(std::string(255, 'x')));
}

TEST(DosAttrib, VersionFiveIsReadAsSamba417WroteIt) {
  // smbd 4.17.12: put, setmode +rhs, utimes (create 2020-01-02 03:04:05 UTC); getfattr.
  const Bytes golden = from_hex("000005000500000011000000270000008000c44a19c1d501");
  const auto read = decode_dos_attrib(golden);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->attributes,
            kAttributeReadonly | kAttributeHidden | kAttributeSystem | kAttributeArchive);
  EXPECT_EQ(read->created, nt_time_of(1577934245, 0));
  EXPECT_EQ(encode_dos_attrib(*read->attributes, *read->created), golden);
}

TEST(DosAttrib, AChangeTimeIsStoredInTheVersionThatHasOne) {
  const NtTime created = nt_time_of(1577934245, 0);
  const NtTime changed = nt_time_of(1577934246, 0);
  const NtTime at = nt_time_of(1577934247, 0);
  const auto read = decode_dos_attrib(encode_dos_attrib(kAttributeHidden, created, changed, at));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->attributes, kAttributeHidden);
  EXPECT_EQ(read->created, created);
  EXPECT_EQ(read->changed, changed);
  EXPECT_EQ(read->changed_at, at);
}

TEST(DosAttrib, OlderVersionsAreRead) {
  // Packed by Samba 4.17's own NDR (python3-samba, samba.dcerpc.xattr).
  struct Row {
    const char* hex;
    std::uint32_t attributes;
  };
  const Row rows[] = {
      {"30783233000001000100000023000000070000006400000000000000001000000000000080720093"
       "75fdd7018172009375fdd701",
       0x23},
      {"307832320000030003000000110000002200000007000000640000000000000000100000000000008072"
       "009375fdd7018172009375fdd701",
       0x22},
      {"000004000400000051000000210000008572009375fdd7018072009375fdd701", 0x21},
  };
  for (const Row& row : rows) {
    const auto read = decode_dos_attrib(from_hex(row.hex));
    ASSERT_TRUE(read) << row.hex;
    EXPECT_EQ(read->attributes, row.attributes);
    EXPECT_EQ(read->created, NtTime{132853395450000000U});
  }
  const auto text = decode_dos_attrib(as_bytes("0x21"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->attributes, 0x21U);
  EXPECT_FALSE(text->created);
}

TEST(DosAttrib, BrokenBytesAreNoAttributes) {
  EXPECT_FALSE(decode_dos_attrib({}));
  EXPECT_FALSE(decode_dos_attrib(as_bytes("garbage")));
  EXPECT_FALSE(decode_dos_attrib(from_hex("0000090009000000")));
  const Bytes golden = from_hex("000005000500000011000000270000008000c44a19c1d501");
  for (std::size_t size = 0; size < golden.size(); ++size) {
    EXPECT_FALSE(decode_dos_attrib(ByteView(golden).first(size))) << size;
  }
  Bytes other_level = golden;
  other_level[4] = 4;
  EXPECT_FALSE(decode_dos_attrib(other_level));
}

// O:BAG:BU D:(A;;FA;;;BA)(A;;FR;;;WD), packed by python3-samba alone and in each wrapper.
constexpr const char* kSd =
    "0100048014000000240000000000000034000000010200000000000520000000200200000102000000000005"
    "2000000021020000040034000200000000001800ff0100000102000000000005200000002002000000001400"
    "89001200010100000000000100000000";
constexpr const char* kSdTail =
    "0102000000000005200000002002000001020000000000052000000021020000040034000200000000001800"
    "ff01000001020000000000052000000020020000000014008900120001010000000000010000"
    "0000";

std::string repeated(const char* two_digits, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += two_digits;
  return out;
}

TEST(NtAcl, EveryVersionGivesTheSameSelfRelativeDescriptor) {
  const std::string tail = kSdTail;
  const std::string wrapped[] = {
      "0100010000000200"
      "010004801c0000002c000000000000003c000000" +
          tail,
      "020002000000020004000200" + repeated("01", 16) +
          "01000480300000004000000000000000"
          "50000000" +
          tail,
      "0300030000000200040002000100" + repeated("02", 64) + "0000" +
          "01000480640000007400000000000000"
          "84000000" +
          tail,
      "0400040000000200040002000100" + repeated("02", 64) + "706f7369785f61636c00" +
          "8072009375fdd701" + repeated("03", 64) +
          "01000480b4000000c400000000000000"
          "d4000000" +
          tail,
  };
  for (const std::string& hex : wrapped) {
    const auto sd = decode_nt_acl(from_hex(hex));
    ASSERT_TRUE(sd) << hex;
    EXPECT_EQ(*sd, from_hex(kSd));
  }
}

TEST(NtAcl, BrokenBytesAreNoDescriptor) {
  EXPECT_FALSE(decode_nt_acl({}));
  const Bytes whole = from_hex(
      "0100010000000200"
      "010004801c0000002c000000000000003c000000" +
      std::string(kSdTail));
  for (std::size_t size = 0; size < 28; ++size) {
    EXPECT_FALSE(decode_nt_acl(ByteView(whole).first(size))) << size;
  }
  Bytes wild = whole;
  wild[12] = 0xFF;  // the owner's offset points behind the end
  wild[13] = 0xFF;
  EXPECT_FALSE(decode_nt_acl(wild));
}

}  // namespace
}  // namespace flotilla::vfs
