#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "op_case.hpp"

namespace clmx {

/// One position of a prompt.
struct ComparedPosition {
  std::size_t prompt = 0, position = 0;
  double kl = 0;                     ///< KL(wanted || got), in nats
  std::int32_t got = 0, wanted = 0;  ///< the most likely tokens
  double margin = 0;                 ///< of the wanted token's wanted logit over the other's
  bool same() const { return got == wanted; }
};

/// The element of largest |got - wanted|.
struct WorstLogit {
  std::size_t prompt = 0, position = 0;
  std::int64_t token = 0;
  double got = 0, wanted = 0, error = -1;
};

/// Logits against those that they should be, over some prompts.
struct LogitsComparison {
  std::vector<ComparedPosition> positions;
  double nll_got = 0, nll_wanted = 0;  ///< sums over the prompts' own tokens, in nats
  std::size_t predicted = 0;           ///< of how many tokens
  WorstLogit worst;

  /// Those of a prompt at all of its tokens: [tokens, vocabulary] each. NaN counts as an infinite
  /// error. Throws ArgumentError when the shapes differ.
  void add(const std::vector<std::int32_t>& tokens, std::size_t prompt, const DoubleArray& got,
           const DoubleArray& wanted);

  double kl_mean() const;
  double kl_max() const;
  std::size_t same_top1() const;
  double top1() const;  ///< the share
  /// Perplexity by what was got over that by what was wanted, less 1.
  double perplexity_change() const;
  /// The first whose most likely token is another, or null.
  const ComparedPosition* first_difference() const;

 private:
  void add_position(std::size_t prompt, std::size_t position, std::span<const double> got,
                    std::span<const double> wanted);
};

}  // namespace clmx
