#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clmx {

/// Cuts a text into the pieces that BPE works on: regular expressions, one after the other, each
/// on the pieces of the one before.
class PreTokenizer {
 public:
  /// What becomes of the text around matches of a pattern, and of the matches.
  enum class Keep { all, others, matches };
  struct Step {
    std::string pattern;
    Keep keep = Keep::all;
  };
  /// Throws ArgumentError when a pattern is not one.
  explicit PreTokenizer(const std::vector<Step>& steps);
  /// Views into the text, which must be UTF-8, in its order. Throws ArgumentError when a pattern
  /// needs too many steps on it.
  std::vector<std::string_view> split(std::string_view utf8) const;

  /// The steps of a name in GGUF's tokenizer.ggml.pre; none when the name is unknown.
  static std::vector<Step> steps_named(std::string_view name);
  static const char* gpt2_pattern();

 private:
  struct Compiled;
  std::vector<std::shared_ptr<const Compiled>> steps_;
};

}  // namespace clmx
