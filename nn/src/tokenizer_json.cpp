#include "clmx/devices/error.hpp"
#include "strict_json.hpp"
#include "tokenizer_sources.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;
using Kind = TokenizerParts::Kind;

/// The member, or null when there is none or `object` is not one.
const Json& member(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

bool is_true(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_boolean() && value.get<bool>();
}

std::string_view text_or_empty(const Json& value) {
  return value.is_string() ? std::string_view(value.get_ref<const std::string&>())
                           : std::string_view();
}

/// A token in tokenizer_config.json: its text, or an object with it.
std::string_view token_text(const Json& value) {
  return value.is_object() ? text_or_empty(member(value, "content")) : text_or_empty(value);
}

/// The template itself, or the first (and that named default) of a list of named ones.
std::string_view template_text(const Json& value) {
  if (!value.is_array()) return text_or_empty(value);
  std::string_view chosen;
  for (const Json& named : value) {
    const bool is_default = text_or_empty(member(named, "name")) == "default";
    if (chosen.empty() || is_default) chosen = text_or_empty(member(named, "template"));
  }
  return chosen;
}

std::optional<std::int64_t> id_of(const TokenizerParts& parts, std::string_view text) {
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    const auto& token = parts.tokens[i];
    if (token.kind != Kind::unused && token.text == text) return static_cast<std::int64_t>(i);
  }
  return {};
}

}  // namespace

TokenizerJson::TokenizerJson(const std::filesystem::path& tokenizer,
                             const std::optional<std::filesystem::path>& config)
    : file_(tokenizer.string()), json_(parse_json_file(tokenizer)) {
  if (config) config_ = parse_json_file(*config);
}

void TokenizerJson::fail(const std::string& reason) const {
  throw FormatError(file_, 0, reason);
}

TokenizerParts TokenizerJson::parts() const {
  check_model();
  check_normalizer(member(json_, "normalizer"));
  TokenizerParts parts;
  parts.file = file_;
  parts.steps = pre_tokenizer_steps(member(json_, "pre_tokenizer"), file_);
  parts.whole_pieces_first = is_true(member(json_, "model"), "ignore_merges");
  read_vocabulary(parts);
  read_added_tokens(parts);
  read_merges(parts);
  read_config(parts);
  return parts;
}

void TokenizerJson::check_model() const {
  const Json& model = member(json_, "model");
  if (!model.is_object()) fail("there is no model");
  const Json& type = member(model, "type");
  if (!type.is_null() && type != "BPE") fail("model " + type.dump() + " is not supported; BPE is");
  if (is_true(model, "byte_fallback")) fail("BPE with byte_fallback is not supported");
  if (!member(model, "dropout").is_null()) fail("BPE with dropout is not supported");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_or_empty(member(model, name)).empty()) {
      fail(std::string("BPE with ") + name + " is not supported");
    }
  }
}

void TokenizerJson::check_normalizer(const Json& normalizer) const {
  if (normalizer.is_null()) return;
  const Json& type = member(normalizer, "type");
  if (type == "NFC") return;  // see Tokenizer: text is taken as it is
  if (type != "Sequence") fail("the normalizer " + type.dump() + " is not supported");
  for (const Json& part : member(normalizer, "normalizers")) check_normalizer(part);
}

void TokenizerJson::read_vocabulary(TokenizerParts& parts) const {
  const Json& vocabulary = member(member(json_, "model"), "vocab");
  const Json& added = member(json_, "added_tokens");
  if (!vocabulary.is_object() || vocabulary.empty()) fail("there is no vocabulary");
  // Ids may have holes, but a few tokens must not claim a huge table.
  const std::size_t most = 2 * (vocabulary.size() + added.size()) + 1024;
  for (const auto& [text, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= most) {
      fail("token '" + text.substr(0, 40) + "' has the id " + id.dump());
    }
    const auto at = id.get<std::size_t>();
    if (at >= parts.tokens.size()) parts.tokens.resize(at + 1);
    if (parts.tokens[at].kind != Kind::unused) fail(join("two tokens have the id ", at));
    parts.tokens[at] = {text, Kind::text};
  }
}

void TokenizerJson::read_added_tokens(TokenizerParts& parts) const {
  const Json& added = member(json_, "added_tokens");
  if (!added.is_null() && !added.is_array()) fail("added_tokens is not a list");
  const std::size_t most = 2 * parts.tokens.size() + added.size() + 1024;
  for (const Json& token : added) {
    const Json& id = member(token, "id");
    const std::string_view text = text_or_empty(member(token, "content"));
    if (text.empty() || !id.is_number_unsigned() || id.get<std::uint64_t>() >= most) {
      fail("an added token needs a content and an id, not " + token.dump().substr(0, 200));
    }
    for (const char* name : {"lstrip", "rstrip", "single_word"}) {
      if (is_true(token, name)) {
        fail(join("the added token '", text.substr(0, 40), "' has ", name, ", not supported"));
      }
    }
    const auto at = id.get<std::size_t>();
    if (at >= parts.tokens.size()) parts.tokens.resize(at + 1);
    auto& place = parts.tokens[at];
    if (place.kind == Kind::added || place.kind == Kind::control ||
        (place.kind == Kind::text && place.text != text)) {
      fail(join("two tokens have the id ", at));
    }
    place = {text, is_true(token, "special") ? Kind::control : Kind::added};
  }
}

void TokenizerJson::read_merges(TokenizerParts& parts) const {
  const Json& merges = member(member(json_, "model"), "merges");
  if (!merges.is_array()) fail("there are no merges");
  parts.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    const std::string_view whole = text_or_empty(merge);
    const std::size_t space = whole.find(' ');
    if (space != std::string_view::npos) {
      parts.merges.emplace_back(whole.substr(0, space), whole.substr(space + 1));
    } else if (merge.is_array() && merge.size() == 2) {
      parts.merges.emplace_back(text_or_empty(merge[0]), text_or_empty(merge[1]));
    } else {
      fail(join("merge ", parts.merges.size(), " is not of two parts"));
    }
  }
}

/// The token that a TemplateProcessing post-processor puts in front of a text.
std::optional<std::string> TokenizerJson::first_template_token() const {
  const auto first_of = [](const Json& processor) -> std::string_view {
    if (member(processor, "type") != "TemplateProcessing") return {};
    const Json& single = member(processor, "single");
    if (!single.is_array() || single.empty()) return {};
    return text_or_empty(member(member(single[0], "SpecialToken"), "id"));
  };
  const Json& processor = member(json_, "post_processor");
  std::string_view found = first_of(processor);
  for (const Json& part : member(processor, "processors")) {
    if (found.empty()) found = first_of(part);
  }
  return found.empty() ? std::nullopt : std::optional<std::string>(found);
}

void TokenizerJson::read_config(TokenizerParts& parts) const {
  if (const auto first = first_template_token()) {
    parts.bos = id_of(parts, *first);
    if (!parts.bos) fail("the post_processor's token '" + *first + "' is not in the vocabulary");
    parts.add_bos = true;
  }
  const auto id_named = [&](const char* name) -> std::optional<std::int64_t> {
    const std::string_view text = token_text(member(config_, name));
    if (text.empty()) return {};
    const auto id = id_of(parts, text);
    if (!id) fail(join(name, " '", text.substr(0, 40), "' is not in the vocabulary"));
    return id;
  };
  if (const auto bos = id_named("bos_token")) parts.bos = bos;
  if (const auto eos = id_named("eos_token")) parts.eos = {*eos};
  const Json& add_bos = member(config_, "add_bos_token");
  if (add_bos.is_boolean()) parts.add_bos = add_bos.get<bool>() && parts.bos;
  parts.chat_template = template_text(member(config_, "chat_template"));
}

}  // namespace clmx
