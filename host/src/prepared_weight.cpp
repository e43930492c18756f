#include "prepared_weight.hpp"

#include "clmx/host/quantization.hpp"
#include "launch.hpp"

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

PreparedWeight prepare(const QuantizedWeight& weight, int rows, const Stream& stream) {
  PreparedWeight prepared{rows,
                          interleave(weight.packed(), rows, stream),
                          interleave(weight.scales(), rows, stream),
                          {}};
  if (weight.biases()) prepared.biases = interleave(*weight.biases(), rows, stream);
  return prepared;
}

}  // namespace

PreparedWeight PreparedWeights::get(const QuantizedWeight& weight, int rows, const Stream& stream) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_)
    if (entry.device == stream.device() && entry.weight.rows == rows) return entry.weight;
  entries_.push_back({stream.device(), prepare(weight, rows, stream)});
  return entries_.back().weight;
}

}  // namespace clmx
