// What the wire fuzzers share: decode(encode(x)) == x, both for what was decoded and for what was
// generated from the same bytes. A failed check ends the run with the input.
#pragma once

#include "base/check.hpp"
#include "wire/all_structs.hpp"

namespace flotilla::wire::fuzz {

template <class T>
Bytes whole(const T& value) {
  Bytes out(kBytesInFront<T>);
  encode(value, out);
  FLOTILLA_CHECK(encoded_size(value) == out.size() - kBytesInFront<T>);
  return out;
}

template <class T>
void check_round_trip(const T& value) {
  const Bytes bytes = whole(value);
  const Wire<T> again = decode<T>(bytes);
  FLOTILLA_CHECK(again.has_value());
  FLOTILLA_CHECK(print(*again) == print(value));
  FLOTILLA_CHECK(whole(*again) == bytes);
}

/// `choice` picks the type; the rest is the input, as bytes to decode and as a seed.
template <class List>
void run_one(List list, std::size_t choice, ByteView input) {
  with_type(list, choice % List::kSize, [&]<class T>(std::type_identity<T>) {
    if (const Wire<T> got = decode<T>(input)) {
      check_round_trip(*got);
    } else {
      FLOTILLA_CHECK(got.error().what[0] != '\0');
      (void)status_of(got.error());
    }
    check_round_trip(generate<T>(input));
  });
}

}  // namespace flotilla::wire::fuzz
