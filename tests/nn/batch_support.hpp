#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "clmx/nn/language_model.hpp"

namespace clmx {

using TokenRows = std::vector<std::vector<std::int32_t>>;

/// Rows of equal length without anything in common.
inline TokenRows token_rows(std::size_t batch, std::size_t length, std::int64_t vocabulary) {
  TokenRows rows(batch);
  std::uint32_t state = 12345;
  for (auto& row : rows)
    for (std::size_t t = 0; t < length; ++t) {
      state = state * 1664525U + 1013904223U;
      row.push_back(
          static_cast<std::int32_t>((state >> 8U) % static_cast<std::uint32_t>(vocabulary)));
    }
  return rows;
}

/// Columns [begin, end) of the rows: [B, end - begin] i32.
inline Array tokens_of(const TokenRows& rows, std::size_t begin, std::size_t end) {
  std::vector<std::int32_t> ids;
  for (const auto& row : rows)
    ids.insert(ids.end(), row.begin() + static_cast<std::ptrdiff_t>(begin),
               row.begin() + static_cast<std::ptrdiff_t>(end));
  return Array::from(
      ids, Shape{static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(end - begin)});
}

/// The bits of one row's logits at all positions.
using RowBits = std::vector<std::byte>;

/// Adds the bits of logits [B, T, vocabulary] to those of the B rows.
inline void add_bits(std::vector<RowBits>& rows, const Array& logits) {
  const HostBytes all = logits.map_bytes();
  const std::size_t each = all.bytes.size() / rows.size();
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const auto part = all.bytes.subspan(b * each, each);
    rows[b].insert(rows[b].end(), part.begin(), part.end());
  }
}

/// The bits of all logits of the columns that follow those in the cache, given to it in chunks.
inline std::vector<RowBits> batch_bits(LanguageModel& model, ModelCache& cache,
                                       const TokenRows& rows, std::size_t chunk,
                                       const Device& device) {
  const std::size_t end = rows.front().size();
  std::vector<RowBits> bits(rows.size());
  for (auto at = static_cast<std::size_t>(cache.length()); at < end; at += chunk) {
    const Array tokens = tokens_of(rows, at, std::min(end, at + chunk));
    add_bits(bits, model.forward(tokens, cache, LogitRows::all, device));
  }
  return bits;
}

/// The bits of each row computed alone, its tokens in one piece of shape [T].
inline std::vector<RowBits> single_bits(LanguageModel& model, const TokenRows& rows,
                                        const Device& device) {
  std::vector<RowBits> bits;
  for (const auto& row : rows) {
    ModelCache cache = model.new_cache();
    bits.emplace_back();
    const HostBytes all = model.forward(row, cache, LogitRows::all, device).map_bytes();
    bits.back().assign(all.bytes.begin(), all.bytes.end());
  }
  return bits;
}

}  // namespace clmx
