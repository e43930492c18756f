#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace clmx {

/// How the next token is chosen. Filters apply in this order, each to what the one before left:
/// temperature, top_k, top_p, min_p.
struct SamplingOptions {
  float temperature = 0;  ///< 0: greedy, the filters do not matter
  int top_k = 0;          ///< keep the k most likely; 0: all
  float top_p = 1;        ///< keep the fewest whose probabilities reach top_p, in (0, 1]
  float min_p = 0;        ///< keep those with at least min_p times the highest, in [0, 1]
  std::uint64_t seed = 0;
};

/// Chooses tokens. The same seed and logits give the same tokens on every platform: random
/// numbers, exponentials and the order of sums are clmx's own.
class Sampler {
 public:
  /// Throws ArgumentError for a value out of range.
  explicit Sampler(const SamplingOptions& options);
  /// The index of the chosen logit; of equal ones the first. NaN and -inf are never chosen.
  /// Throws ArgumentError when no logit can be chosen.
  std::int32_t next(std::span<const float> logits);
  const SamplingOptions& options() const { return options_; }

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
    double weight;  ///< 1 for the highest logit
  };
  static bool more_likely(const Candidate& a, const Candidate& b);
  void collect(std::span<const float> logits);
  void keep_top_k();
  void weigh(double highest);
  void keep_top_p();
  std::int32_t draw();

  SamplingOptions options_;
  std::uint64_t draws_ = 0;
  std::vector<Candidate> candidates_;  ///< a member to reuse its memory
};

}  // namespace clmx
