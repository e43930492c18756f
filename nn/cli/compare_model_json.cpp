#include "compare_model_report.hpp"

namespace clmx::cli {
namespace {

Json described(const ComparedPosition& other) {
  return {{"prompt", other.prompt},
          {"position", other.position},
          {"got", other.got},
          {"wanted", other.wanted},
          {"margin", other.margin}};
}

/// What all comparisons of logits have.
Json described(const LogitsComparison& logits) {
  Json entry{{"positions", logits.positions.size()},
             {"kl_mean", logits.kl_mean()},
             {"kl_max", logits.kl_max()},
             {"top1", logits.top1()},
             {"perplexity_change", logits.perplexity_change()},
             {"worst_logit",
              {{"prompt", logits.worst.prompt},
               {"position", logits.worst.position},
               {"token", logits.worst.token},
               {"got", logits.worst.got},
               {"wanted", logits.worst.wanted}}}};
  entry["kl"] = Json::array();
  entry["flips"] = Json::array();
  for (const ComparedPosition& each : logits.positions) {
    entry["kl"].push_back(each.kl);
    if (!each.same()) entry["flips"].push_back(described(each));
  }
  const ComparedPosition* const first = logits.first_difference();
  entry["first_difference"] = first == nullptr ? Json(nullptr) : described(*first);
  return entry;
}

Json described(const ExpertFlip& flip) {
  return {{"prompt", flip.prompt},       {"part", flip.choice.part}, {"op", flip.choice.op},
          {"row", flip.choice.row},      {"got", flip.choice.got},   {"wanted", flip.choice.wanted},
          {"margin", flip.choice.margin}};
}

Json described(const ComparedPart& part) {
  return {{"path", part.path},
          {"worst_budget", part.worst},
          {"accumulated", part.accumulated},
          {"worst_op", {{"op", part.worst_op}, {"shape", part.shape}, {"kernels", part.kernels}}}};
}

Json described(const std::optional<WrongOp>& wrong) {
  if (!wrong) return nullptr;
  return {{"part", wrong->part},       {"op", wrong->op},         {"shape", wrong->shape},
          {"kernels", wrong->kernels}, {"prompt", wrong->prompt}, {"worst_budget", wrong->worst}};
}

Json other_bits(const ModelOnDevice& one) {
  if (one.differs_from.empty()) return nullptr;
  return {{"op", one.first_other_bits.op},
          {"step", one.first_other_bits.name},
          {"differs_from", one.differs_from}};
}

Json described(const ModelOnDevice& one, const ModelComparison& all, const Measures& measures) {
  Json entry{{"id", one.device.info().id}, {"selector", one.device.info().selector}};
  entry.update(described(one.result.logits));
  entry["parts"] = Json::array();
  for (const ComparedPart& part : one.result.parts) entry["parts"].push_back(described(part));
  entry["choices"] = one.result.choices;
  entry["expert_flips"] = Json::array();
  for (const ExpertFlip& flip : one.result.flips) entry["expert_flips"].push_back(described(flip));
  entry["first_wrong"] = described(one.result.first_wrong);
  entry["first_other_bits"] = other_bits(one);
  entry["against"] = one.other ? described(*one.other) : Json(nullptr);
  entry["measures"] = measures;
  entry["repeat"] = all.repeat(one);
  return entry;
}

Json described(const ComparedMode& mode, const ModelComparison& all) {
  Json entry{
      {"mode", mode.name}, {"bytes", mode.bytes}, {"layers", mode.layers}, {"kept", mode.kept}};
  entry["devices"] = Json::array();
  for (std::size_t i = 0; i < mode.logits.size(); ++i) {
    Json of_device{{"selector", all.devices[i].device.info().selector}};
    of_device.update(described(mode.logits[i]));
    entry["devices"].push_back(std::move(of_device));
  }
  return entry;
}

}  // namespace

Json document_of(const ModelComparison& all, const ComparisonRecord& own) {
  Json document = new_document();
  document["model"] = all.model;
  document["of"] = all.of;
  document["bytes"] = all.bytes;
  document["devices"] = Json::array();
  for (std::size_t i = 0; i < all.devices.size(); ++i)
    document["devices"].push_back(described(all.devices[i], all, own.devices[i].measures));
  document["against"] = all.other ? described(*all.other) : Json(nullptr);
  document["modes"] = Json::array();
  for (const ComparedMode& mode : all.modes) document["modes"].push_back(described(mode, all));
  document["agreements"] = described(all.agreements);
  document["worse"] = all.worse ? described(*all.worse) : Json(nullptr);
  return document;
}

}  // namespace clmx::cli
