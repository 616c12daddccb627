// The visitors behind codec.hpp: each walks a struct's field list and decodes, encodes, measures,
// prints or generates. Included by the .cpp files of this folder only; raw offsets live here.
//
// A field list is `Fields<T>::visit(v, s)`, which names the fields in wire order:
//   v.struct_size(n)              StructureSize, checked
//   v.field("x", s.x)             integer, enum, id, time or byte array
//   v.reserved(n)                 n bytes: zero on send, ignored on receipt
//   v.offset16(slot), v.length16(slot)   (8, 16, 32) where a variable part is described
//   v.data("x", slot, s.x, ...)   the variable part that offset and length describe
//   v.tail("x", slot, s.x)        the variable part that follows here, with the slot's length
//   v.rest("x", s.x)              everything to the end
//   v.scalars / v.elements        slot.length numbers / structs that follow here
//   v.present(wanted)             whether an optional tail exists (decoder: are there bytes left)
#pragma once

#include "wire/fields_common.hpp"
#include "wire/fields_decoder.hpp"
#include "wire/fields_encoder.hpp"
#include "wire/fields_print.hpp"

namespace flotilla::wire {

template <class T>
Wire<T> decode(ByteView bytes) {
  Decoder d(bytes, Fields<T>::kOrigin);
  T value;
  Fields<T>::visit(d, value);
  if (d.error()) return std::unexpected(*d.error());
  return value;
}
template <class T>
void encode(const T& value, Bytes& out) {
  FLOTILLA_CHECK(out.size() >= Fields<T>::kOrigin);
  BytesSink sink(out);
  Encoder<BytesSink> e(sink, out.size() - Fields<T>::kOrigin);
  Fields<T>::visit(e, value);
  if constexpr (Fields<T>::kPadsOddSize) e.finish();
}
template <class T>
std::size_t encoded_size(const T& value) {
  CountingSink sink;
  sink.zeros(Fields<T>::kOrigin);
  Encoder<CountingSink> e(sink, 0);
  Fields<T>::visit(e, value);
  if constexpr (Fields<T>::kPadsOddSize) e.finish();
  return sink.size() - Fields<T>::kOrigin;
}
template <class T>
std::string print(const T& value) {
  Printer p;
  Fields<T>::visit(p, value);
  return p.take();
}
template <class T>
T generate(ByteView seed) {
  Generator g(seed);
  T value;
  Fields<T>::visit(g, value);
  return value;
}

#define FLOTILLA_WIRE_INSTANTIATE(T)              \
  template Wire<T> decode<T>(ByteView);           \
  template void encode<T>(const T&, Bytes&);      \
  template std::size_t encoded_size<T>(const T&); \
  template std::string print<T>(const T&);        \
  template T generate<T>(ByteView)

}  // namespace flotilla::wire
