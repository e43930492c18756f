#include "loop_limit.hpp"

#include <bit>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "clmx/devices/error.hpp"
#include "launch.hpp"

namespace clmx {
namespace {

/// Below every limit seen: nothing is measured for the sizes of models.
constexpr std::int64_t turns_of_every_device = 32768;

std::int64_t measured_limit(const Device& device) {
  const Stream stream = device.default_stream();
  const Array go = Array::from(std::vector<std::uint32_t>{0}, {1});
  const Array turns = Array::empty({1}, DType::u32, stream);
  launch(stream, device.kernel({kernels(), "probe_loop.cl", "probe_loop", {}}), Grid{}, go, turns,
         static_cast<std::uint32_t>(turns_tried));
  return turns.to_vector<std::uint32_t>().front();
}

}  // namespace

std::int64_t loop_limit(const Device& device) {
  static std::mutex mutex;
  static std::unordered_map<Device, std::int64_t> limits;
  const std::lock_guard lock(mutex);
  const auto known = limits.find(device);
  if (known != limits.end()) return known->second;
  return limits.emplace(device, measured_limit(device)).first->second;
}

std::int64_t turns_of_sum(std::int64_t turns, std::int64_t blocks) {
  const auto depth = static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(blocks)));
  return turns + blocks * (depth + 8);  // a loop's last look at its end counts as a turn too
}

void require_turns(const Device& device, std::int64_t turns, std::string_view op,
                   std::string_view what, std::int64_t size) {
  if (turns <= turns_of_every_device) return;
  const std::int64_t limit = loop_limit(device);
  require(limit == turns_tried || turns <= limit, op, what, " of ", size, " takes loops of up to ",
          turns, " turns, and ", device.info().selector, " ends loops after ", limit,
          " without an error; use another device");
}

}  // namespace clmx
