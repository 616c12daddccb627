#include "server/harness.hpp"

#include "crypto/kdf.hpp"
#include "handlers/session_setup.hpp"
#include "wire/utf16.hpp"

namespace flotilla::testing {

namespace {

class TestExchange final : public ports::AuthExchange {
 public:
  Result<ports::AuthStep> step(ByteView buffer) override {
    const std::string text(as_text(buffer));
    ports::AuthStep out;
    if (text == "hello" && !greeted_) {
      greeted_ = true;
      out.reply = Bytes{'c', 'h', 'a', 'l', 'l', 'e', 'n', 'g', 'e'};
      return out;
    }
    auto token = std::make_shared<ports::Token>();
    token->uid = 0;
    token->gid = 0;
    if (text == "anonymous") {
      token->anonymous = true;
    } else if (text == "guest") {
      token->guest = true;
      token->user_name = "guest";
    } else if (text.starts_with("user:")) {
      token->user_name = text.substr(5);
      out.session_key = test_session_key(token->user_name);
    } else {
      return fail(NtStatus::LogonFailure);
    }
    std::uint32_t rid = 1000;
    for (const char c : token->user_name) rid = rid * 31 + static_cast<std::uint8_t>(c);
    token->user_sid = wire::Sid{5, {21, 1, 2, 3, rid}};
    token->domain = "TEST";
    if (token->user_name == "admin") token->group_sids = {wire::well_known::kAdministrators};
    if (token->user_name == "expired") out.expires_unix_seconds = 1'700'000'060;
    out.done = true;
    out.token = std::move(token);
    return out;
  }

 private:
  bool greeted_ = false;
};

class TestIdentity final : public ports::Identity {
 public:
  Bytes negotiate_token() override { return {}; }
  std::unique_ptr<ports::AuthExchange> begin() override { return std::make_unique<TestExchange>(); }
};

class TestEntropy final : public ports::Entropy {
 public:
  void fill(MutableBytes out) noexcept override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(mix64(++count_));
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace

std::shared_ptr<ports::Identity> make_test_identity() { return std::make_shared<TestIdentity>(); }

Bytes test_session_key(std::string_view user) {
  Bytes key(16);
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(user[i % user.size()] + static_cast<int>(i));
  }
  return key;
}

TestNode::TestNode(TestNodeOptions options) {
  handlers::ServerParts parts;
  parts.config.signing = options.signing;
  parts.config.encryption = options.encryption;
  parts.config.torture_fsctls = options.torture_fsctls;
  parts.config.sessions_max = 8;
  parts.config.locks_max = options.locks_max;
  parts.node = NodeId{1};
  pool::EmbeddedOptions engine_options;
  engine_options.tick_interval = std::chrono::milliseconds{0};
  engine_options.limits.break_timeout = options.break_timeout;
  engine_options.store = options.store;
  engine = std::make_shared<PausingEngine>(clock, engine_options);
  engine->restore(options.kept);
  parts.engine = engine;
  parts.identity = make_test_identity();
  parts.clock = std::shared_ptr<ports::Clock>(std::shared_ptr<void>(), &clock);
  parts.entropy = std::make_shared<TestEntropy>();
  auto pool = std::make_shared<runtime::ManualBlockingPool>();
  blocking = pool.get();
  parts.blocking = pool;
  backend =
      options.backend ? options.backend : std::shared_ptr<ports::Backend>(vfs::make_mem_backend());
  const auto add_share = [&](const char* name, bool read_only, std::vector<std::string> users) {
    handlers::Share share;
    share.config.name = name;
    share.config.read_only = read_only;
    share.config.valid_users = std::move(users);
    share.config.continuous_availability = options.continuous_availability && !read_only;
    if (share.config.name == "team") share.config.encryption = options.share_encryption;
    if (share.config.name == "odd") {
      share.config.named_streams = false;
      share.config.snapshots = ".snap/%Y-%m-%d";
    }
    share.backend = backend;
    parts.shares.push_back(share);
  };
  add_share("data", false, {});
  add_share("ro", true, {});
  add_share("team", false, {"alice"});
  add_share("odd", false, {});
  server = std::make_unique<handlers::Server>(std::move(parts));
}

TestNode::~TestNode() {
  run();
  for (runtime::ManualExecutor& shard : shards) shard.drop_timers();  // channels among them
}

void TestNode::run() {
  for (bool busy = true; busy;) {
    busy = false;
    for (auto& shard : shards) busy = shard.run_ready() != 0 || busy;
    busy = blocking->run_ready() != 0 || busy;
  }
}

void TestNode::advance(std::chrono::milliseconds step) {
  clock.now = clock.now + step;
  engine->tick(clock.now);
  for (runtime::ManualExecutor& shard : shards) shard.advance(step);
  run();
}

class TestClient::Sink final : public ports::FrameSink {
 public:
  void send(Bytes frame) override { frames.push_back(std::move(frame)); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept override { return 0; }
  void disconnect(std::string_view why) override {
    if (!reason) reason = std::string(why);
  }
  std::vector<Bytes> frames;
  std::optional<std::string> reason;
};

TestClient::TestClient(TestNode& node, ClientOptions options)
    : node_(node), options_(options), sink_(std::make_shared<Sink>()) {
  facts_.id = ConnectionId{options.guid};
  facts_.dialect = options.dialect;
  facts_.client_guid.bytes[0] = options.guid;
  facts_.server_capabilities = options.dialect >= 0x0210 ? wire::capability::kLeasing : 0U;
  if (options.dialect >= 0x0300) facts_.server_capabilities |= wire::capability::kDirectoryLeasing;
  if (options.large_mtu && options.dialect >= 0x0210) {
    facts_.server_capabilities |= wire::capability::kLargeMtu;
  }
  facts_.posix = options.posix;
  if (options.persistent_handles) {
    facts_.server_capabilities |= wire::capability::kPersistentHandles;
  }
  facts_.signing_algorithm = 2;  // AES-GMAC where the dialect is 3.1.1
  facts_.cipher = options.cipher;
  facts_.preauth_hash.fill(7);
  facts_.peer_address = "10.0.0." + std::to_string(options.guid) + ":1";
  facts_.extra_credits = 100;
  channel_ = node.server->open_channel(facts_, node.shards[options.shard], options.shard, sink_);
}

TestClient::~TestClient() {
  close_connection();
  node_.run();
}

void TestClient::close_connection() {
  if (channel_) channel_->on_closed();
  channel_.reset();
  node_.run();
}

wire::Smb2Header TestClient::next_header(wire::Command command) {
  wire::Smb2Header header;
  header.command = command;
  header.credit_charge = credit_charge;
  header.credits = credit_request;
  header.message_id = MessageId{next_message_};
  next_message_ += std::max<std::uint16_t>(credit_charge, 1);
  header.session_id = session;
  header.tree_id = tree;
  return header;
}

void TestClient::send_raw(Bytes message, bool want_signature) {
  if (want_signature && sign && signer) {
    message[16] |= wire::header_flags::kSigned;
    signer->sign(message);
  }
  if (hashing_) preauth_.add(message);
  deliver(std::move(message));
}

void TestClient::deliver(Bytes frame) {
  if (seal && sealer) {
    wire::TransformHeader header;
    store_le(header.nonce.data(), next_message_);
    header.original_message_size = static_cast<std::uint32_t>(frame.size());
    header.session_id = session;
    Bytes sealed;
    header.encode(sealed);
    sealed.insert(sealed.end(), frame.begin(), frame.end());
    sealer->seal(crypto::TransformHeaderBytes(sealed.data(), wire::kTransformHeaderSize),
                 MutableBytes(sealed).subspan(wire::kTransformHeaderSize));
    frame = std::move(sealed);
  }
  channel_->on_frame(std::move(frame));
  node_.run();
}

void TestClient::send_frames(std::vector<Bytes> messages) {
  Bytes frame;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Bytes& message = messages[i];
    if (i + 1 < messages.size()) {
      message.resize((message.size() + 7) / 8 * 8);
      store_le(message.data() + 20, static_cast<std::uint32_t>(message.size()));
    }
    if (sign && signer) {
      message[16] |= wire::header_flags::kSigned;
      signer->sign(message);
    }
    frame.insert(frame.end(), message.begin(), message.end());
  }
  deliver(std::move(frame));
}

void TestClient::cancel(MessageId id) {
  wire::Smb2Header header = next_header(wire::Command::Cancel);
  --next_message_;
  header.message_id = id;
  Bytes message;
  header.encode(message);
  wire::encode(wire::CancelRequest{}, message);
  send_raw(std::move(message), true);
}

void TestClient::cancel_async(AsyncId id) {
  wire::Smb2Header header = next_header(wire::Command::Cancel);
  --next_message_;
  header.message_id = MessageId{};
  header.flags |= wire::header_flags::kAsyncCommand;
  header.async_id = id;
  Bytes message;
  header.encode(message);
  wire::encode(wire::CancelRequest{}, message);
  send_raw(std::move(message), true);
}

void TestClient::take_frames() {
  for (; frames_taken_ < sink_->frames.size(); ++frames_taken_) {
    Bytes opened(sink_->frames[frames_taken_].begin() + 4, sink_->frames[frames_taken_].end());
    ByteView rest = opened;
    if (wire::kind_of(rest) == wire::PacketKind::Transform) {
      ASSERT_TRUE(opener) << "a sealed answer to a client without keys";
      const MutableBytes body = MutableBytes(opened).subspan(wire::kTransformHeaderSize);
      ASSERT_TRUE(opener->open(
          crypto::TransformHeaderView(opened.data(), wire::kTransformHeaderSize), body));
      rest = body;
      ++sealed_frames;
    }
    while (!rest.empty()) {
      const auto header = wire::Smb2Header::decode(rest);
      ASSERT_TRUE(header);
      const std::size_t size = header->next_command == 0 ? rest.size() : header->next_command;
      const ByteView message = rest.first(size);
      rest = rest.subspan(size);
      Response response{*header, Bytes(message.begin(), message.end()), frames_taken_};
      if (header->message_id.raw() == ~std::uint64_t{0}) {
        EXPECT_FALSE(header->is_signed());
        breaks_.push_back(std::move(response));
        continue;
      }
      if (header->is_signed() && signer && header->nt_status() != NtStatus::UserSessionDeleted) {
        EXPECT_TRUE(signer->verify(message) || (session_signer && session_signer->verify(message)))
            << wire::name_of(header->command);
      }
      credits_granted_last = header->credits;
      if (hashing_ && header->nt_status() == NtStatus::MoreProcessingRequired) {
        preauth_.add(message);
      }
      auto& into = header->nt_status() == NtStatus::Pending ? pendings_ : finals_;
      into.insert_or_assign(header->message_id.raw(), std::move(response));
    }
  }
}

std::optional<Response> TestClient::poll(MessageId id) {
  take_frames();
  const auto found = finals_.find(id.raw());
  if (found == finals_.end()) return std::nullopt;
  return found->second;
}

std::optional<Response> TestClient::poll_pending(MessageId id) {
  take_frames();
  const auto found = pendings_.find(id.raw());
  if (found == pendings_.end()) return std::nullopt;
  return found->second;
}

std::optional<Response> TestClient::poll_break() {
  take_frames();
  if (breaks_.empty()) return std::nullopt;
  Response first = std::move(breaks_.front());
  breaks_.pop_front();
  return first;
}

Response TestClient::wait(MessageId id) {
  const auto response = poll(id);
  EXPECT_TRUE(response) << "no answer to message " << id.raw()
                        << (sink_->reason ? ", disconnected: " + *sink_->reason : "");
  return response.value_or(Response{});
}

bool TestClient::disconnected() const { return sink_->reason.has_value(); }
std::string TestClient::disconnect_reason() const { return sink_->reason.value_or(""); }

NtStatus TestClient::log_in(std::string_view user, SessionId previous, std::uint8_t mode) {
  const bool fresh = session.raw() == 0;
  const std::string who = "user:" + std::string(user);
  if (fresh) {
    hashing_ = true;
    preauth_ = crypto::PreauthHash(facts_.preauth_hash);
  }
  wire::SessionSetupRequest request;
  request.security_mode = mode;
  request.previous_session_id = previous;
  request.security_buffer = as_bytes("hello");
  const Response first = call(wire::Command::SessionSetup, request);
  if (first.status() != NtStatus::MoreProcessingRequired) return first.status();
  session = first.header.session_id;
  const bool known = user == "anonymous" || user == "guest";
  request.security_buffer = as_bytes(known ? user : std::string_view(who));
  const MessageId id = send(wire::Command::SessionSetup, request);
  hashing_ = false;
  if (fresh && !known) {
    const auto keys = crypto::derive_session_keys(handlers::key_schedule_of(facts_.dialect),
                                                  test_session_key(user), preauth_.value(),
                                                  static_cast<crypto::Cipher>(facts_.cipher));
    signer =
        std::make_unique<crypto::Signer>(handlers::signing_algorithm_of(facts_), keys.signing_key);
    signing_key = keys.signing_key;
    if (facts_.cipher != 0) {
      const auto cipher = static_cast<crypto::Cipher>(facts_.cipher);
      sealer = std::make_unique<crypto::Sealer>(cipher, keys.server_in());
      opener = std::make_unique<crypto::Sealer>(cipher, keys.server_out());
    }
  }
  const Response second = wait(id);
  if (second.status() != NtStatus::Success) {
    signer.reset();
    session = {};
  } else if (fresh && !known) {
    EXPECT_TRUE(second.header.is_signed()) << "the final SESSION_SETUP response is signed";
  }
  return second.status();
}

NtStatus TestClient::bind(TestClient& first, std::string_view user) {
  session = first.session;
  tree = first.tree;
  hashing_ = true;
  preauth_ = crypto::PreauthHash(facts_.preauth_hash);
  signing_key = first.signing_key;
  signer = std::make_unique<crypto::Signer>(first.signer->algorithm(), signing_key);
  wire::SessionSetupRequest request;
  request.flags = wire::session_request_flags::kBinding;
  request.security_mode = 1;
  request.security_buffer = as_bytes("hello");
  const Response leg = call(wire::Command::SessionSetup, request);
  if (leg.status() != NtStatus::MoreProcessingRequired) return leg.status();
  EXPECT_TRUE(leg.header.is_signed()) << "with the session's key";
  const std::string who = "user:" + std::string(user);
  request.security_buffer = as_bytes(who);
  const MessageId id = send(wire::Command::SessionSetup, request);
  hashing_ = false;
  session_signer = std::move(signer);
  signing_key =
      crypto::derive_signing_key(handlers::key_schedule_of(facts_.dialect),
                                 crypto::session_key_of(test_session_key(user)), preauth_.value());
  signer = std::make_unique<crypto::Signer>(handlers::signing_algorithm_of(facts_), signing_key);
  return wait(id).status();
}

Response TestClient::tree_connect(std::u16string path) {
  wire::TreeConnectRequest request;
  request.path = std::move(path);
  const Response response = call(wire::Command::TreeConnect, request);
  if (response.status() == NtStatus::Success) tree = response.header.tree_id;
  return response;
}

void TestClient::connect(std::string_view user, std::u16string share) {
  ASSERT_EQ(log_in(user), NtStatus::Success);
  ASSERT_EQ(tree_connect(u"\\\\server\\" + share).status(), NtStatus::Success);
}

Response TestClient::open(const OpenArgs& args) { return wait(send_open(args)); }

namespace {
wire::CreateRequest create_of(const OpenArgs& args) {
  wire::CreateRequest request;
  request.name = args.name;
  request.create_disposition = args.disposition;
  request.desired_access = args.access;
  request.share_access = args.share;
  request.create_options = args.options;
  request.requested_oplock_level = args.oplock;
  request.file_attributes = args.attributes;
  request.create_contexts = args.contexts;
  return request;
}
}  // namespace

MessageId TestClient::send_open(const OpenArgs& args) {
  return send(wire::Command::Create, create_of(args));
}

Response TestClient::replay(const OpenArgs& args) {
  Bytes message;
  wire::Smb2Header header = prepare(wire::Command::Create, create_of(args), message);
  header.flags |= wire::header_flags::kReplayOperation;
  header.encode_at(std::span<std::uint8_t, 64>(message.data(), 64));
  send_raw(std::move(message), true);
  return wait(header.message_id);
}

FileId TestClient::must_open(const OpenArgs& args) {
  const Response response = open(args);
  EXPECT_EQ(response.status(), NtStatus::Success) << name_of(response.status());
  if (response.status() != NtStatus::Success) return {};
  return response.as<wire::CreateResponse>().file_id;
}

NtStatus TestClient::close(const FileId& id) {
  wire::CloseRequest request;
  request.file_id = id;
  return call(wire::Command::Close, request).status();
}

}  // namespace flotilla::testing
