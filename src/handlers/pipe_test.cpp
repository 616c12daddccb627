// Pipes of IPC$ as messages.
#include "handlers/pipe.hpp"

#include <gtest/gtest.h>

#include "runtime/executor.hpp"
#include "wire/dcerpc.hpp"

namespace flotilla::handlers {
namespace {

Bytes bind_pdu() {
  wire::RpcBind bind;
  bind.contexts.push_back(
      {0, {wire::uuid_of("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0}, {wire::ndr20_syntax()}});
  wire::RpcHeader header;
  header.ptype = wire::RpcPacketType::Bind;
  header.call_id = 1;
  Bytes pdu;
  wire::encode_rpc_pdu(header, bind, pdu);
  return pdu;
}

class PipeMessages : public ::testing::Test {
 protected:
  PipeMessages() {
    rpc::PipeContext context;
    context.config = &config_;
    auto pipe = Pipe::open("\\PIPE\\SrvSvc", context);
    EXPECT_TRUE(pipe);
    pipe_ = std::move(*pipe);
  }
  ports::ServerConfig config_;
  std::unique_ptr<Pipe> pipe_;
};

TEST_F(PipeMessages, AnEmptyPipeIsPending) {
  EXPECT_EQ(pipe_->read(100).error(), NtStatus::Pending);
  EXPECT_FALSE(pipe_->has_data());
  EXPECT_EQ(pipe_->name(), "srvsvc");
}

TEST_F(PipeMessages, AMessageComesInPiecesOfTheReadersSize) {
  ASSERT_TRUE(pipe_->write(bind_pdu()));
  const std::size_t whole = pipe_->first_message_bytes();
  ASSERT_GT(whole, 20U);
  EXPECT_EQ(pipe_->peek(4).size(), 4U);
  const auto first = pipe_->read(20);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data.size(), 20U);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(pipe_->data_bytes(), whole - 20);
  const auto rest = pipe_->read(1000);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->data.size(), whole - 20);
  EXPECT_FALSE(rest->more);
  EXPECT_FALSE(pipe_->has_data());
}

TEST_F(PipeMessages, TransceiveWithUnreadDataIsPipeBusy) {
  ASSERT_TRUE(pipe_->write(bind_pdu()));
  EXPECT_EQ(pipe_->transceive(bind_pdu(), 4096).error(), NtStatus::PipeBusy);
}

TEST_F(PipeMessages, AReaderIsWokenByTheNextMessageAndByTheEnd) {
  const Pipe::Readable first = pipe_->readable();
  EXPECT_FALSE(first->is_set());
  ASSERT_TRUE(pipe_->write(bind_pdu()));
  EXPECT_TRUE(first->is_set());
  ASSERT_TRUE(pipe_->read(4096));
  const Pipe::Readable second = pipe_->readable();
  pipe_.reset();
  EXPECT_TRUE(second->is_set());
}

TEST_F(PipeMessages, BytesThatAreNoRpcDisconnectThePipe) {
  ASSERT_TRUE(pipe_->write(Bytes(64, 0x55)));
  EXPECT_EQ(pipe_->write(bind_pdu()).error(), NtStatus::PipeDisconnected);
  EXPECT_EQ(pipe_->read(100).error(), NtStatus::PipeDisconnected);
}

TEST(PipeNames, UnknownIsObjectNameNotFound) {
  EXPECT_EQ(Pipe::open("nosuchpipe", {}).error(), NtStatus::ObjectNameNotFound);
}

}  // namespace
}  // namespace flotilla::handlers
