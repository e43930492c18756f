#include <cstring>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/gguf.hpp"
#include "clmx/host/mapped_pages.hpp"
#include "file_dtypes.hpp"
#include "gguf_blocks.hpp"

namespace clmx {
namespace {

[[noreturn]] void fail(const GgufFile& file, const TensorEntry& entry, const std::string& what) {
  throw FormatError(file.path().string(), entry.file_offset, "tensor '" + entry.name + "' " + what);
}

void check_row_order(std::span<const std::int64_t> row_order, std::int64_t rows, const char* op) {
  if (row_order.empty()) return;
  require(std::ssize(row_order) == rows, op, "row_order has ", row_order.size(),
          " rows, the tensor has ", rows);
  for (const std::int64_t row : row_order) {
    require(row >= 0 && row < rows, op, "row_order holds ", row, ", the tensor has ", rows,
            " rows");
  }
}

std::vector<std::byte> reordered(const TensorEntry& entry, std::span<const std::int64_t> order) {
  std::vector<std::byte> bytes(entry.bytes.bytes.size());
  const std::size_t row_bytes = bytes.size() / order.size();
  for (std::size_t r = 0; r < order.size(); ++r) {
    const auto source = static_cast<std::size_t>(order[r]);
    std::memcpy(bytes.data() + r * row_bytes, entry.bytes.bytes.data() + source * row_bytes,
                row_bytes);
  }
  return bytes;
}

QuantizedWeight assemble(const GgufRows& from, const GgufBlock& block, HostBytes codes,
                         GgufScales scales) {
  const auto rows = static_cast<std::int64_t>(from.rows);
  const auto groups = static_cast<std::int64_t>(from.blocks_per_row);
  const Shape group_shape{rows, groups};
  const DType dtype = scales.wide ? DType::f32 : DType::f16;
  return QuantizedWeight(
      Array::wrap(std::move(codes), Shape{rows, groups * block.bits}, DType::u32),
      Array::wrap(std::move(scales.scales), group_shape, dtype),
      Array::wrap(std::move(scales.biases), group_shape, dtype),
      {.mode = QuantizationMode::affine, .group_size = 32, .bits = block.bits});
}

}  // namespace

bool is_quantized_gguf_type(std::string_view type) {
  return gguf_block(type).has_value();
}

QuantizedWeight gguf_weight(const GgufFile& file, const std::string& name,
                            std::span<const std::int64_t> row_order) {
  const TensorEntry& entry = file.at(name);
  const auto block = gguf_block(entry.type);
  if (!block)
    fail(file, entry, "has type " + entry.type + "; Q4_0, Q4_1 and Q8_0 are computed with");
  if (entry.shape.size() != 2) fail(file, entry, join("has ", entry.shape.size(), " axes, not 2"));
  check_row_order(row_order, entry.shape[0], "gguf_weight");

  const GgufRows rows{entry.bytes.bytes, static_cast<std::size_t>(entry.shape[0]),
                      static_cast<std::size_t>(entry.shape[1]) / GgufBlock::codes, row_order};
  std::optional<std::size_t> bad_block;
  GgufScales scales = extract_scales(rows, *block, bad_block);
  if (bad_block) {
    throw FormatError(file.path().string(), entry.file_offset + *bad_block * block->bytes,
                      "tensor '" + name + "' has a scale that is not finite");
  }
  HostBytes codes = repack_codes(rows, *block);
  release_mapped_pages(entry.bytes.bytes);
  return assemble(rows, *block, std::move(codes), std::move(scales));
}

Array gguf_array(const GgufFile& file, const std::string& name,
                 std::span<const std::int64_t> row_order) {
  const TensorEntry& entry = file.at(name);
  const auto dtype = dtype_of_file_type(entry.type);
  if (!dtype || !is_float(*dtype)) {
    fail(file, entry, "has type " + entry.type + "; F32, F16 and BF16 are read as they are");
  }
  const Shape shape{std::span<const std::int64_t>(entry.shape)};
  if (row_order.empty()) return array_of(entry.bytes, shape, *dtype);
  require(shape.rank() > 0, "gguf_array", "a scalar has no rows to order");
  check_row_order(row_order, shape[0], "gguf_array");
  return Array::wrap(HostBytes::own(reordered(entry, row_order)), shape, *dtype);
}

}  // namespace clmx
