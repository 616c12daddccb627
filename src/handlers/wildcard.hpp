// Names against search patterns, and what "equal without case" means for them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::handlers {

/// Simple case folding of every code point, one to one and without locale: the rule of vfs/names.
/// Lone surrogates stay as they are.
[[nodiscard]] std::u16string fold_case(std::u16string_view text);

/// True where a pattern holds one of * ? < > " ([MS-FSA] 2.1.4.3).
[[nodiscard]] bool has_wildcards(std::u16string_view pattern) noexcept;

/// Whether a name matches.
/// Spec    [MS-FSA] 2.1.4.4 Algorithm for Determining if a FileName Is in an Expression
/// Input   both folded already
/// Calls   O(name * pattern); no allocation for patterns of up to 255 units
[[nodiscard]] bool matches_folded(std::u16string_view name, std::u16string_view pattern);

/// As above, without case.
[[nodiscard]] bool matches(std::u16string_view name, std::u16string_view pattern);

}  // namespace flotilla::handlers
