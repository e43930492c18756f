#include "pre_tokenizer.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr const char* op = "tokenizer";
constexpr std::uint32_t match_limit = 10'000'000;
constexpr std::size_t first_stack_bytes = std::size_t{32} << 10;
constexpr std::size_t most_stack_bytes = std::size_t{8} << 20;

std::string message_of(int error) {
  std::array<unsigned char, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// PCRE2's \s also takes U+180E, which Unicode does not call white space, nor do the tokenizers
/// that vocabularies are trained with: spell the class out.
std::string with_unicode_spaces(std::string_view pattern) {
  constexpr const char* spaces = R"(\p{Z}\t-\r\x{85})";
  std::string spelled;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      spelled += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's' && in_class) {
      spelled += spaces;
    } else if ((escaped == 's' || escaped == 'S') && !in_class) {
      spelled += join(escaped == 's' ? "[" : "[^", spaces, ']');
    } else {
      spelled += {'\\', escaped};
    }
  }
  return spelled;
}

struct MatchData {
  explicit MatchData(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)),
        stack(pcre2_jit_stack_create(first_stack_bytes, most_stack_bytes, nullptr)) {
    if (!data || !context) throw OutOfMemory("no memory to cut a text into pieces");
    pcre2_set_match_limit(context, match_limit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  ~MatchData() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  pcre2_match_data* data;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
};

}  // namespace

struct PreTokenizer::Compiled {
  explicit Compiled(const Step& step);
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
  void split(std::string_view piece, MatchData& match, std::vector<std::string_view>& out) const;

  Keep keep;
  pcre2_code* code = nullptr;
};

PreTokenizer::Compiled::Compiled(const Step& step) : keep(step.keep) {
  const std::string pattern = with_unicode_spaces(step.pattern);
  int error = 0;
  std::size_t at = 0;
  code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                       PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  require(code != nullptr, op, "the pattern ", step.pattern, " is wrong: ", message_of(error));
  // Without a compiled form matching is slower and the same.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

void PreTokenizer::Compiled::split(std::string_view piece, MatchData& match,
                                   std::vector<std::string_view>& out) const {
  const auto* const text = reinterpret_cast<PCRE2_SPTR>(piece.data());
  const auto put = [&](std::size_t begin, std::size_t end, Keep other) {
    if (begin < end && keep != other) out.push_back(piece.substr(begin, end - begin));
  };
  std::size_t end = 0;
  for (std::size_t from = 0; from < piece.size();) {
    // The caller checked that the text is UTF-8 and cuts fall between characters.
    const int found = pcre2_match(code, text, piece.size(), from,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.data, match.context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    require(found > 0, op, "the pre-tokenizer's pattern failed on this text: ", message_of(found));
    const std::size_t* const place = pcre2_get_ovector_pointer(match.data);
    require(place[1] > place[0], op, "the pre-tokenizer's pattern matched nothing");
    put(end, place[0], Keep::matches);
    put(place[0], place[1], Keep::others);
    from = end = place[1];
  }
  put(end, piece.size(), Keep::matches);
}

PreTokenizer::PreTokenizer(const std::vector<Step>& steps) {
  for (const Step& step : steps) steps_.push_back(std::make_shared<const Compiled>(step));
}

std::vector<std::string_view> PreTokenizer::split(std::string_view utf8) const {
  std::vector<std::string_view> pieces{utf8};
  if (utf8.empty()) pieces.clear();
  for (const auto& step : steps_) {
    MatchData match(step->code);
    std::vector<std::string_view> smaller;
    for (const std::string_view piece : pieces) step->split(piece, match, smaller);
    pieces = std::move(smaller);
  }
  return pieces;
}

const char* PreTokenizer::gpt2_pattern() {
  return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

std::vector<PreTokenizer::Step> PreTokenizer::steps_named(std::string_view name) {
  const auto split_by = [](const char* digits) {
    return std::vector<Step>{
        Step{join(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)", digits,
                  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")}};
  };
  if (name == "smollm") return {Step{R"(\p{N})"}, Step{gpt2_pattern()}};
  if (name == "gpt-2" || name == "default") return {Step{gpt2_pattern()}};
  if (name == "llama-bpe" || name == "llama3" || name == "llama-v3")
    return split_by(R"(\p{N}{1,3})");
  if (name == "qwen2") return split_by(R"(\p{N})");
  return {};
}

}  // namespace clmx
