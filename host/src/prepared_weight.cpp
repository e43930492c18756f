#include "prepared_weight.hpp"

#include "clmx/host/quantization.hpp"
#include "launch.hpp"
#include "quantized_weight_state.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

/// [n, columns] as [blocks, columns, rows], the last block padded with zeros.
Array interleave(const Array& from, int rows, const Stream& stream) {
  const std::int64_t blocks = (from.shape(0) + rows - 1) / rows;
  const std::int64_t columns = from.shape(1);
  const Shape shape{blocks, columns, rows};
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(from.dtype());
  const Buffer buffer = Buffer::allocate_unpooled(stream.device(), bytes);
  const Constants constants{{"BYTES", size_of(from.dtype())}, {"ROWS", rows}};
  const Kernel kernel =
      stream.device().kernel({kernels(), "interleave.cl", "interleave", constants});
  const Grid grid =
      Grid::groups(static_cast<std::size_t>(columns + 15) / 16, static_cast<std::size_t>(blocks));
  launch(stream, kernel, grid, from, BufferArgument{buffer},
         static_cast<std::int32_t>(from.shape(0)), static_cast<std::int32_t>(columns));
  return Array::wrap(buffer, shape, from.dtype(), stream);
}

/// The rows of all matrices of a stack, one below the other.
Array all_rows(const Array& array) {
  if (array.rank() == 2) return array;
  return array.reshape({array.shape().elements(0, array.rank() - 1), array.shape(-1)});
}

WeightRows rows_of(const QuantizedWeight& weight, const RowRange& range) {
  WeightRows rows{range.begin,
                  range.end,
                  all_rows(weight.packed()).rows(range.begin, range.end),
                  all_rows(weight.scales()).rows(range.begin, range.end),
                  {}};
  if (weight.biases()) rows.biases = all_rows(*weight.biases()).rows(range.begin, range.end);
  return rows;
}

/// Only the preparation reads the stored rows: a copy made for it ends with it.
WeightRows prepare(WeightRows rows, int block, const Stream& stream, bool asked) {
  rows.words = interleave(rows.words.once_on(stream, asked), block, stream);
  rows.scales = interleave(rows.scales.once_on(stream, asked), block, stream);
  if (rows.biases) rows.biases = interleave(rows.biases->once_on(stream, asked), block, stream);
  return rows;
}

}  // namespace

std::vector<WeightRows> PreparedWeights::get(const QuantizedWeight& weight, int rows,
                                             const Stream& stream, bool asked) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_)
    if (entry.device == stream.device() && entry.rows == rows) return entry.weight;
  Entry entry{stream.device(), rows, {}};
  for (const RowRange& range : row_parts(all_rows(weight.packed()), entry.device, rows))
    entry.weight.push_back(prepare(rows_of(weight, range), rows, stream, asked));
  entries_.push_back(std::move(entry));
  return entries_.back().weight;
}

std::vector<WeightRows> weight_rows(const QuantizedWeight& weight, int rows, const Stream& stream,
                                    bool asked) {
  if (rows > 0) return weight.state()->prepared.get(weight, rows, stream, asked);
  return stored_rows(weight, 1, stream);
}

std::vector<WeightRows> stored_rows(const QuantizedWeight& weight, std::int64_t multiple,
                                    const Stream& stream) {
  std::vector<WeightRows> parts;
  for (const RowRange& range : row_parts(all_rows(weight.packed()), stream.device(), multiple))
    parts.push_back(rows_of(weight, range));
  return parts;
}

}  // namespace clmx
