#include "family_rules.hpp"

#include <map>
#include <set>

namespace clmx {
namespace {

using Rules = std::vector<QuantizationPlan::Rule>;

QuantizationPlan::Rule fine(const char* pattern) {
  return {pattern, QuantizationParams{QuantizationMode::affine, 64, 8}};
}

QuantizationPlan::Rule kept(const char* pattern) {
  return {pattern, {}};
}

Rules granite() {
  return {fine("*self_attn.o_proj"), fine("*mlp.down_proj"), fine("lm_head")};
}

Rules granitemoe() {
  Rules rules = granite();
  rules.push_back(fine("*block_sparse_moe.router.layer"));
  return rules;
}

Rules bailing_v3() {
  return {kept("model.word_embeddings"),  kept("lm_head"),
          kept("*attention.q_a_proj"),    kept("*attention.q_b_proj"),
          kept("*attention.embed_q"),     kept("*attention.kv_a_proj_with_mqa"),
          kept("*attention.unembed_out"), kept("*attention.b_proj"),
          fine("*mlp.gate.gate_proj")};
}

std::map<std::string, QuantizationPlan> all_rules() {
  const Rules gate = {fine("*mlp.gate")}, gate_proj = {fine("*mlp.gate.gate_proj")};
  const Rules qwen = {fine("*mlp.gate"), fine("*shared_expert_gate")};
  const Rules router = {fine("*router")}, minimax = {fine("*block_sparse_moe.gate")};
  const Rules classifier = {fine("*classifier")}, gemma = {fine("*router.proj")};
  return {
      {"Klear", {gate}},
      {"afmoe", {{fine("*router.gate*")}}},
      {"bailing_hybrid",
       {{fine("*mlp.gate.gate_proj"), kept("*attention.embed_q"), kept("*attention.unembed_out")}}},
      {"bailing_moe", {gate_proj}},
      {"bailing_moe_linear", {gate_proj}},
      {"bailing_moe_v3", {bailing_v3()}},
      {"gemma4", {gemma}},
      {"gemma4_text", {gemma}},
      {"gpt_oss", {router}},
      {"granite", {granite()}},
      {"granitemoe", {granitemoe()}},
      {"granitemoehybrid", {{fine("*router.layer")}}},
      {"jamba", {router}},
      {"kimi_k3", {{fine("*mlp.gate"), kept("*res_proj")}}},
      {"kimi_linear", {gate}},
      {"laguna", {{fine("*mlp.gate.proj")}}},
      {"lfm2_moe", {{fine("*feed_forward.gate")}}},
      {"longcat_flash", {classifier}},
      {"longcat_flash_ngram", {classifier}},
      {"mellum", {gate}},
      {"minimax", {minimax}},
      {"minimax_m2", {minimax}},
      {"minimax_m3_vl", {minimax}},
      {"qwen3_5", {qwen}},
      {"qwen3_5_moe", {qwen}},
      {"qwen3_moe", {gate}},
      {"qwen3_next", {qwen}},
      {"qwen3_vl_moe", {gate}},
      {"rwkv7", {{fine("*lora.2*"), fine("*embeddings*")}}},
      {"spark2_5", {{kept("*self_attn.g_proj")}}},
      {"step3p5", {{fine("*mlp.gate.gate*")}}}};
}

}  // namespace

const QuantizationPlan& family_rules(const std::string& family) {
  static const std::map<std::string, QuantizationPlan> rules = all_rules();
  static const QuantizationPlan none;
  const auto found = rules.find(family);
  return found == rules.end() ? none : found->second;
}

bool is_tied_by_default(const std::string& family) {
  static const std::set<std::string> families = {"bitnet",
                                                 "exaone",
                                                 "falcon_h1",
                                                 "falcon_mamba",
                                                 "gear",
                                                 "gemma4_text",
                                                 "glm",
                                                 "gpt_bigcode",
                                                 "granite",
                                                 "granitemoe",
                                                 "granitemoehybrid",
                                                 "iquestcoder",
                                                 "jamba",
                                                 "lille-130m",
                                                 "llama",
                                                 "mamba",
                                                 "ministral3",
                                                 "mistral",
                                                 "olmo2",
                                                 "olmoe",
                                                 "plamo2",
                                                 "plamo3",
                                                 "qwen2",
                                                 "seed_oss",
                                                 "spark2_5",
                                                 "starcoder2",
                                                 "xverse",
                                                 "youtu_llm"};
  return families.contains(family);
}

}  // namespace clmx
