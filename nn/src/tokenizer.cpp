#include "clmx/nn/tokenizer.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"
#include "tokenizer_sources.hpp"
#include "tokenizer_state.hpp"
#include "utf8.hpp"

namespace clmx {
namespace {

constexpr std::size_t max_text_bytes = std::size_t{1} << 30;

void encode_plain(const TokenizerState& state, std::string_view text,
                  std::vector<std::int32_t>& ids) {
  for (const std::string_view piece : state.pre_tokenizer.split(text)) {
    state.encoder.encode(piece, ids);
  }
}

}  // namespace

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  return Tokenizer(std::make_shared<const TokenizerState>(tokenizer_parts(file)));
}

Tokenizer Tokenizer::from_json(const std::filesystem::path& tokenizer_json,
                               const std::optional<std::filesystem::path>& config) {
  const TokenizerJson source(tokenizer_json, config);
  return Tokenizer(std::make_shared<const TokenizerState>(source.parts()));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view utf8, bool parse_special) const {
  require(utf8.size() <= max_text_bytes, "tokenizer", "the text has ", utf8.size(),
          " bytes; at most ", max_text_bytes, " are possible");
  const auto invalid = first_invalid_utf8(utf8);
  require(!invalid, "tokenizer", "the text is not UTF-8 at byte ", invalid.value_or(0));

  std::vector<std::int32_t> ids;
  std::size_t from = 0;
  while (const auto hit = state_->added.find(utf8, from, parse_special)) {
    encode_plain(*state_, utf8.substr(from, hit->at - from), ids);
    ids.push_back(hit->id);
    from = hit->at + hit->length;
  }
  encode_plain(*state_, utf8.substr(from), ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  StreamingDecoder decoder(*this);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  require(id >= 0 && id < vocab_size(), "tokenizer", "token ", id, " is outside the ", vocab_size(),
          " tokens");
  return state_->bytes[static_cast<std::size_t>(id)];
}

std::int64_t Tokenizer::vocab_size() const {
  return std::ssize(state_->bytes);
}

bool Tokenizer::is_special(std::int32_t id) const {
  return id >= 0 && id < vocab_size() && state_->is_control[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::special_token(std::string_view text) const {
  return state_->added.id_of(text);
}

std::optional<std::int32_t> Tokenizer::bos() const {
  return state_->bos;
}

std::span<const std::int32_t> Tokenizer::eos() const {
  return state_->eos;
}

bool Tokenizer::is_eos(std::int32_t id) const {
  return std::find(state_->eos.begin(), state_->eos.end(), id) != state_->eos.end();
}

bool Tokenizer::add_bos() const {
  return state_->add_bos;
}

const std::string& Tokenizer::chat_template() const {
  return state_->chat_template;
}

std::string StreamingDecoder::push(std::int32_t id) {
  pending_ += tokenizer_.token_bytes(id);
  return take_whole_characters(pending_);
}

std::string StreamingDecoder::finish() {
  const bool begun = !pending_.empty();
  pending_.clear();
  return begun ? "\xef\xbf\xbd" : "";
}

}  // namespace clmx
