// Messages of another implementation (Samba 4.17.12) through our decoders and back.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "wire/security_descriptor.hpp"
#include "wire/testing/test_vectors.hpp"

namespace flotilla::wire {
namespace {

using test::find_vector;
using test::load_vectors;
using test::Vector;

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = load_vectors("smb2_samba_4.17.txt");
  return all;
}

int same_bytes = 0;

template <class T>
void check(const Vector& v) {
  SCOPED_TRACE(v.name);
  const Wire<Smb2Header> header = Smb2Header::decode(v.bytes);
  ASSERT_TRUE(header);
  const Wire<T> body = decode<T>(v.bytes);
  ASSERT_TRUE(body) << body.error().what << " at " << body.error().offset;
  Bytes again;
  header->encode(again);
  encode(*body, again);
  EXPECT_EQ(encoded_size(*body), again.size() - kSmb2HeaderSize);
  const Wire<T> second = decode<T>(again);
  ASSERT_TRUE(second) << second.error().what << " at " << second.error().offset;
  EXPECT_EQ(print(*second), print(*body));
  same_bytes += again == v.bytes ? 1 : 0;
  if (std::getenv("WIRE_GOLDEN_PRINT") != nullptr) {
    Bytes cut = v.bytes;
    cut.resize(std::min(cut.size(), again.size()));
    std::printf("%s %s\n   %s\n",
                again == v.bytes ? "=="
                : again == cut   ? "=<"
                                 : "!=",
                v.name.c_str(), print(*body).c_str());
  }
  test::expect_prefixes_are_safe<T>(v.bytes);
  test::expect_wild_words_are_safe<T>(v.bytes);
}

using Checks = std::map<std::string, std::function<void(const Vector&)>, std::less<>>;
const Checks& checks() {
  static const Checks kAll = {
      {"Negotiate.request", check<NegotiateRequest>},
      {"Negotiate.response", check<NegotiateResponse>},
      {"SessionSetup.request", check<SessionSetupRequest>},
      {"SessionSetup.response", check<SessionSetupResponse>},
      {"Logoff.request", check<LogoffRequest>},
      {"Logoff.response", check<LogoffResponse>},
      {"TreeConnect.request", check<TreeConnectRequest>},
      {"TreeConnect.response", check<TreeConnectResponse>},
      {"TreeDisconnect.request", check<TreeDisconnectRequest>},
      {"TreeDisconnect.response", check<TreeDisconnectResponse>},
      {"Create.request", check<CreateRequest>},
      {"Create.response", check<CreateResponse>},
      {"Close.request", check<CloseRequest>},
      {"Close.response", check<CloseResponse>},
      {"Read.request", check<ReadRequest>},
      {"Read.response", check<ReadResponse>},
      {"Write.request", check<WriteRequest>},
      {"Write.response", check<WriteResponse>},
      {"Lock.request", check<LockRequest>},
      {"Lock.response", check<LockResponse>},
      {"Ioctl.request", check<IoctlRequest>},
      {"Ioctl.response", check<IoctlResponse>},
      {"Cancel.request", check<CancelRequest>},
      {"QueryDirectory.request", check<QueryDirectoryRequest>},
      {"QueryDirectory.response", check<QueryDirectoryResponse>},
      {"ChangeNotify.request", check<ChangeNotifyRequest>},
      {"ChangeNotify.response", check<ChangeNotifyResponse>},
      {"QueryInfo.request", check<QueryInfoRequest>},
      {"QueryInfo.response", check<QueryInfoResponse>},
      {"SetInfo.request", check<SetInfoRequest>},
      {"SetInfo.response", check<SetInfoResponse>},
      {"OplockBreak.notification.lease", check<LeaseBreakNotification>},
      {"OplockBreak.request.lease", check<LeaseBreak>},
      {"OplockBreak.response.lease", check<LeaseBreak>},
      {"OplockBreak.notification.oplock", check<OplockBreak>},
      {"OplockBreak.request.oplock", check<OplockBreak>},
      {"OplockBreak.response.oplock", check<OplockBreak>},
  };
  return kAll;
}

TEST(WireGolden, EveryMessageOfSambaDecodesAndComesBackTheSame) {
  int known = 0;
  for (const Vector& v : vectors()) {
    if (v.name.find(".error.") != std::string::npos) {
      check<ErrorResponse>(v);
      ++known;
      continue;
    }
    std::string key = v.name;
    while (!checks().contains(key) && key.rfind('.') != std::string::npos) {
      key.resize(key.rfind('.'));
    }
    if (const auto found = checks().find(key); found != checks().end()) {
      found->second(v);
      ++known;
    }
  }
  EXPECT_GE(known, 120);
  // The others differ in what has no meaning: the offset of an empty part, a reserved byte.
  EXPECT_GE(same_bytes, 117);
}

}  // namespace
}  // namespace flotilla::wire
