#include <iostream>
#include <iterator>
#include <memory>

#include "clmx/nn/model_file.hpp"
#include "common_options.hpp"
#include "json_output.hpp"
#include "prompt.hpp"

namespace clmx::cli {
namespace {

int tokenize(const CommonOptions& common, const std::optional<std::string>& argument) {
  const Tokenizer tokenizer = ModelFile(common.model_path()).tokenizer();
  const std::string text = argument ? *argument
                                    : std::string(std::istreambuf_iterator<char>(std::cin),
                                                  std::istreambuf_iterator<char>());
  const std::vector<std::int32_t> ids = raw_tokens(tokenizer, text);
  if (common.json) {
    Json document = new_document();
    document["ids"] = ids;
    print(document);
    return 0;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : " ") << ids[i];
  std::cout << '\n';
  return 0;
}

}  // namespace

Command tokenize_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("tokenize", "Token ids of a text or of standard input");
  const auto text = std::make_shared<std::optional<std::string>>();
  parser->add_option("TEXT", *text, "Text; without it standard input is read");
  return {parser, [&common, text] { return tokenize(common, *text); }};
}

}  // namespace clmx::cli
