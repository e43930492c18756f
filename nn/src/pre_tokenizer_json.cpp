#include "clmx/devices/error.hpp"
#include "tokenizer_sources.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;
using Keep = PreTokenizer::Keep;

/// Reads the tree of pre-tokenizers into steps.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}
  std::vector<PreTokenizer::Step> steps;
  bool byte_level = false;

  void read(const Json& part) {
    const std::string type = text(part, "type");
    if (byte_level) fail("a pre-tokenizer after ByteLevel is not supported");
    if (type == "Sequence") {
      read_sequence(part);
    } else if (type == "ByteLevel") {
      read_byte_level(part);
    } else if (type == "Digits") {
      steps.push_back({flag(part, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)"});
    } else if (type == "Split") {
      read_split(part);
    } else {
      fail("the pre-tokenizer '" + type + "' is unknown");
    }
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const { throw FormatError(file_, 0, reason); }

  std::string text(const Json& part, const char* name) const {
    if (!part.is_object() || !part.contains(name) || !part[name].is_string()) {
      fail(join("a pre-tokenizer has no ", name));
    }
    return part[name].get<std::string>();
  }
  bool flag(const Json& part, const char* name, bool otherwise) const {
    if (!part.contains(name)) return otherwise;
    if (!part[name].is_boolean()) fail(join("a pre-tokenizer's ", name, " is not a boolean"));
    return part[name].get<bool>();
  }

  void read_sequence(const Json& part) {
    if (!part.contains("pretokenizers") || !part["pretokenizers"].is_array()) {
      fail("a Sequence of pre-tokenizers has no list");
    }
    for (const Json& inner : part["pretokenizers"]) read(inner);
  }
  void read_byte_level(const Json& part) {
    if (flag(part, "add_prefix_space", true)) {
      fail("the pre-tokenizer ByteLevel with add_prefix_space is not supported");
    }
    if (flag(part, "use_regex", true)) steps.push_back({PreTokenizer::gpt2_pattern()});
    byte_level = true;
  }
  void read_split(const Json& part) {
    const Json pattern = part.value("pattern", Json());
    if (!pattern.is_object()) fail("a Split pre-tokenizer has no pattern");
    const std::string expression =
        pattern.contains("Regex") ? text(pattern, "Regex") : quoted(text(pattern, "String"));
    const std::string behavior = text(part, "behavior");
    const bool invert = flag(part, "invert", false);
    if (behavior == "Isolated") {
      steps.push_back({expression});
    } else if (behavior == "Removed") {
      steps.push_back({expression, invert ? Keep::matches : Keep::others});
    } else {
      fail("the Split behavior '" + behavior + "' is not supported; Isolated and Removed are");
    }
  }
  /// An expression that matches just this text.
  static std::string quoted(const std::string& plain) {
    std::string pattern;
    for (const char c : plain) {
      const bool is_special =
          c > 0 && std::string_view("\\^$.[]|()?*+{}#").find(c) != std::string_view::npos;
      if (is_special) pattern += '\\';
      pattern += c;
    }
    return pattern;
  }

  const std::string& file_;
};

}  // namespace

std::vector<PreTokenizer::Step> pre_tokenizer_steps(const Json& pre_tokenizer,
                                                    const std::string& file) {
  Reader reader(file);
  reader.read(pre_tokenizer);
  if (!reader.byte_level) throw FormatError(file, 0, "there is no ByteLevel pre-tokenizer");
  return std::move(reader.steps);
}

}  // namespace clmx
