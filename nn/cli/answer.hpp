#pragma once

#include <functional>
#include <string>
#include <vector>

#include "clmx/host/device_transfers.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/tokenizer.hpp"
#include "explanation.hpp"
#include "json_output.hpp"
#include "place_option.hpp"

namespace clmx::cli {

/// What one device made of a prompt.
struct Answer {
  Device device;
  std::vector<std::int32_t> prompt;
  Generation generation;
  std::string text;
  double load_s = 0;         ///< opening and reading the model, once for all devices
  double build_s = 0;        ///< compiling and loading kernels
  double first_token_s = 0;  ///< from the start of the program (later devices: of their turn)
  double prefill_tok_s = 0;  ///< without the time kernels took to build
  double decode_tok_s = 0;
  std::vector<PlacedParts> placed = {};         ///< empty without --place
  std::optional<Explanation> explanation = {};  ///< with --explain
  TransferStats transfers = {};                 ///< between host and devices
  DeviceTransferStats device_transfers = {};    ///< between devices
};

/// Generates on the device's default stream. show: takes whole UTF-8 characters as they come; a
/// Ctrl-C stops between tokens.
Answer answer_on(const Device& device, LanguageModel& model, const Tokenizer& tokenizer,
                 const std::vector<std::int32_t>& prompt, const GenerateOptions& options,
                 const std::function<void(const std::string&)>& show);

/// The fields of one run in `clmx run --json`.
Json described(const Answer& answer, const std::string& model, DType dtype);
/// "12 uploads (1.2 MB), ...": what travelled for the answer.
std::string transfer_line(const Answer& answer);
/// "prefill 812.3 tok/s, decode 201.4 tok/s, first token after 0.41 s".
std::string speed_line(const Answer& answer);
/// Whether all answers have the same tokens, as a sentence; empty for fewer than two.
std::string agreement_line(const std::vector<Answer>& answers);

}  // namespace clmx::cli
