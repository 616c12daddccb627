#include "auth/spnego/tokens.hpp"

#include "auth/spnego/der.hpp"

namespace flotilla::auth::spnego {

namespace {

constexpr std::size_t kMechTypesMax = 32;

Bytes encode_mech_types(std::span<const ByteView> mech_types) {
  Bytes list;
  for (const ByteView mech : mech_types) der::append(list, der::wrap(der::kOid, mech));
  return der::wrap(der::context(0), der::wrap(der::kSequence, list));
}

Bytes wrap_initial(ByteView fields) {
  Bytes inner = der::wrap(der::kOid, oid::kSpnego);
  der::append(inner, der::wrap(der::context(0), der::wrap(der::kSequence, fields)));
  return der::wrap(der::kApplication0, inner);
}

}  // namespace

std::optional<InitialContextToken> decode_initial(ByteView token) {
  const auto body = der::unwrap(token, der::kApplication0);
  if (!body) return std::nullopt;
  der::Reader reader(*body);
  const auto mechanism = reader.next();
  if (!mechanism || mechanism->tag != der::kOid) return std::nullopt;
  return InitialContextToken{mechanism->value, body->subspan(mechanism->whole.size())};
}

std::optional<NegTokenInit> decode_init(ByteView inner) {
  const auto choice = der::unwrap(inner, der::context(0));
  if (!choice) return std::nullopt;
  const auto fields = der::unwrap(*choice, der::kSequence);
  if (!fields) return std::nullopt;
  NegTokenInit out;
  der::Reader reader(*fields);
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return std::nullopt;
    if (field->tag == der::context(0)) {
      der::Reader list_reader(field->value);
      const auto list = list_reader.next();
      if (!list || list->tag != der::kSequence) return std::nullopt;
      out.mech_type_list = list->whole;
      der::Reader mechs(list->value);
      while (!mechs.at_end()) {
        const auto mech = mechs.next(der::kOid);
        if (!mech || out.mech_types.size() == kMechTypesMax) return std::nullopt;
        out.mech_types.push_back(*mech);
      }
    } else if (field->tag == der::context(2)) {
      out.mech_token = der::unwrap(field->value, der::kOctetString);
      if (!out.mech_token) return std::nullopt;
    } else if (field->tag == der::context(3) || field->tag == der::context(4)) {
      // [3] is mechListMIC, in NegTokenInit2 negHints, whose mechListMIC is [4].
      if (const auto mic = der::unwrap(field->value, der::kOctetString)) out.mech_list_mic = mic;
    }
  }
  return out;
}

std::optional<NegTokenResp> decode_response(ByteView token) {
  const auto choice = der::unwrap(token, der::context(1));
  if (!choice) return std::nullopt;
  const auto fields = der::unwrap(*choice, der::kSequence);
  if (!fields) return std::nullopt;
  NegTokenResp out;
  der::Reader reader(*fields);
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return std::nullopt;
    if (field->tag == der::context(0)) {
      const auto state = der::unwrap(field->value, der::kEnumerated);
      if (!state || state->size() != 1 || (*state)[0] > 3) return std::nullopt;
      out.neg_state = static_cast<NegState>((*state)[0]);
    } else if (field->tag == der::context(1)) {
      out.supported_mech = der::unwrap(field->value, der::kOid);
      if (!out.supported_mech) return std::nullopt;
    } else if (field->tag == der::context(2)) {
      out.response_token = der::unwrap(field->value, der::kOctetString);
      if (!out.response_token) return std::nullopt;
    } else if (field->tag == der::context(3)) {
      out.mech_list_mic = der::unwrap(field->value, der::kOctetString);
      if (!out.mech_list_mic) return std::nullopt;
    }
  }
  return out;
}

Bytes encode_init2(std::span<const ByteView> mech_types) {
  Bytes fields = encode_mech_types(mech_types);
  const Bytes hint =
      der::wrap(der::kGeneralString, as_bytes("not_defined_in_RFC4178@please_ignore"));
  der::append(fields, der::wrap(der::context(3),
                                der::wrap(der::kSequence, der::wrap(der::context(0), hint))));
  return wrap_initial(fields);
}

Bytes encode_init(std::span<const ByteView> mech_types, std::optional<ByteView> mech_token) {
  Bytes fields = encode_mech_types(mech_types);
  if (mech_token) {
    der::append(fields, der::wrap(der::context(2), der::wrap(der::kOctetString, *mech_token)));
  }
  return wrap_initial(fields);
}

Bytes encode(const NegTokenResp& token) {
  Bytes fields;
  if (token.neg_state) {
    const std::uint8_t state = static_cast<std::uint8_t>(*token.neg_state);
    der::append(fields,
                der::wrap(der::context(0), der::wrap(der::kEnumerated, ByteView(&state, 1))));
  }
  if (token.supported_mech) {
    der::append(fields, der::wrap(der::context(1), der::wrap(der::kOid, *token.supported_mech)));
  }
  if (token.response_token) {
    der::append(fields,
                der::wrap(der::context(2), der::wrap(der::kOctetString, *token.response_token)));
  }
  if (token.mech_list_mic) {
    der::append(fields,
                der::wrap(der::context(3), der::wrap(der::kOctetString, *token.mech_list_mic)));
  }
  return der::wrap(der::context(1), der::wrap(der::kSequence, fields));
}

}  // namespace flotilla::auth::spnego
