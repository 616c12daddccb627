#include "crypto/preauth.hpp"

#include <openssl/evp.h>

#include <memory>

#include "base/check.hpp"

namespace flotilla::crypto {

void PreauthHash::add(ByteView message) noexcept {
  struct Free {
    void operator()(EVP_MD_CTX* ctx) const noexcept { EVP_MD_CTX_free(ctx); }
  };
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> ctx(EVP_MD_CTX_new());
  FLOTILLA_CHECK(ctx != nullptr);
  unsigned size = 0;
  FLOTILLA_CHECK(EVP_DigestInit_ex(ctx.get(), EVP_sha512(), nullptr) == 1);
  FLOTILLA_CHECK(EVP_DigestUpdate(ctx.get(), value_.data(), value_.size()) == 1);
  FLOTILLA_CHECK(EVP_DigestUpdate(ctx.get(), message.data(), message.size()) == 1);
  FLOTILLA_CHECK(EVP_DigestFinal_ex(ctx.get(), value_.data(), &size) == 1);
}

}  // namespace flotilla::crypto
