#include "answer.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "interrupt.hpp"

namespace clmx::cli {
namespace {

std::size_t peak_rss_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

double rate(double tokens, double seconds) {
  return seconds > 0 ? tokens / seconds : 0;
}

void time(Answer& answer) {
  const Generation& run = answer.generation;
  if (run.tokens.empty()) return;
  answer.prefill_tok_s =
      rate(static_cast<double>(answer.prompt.size()), run.prefill_s - run.prefill_build_s);
  answer.decode_tok_s = rate(static_cast<double>(run.tokens.size() - 1), run.decode_s);
}

TransferStats difference(const TransferStats& a, const TransferStats& b) {
  return {a.uploads - b.uploads, a.downloads - b.downloads, a.uploaded_bytes - b.uploaded_bytes,
          a.downloaded_bytes - b.downloaded_bytes};
}

DeviceTransferStats difference(const DeviceTransferStats& a, const DeviceTransferStats& b) {
  return {a.copied - b.copied, a.copied_bytes - b.copied_bytes, a.shared - b.shared,
          a.shared_bytes - b.shared_bytes};
}

/// The devices that worked on the answer.
std::vector<Device> devices_of(const Answer& answer) {
  return answer.placed.empty() ? std::vector{answer.device} : devices_of(answer.placed);
}

Json described_transfers(const Answer& answer) {
  const auto& [uploads, downloads, up_bytes, down_bytes] = answer.transfers;
  const DeviceTransferStats& between = answer.device_transfers;
  return Json{{"uploads", uploads},
              {"uploaded_bytes", up_bytes},
              {"downloads", downloads},
              {"downloaded_bytes", down_bytes},
              {"between_devices", between.copied},
              {"between_devices_bytes", between.copied_bytes},
              {"shared", between.shared},
              {"shared_bytes", between.shared_bytes}};
}

}  // namespace

Answer answer_on(const Device& device, LanguageModel& model, const Tokenizer& tokenizer,
                 const std::vector<std::int32_t>& prompt, const GenerateOptions& options,
                 const std::function<void(const std::string&)>& show) {
  Answer answer{.device = device, .prompt = prompt, .generation = {}, .text = {}};
  const double built_before = build_stats().build_seconds;
  const TransferStats transfers_before = transfer_stats();
  const DeviceTransferStats between_before = device_transfer_stats();
  StreamingDecoder decoder(tokenizer);
  const auto emit = [&](const std::string& text) {
    answer.text += text;
    if (!text.empty()) show(text);
  };
  const GenerateCallbacks callbacks{
      .on_token =
          [&](std::int32_t token) {
            // Output layers are often padded beyond the tokenizer's
            // vocabulary.
            if (!ends(model, options, token) && token < tokenizer.vocab_size())
              emit(decoder.push(token));
            return !interrupted();
          },
      .go_on = [] { return !interrupted(); }};
  const Stream stream = device.default_stream();
  answer.generation = generate(model, prompt, options, callbacks, stream);
  emit(decoder.finish());
  stream.synchronize();
  answer.build_s = build_stats().build_seconds - built_before;
  answer.transfers = difference(transfer_stats(), transfers_before);
  answer.device_transfers = difference(device_transfer_stats(), between_before);
  time(answer);
  return answer;
}

Json described(const Answer& answer, const std::string& model, DType dtype) {
  const DeviceInfo& info = answer.device.info();
  std::size_t device_bytes = 0;
  for (const Device& device : devices_of(answer)) device_bytes += device.memory().peak_bytes;
  Json json{{"device", info.selector},
            {"device_id", info.id},
            {"device_name", info.name},
            {"model", model},
            {"dtype", to_string(dtype)},
            {"prompt_tokens", answer.prompt},
            {"tokens", answer.generation.tokens},
            {"text", answer.text},
            {"finish", to_string(answer.generation.finish)},
            {"timings",
             {{"load_s", answer.load_s},
              {"build_s", answer.build_s},
              {"first_token_s", answer.first_token_s},
              {"prefill_tok_s", answer.prefill_tok_s},
              {"decode_tok_s", answer.decode_tok_s}}},
            {"memory", {{"peak_rss_bytes", peak_rss_bytes()}, {"device_bytes", device_bytes}}},
            {"transfers", described_transfers(answer)}};
  if (!answer.placed.empty()) json["placement"] = described(answer.placed);
  if (answer.explanation) json["explanation"] = answer.explanation->json();
  return json;
}

std::string transfer_line(const Answer& answer) {
  const DeviceTransferStats& between = answer.device_transfers;
  return join(answer.transfers.uploads, " uploads (", answer.transfers.uploaded_bytes, " bytes), ",
              answer.transfers.downloads, " downloads (", answer.transfers.downloaded_bytes,
              " bytes), between devices ", between.copied, " copies (", between.copied_bytes,
              " bytes) and ", between.shared, " arrays shared (", between.shared_bytes, " bytes)");
}

std::string speed_line(const Answer& answer) {
  std::ostringstream line;
  line << std::fixed << std::setprecision(1) << "prefill " << answer.prefill_tok_s
       << " tok/s, decode " << answer.decode_tok_s << " tok/s, first token after "
       << std::setprecision(2) << answer.first_token_s << " s";
  return line.str();
}

std::string agreement_line(const std::vector<Answer>& answers) {
  if (answers.size() < 2) return {};
  const std::vector<std::int32_t>& first = answers.front().generation.tokens;
  for (const Answer& answer : answers) {
    const std::vector<std::int32_t>& tokens = answer.generation.tokens;
    if (tokens == first) continue;
    const auto at = std::ranges::mismatch(first, tokens).in1 - first.begin();
    return join("tokens differ between ", answers.front().device.info().selector, " and ",
                answer.device.info().selector, " from token ", at);
  }
  return join("the same ", first.size(), " tokens on all ", answers.size(), " devices");
}

}  // namespace clmx::cli
