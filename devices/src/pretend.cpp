#include "pretend.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "device_info.hpp"

namespace clmx {
namespace {

using nlohmann::json;

constexpr std::string_view variable = "CLMX_PRETEND";

PretendProfile mali() {
  PretendProfile profile;
  profile.name = "mali";
  profile.unified_memory = true;
  return profile;
}

PretendProfile discrete(std::string name, int subgroup_size, bool unified_memory) {
  PretendProfile profile;
  profile.name = std::move(name);
  profile.max_allocation_bytes = std::size_t{256} << 20;
  profile.max_work_group_size = 256;
  profile.local_bytes = std::size_t{32} << 10;
  profile.subgroup_size = subgroup_size;
  profile.unified_memory = unified_memory;
  return profile;
}

/// A field of the file: its name and how it is taken over. Throws json::exception or ArgumentError.
struct Field {
  std::string_view name;
  void (*take)(PretendProfile& profile, const json& value);
};

template <class T, T PretendProfile::*member>
void take_number(PretendProfile& profile, const json& value) {
  constexpr std::uint64_t least = std::is_same_v<T, int> ? 0 : 1, most = std::uint64_t{1} << 30;
  const bool known = value.is_number_unsigned() && value.get<std::uint64_t>() >= least;
  require(known, variable, value.dump(), " is not a number of at least ", least);
  profile.*member =
      static_cast<T>(std::is_same_v<T, int> ? std::min(value.get<std::uint64_t>(), most)
                                            : value.get<std::uint64_t>());
}

template <bool PretendProfile::*member>
void take_flag(PretendProfile& profile, const json& value) {
  require(value.is_boolean(), variable, value.dump(), " is not true or false");
  profile.*member = value.get<bool>();
}

void take_type(PretendProfile& profile, const json& value) {
  for (const DeviceType type : {DeviceType::cpu, DeviceType::gpu, DeviceType::accelerator}) {
    if (value == std::string(to_string(type))) {
      profile.type = type;
      return;
    }
  }
  require(false, variable, value.dump(), " is not one of \"cpu\", \"gpu\" and \"accelerator\"");
}

constexpr std::array fields{
    Field{"type", take_type},
    Field{"max_allocation", take_number<std::size_t, &PretendProfile::max_allocation_bytes>},
    Field{"max_work_group", take_number<std::size_t, &PretendProfile::max_work_group_size>},
    Field{"local_bytes", take_number<std::size_t, &PretendProfile::local_bytes>},
    Field{"max_parameter_bytes", take_number<std::size_t, &PretendProfile::max_parameter_bytes>},
    Field{"subgroups", take_number<int, &PretendProfile::subgroup_size>},
    Field{"unified_memory", take_flag<&PretendProfile::unified_memory>},
    Field{"fp16", take_flag<&PretendProfile::fp16>},
    Field{"fp64", take_flag<&PretendProfile::fp64>},
    Field{"int_dot", take_flag<&PretendProfile::int_dot>},
};

PretendProfile from_file(const std::string& path) {
  std::error_code ignored;
  require(std::filesystem::is_regular_file(path, ignored), variable, "'", path,
          "' is none of mali, gcn and gen9, nor a file");
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  require(in.good(), variable, "cannot read ", path);
  const json document = json::parse(text, nullptr, false);
  require(document.is_object(), variable, path, " does not hold one JSON object");
  PretendProfile profile;
  profile.name = path;
  for (const auto& [name, value] : document.items()) {
    const auto field = std::ranges::find(fields, name, &Field::name);
    require(field != fields.end(), variable, path, ": unknown field '", name, "'");
    field->take(profile, value);
  }
  return profile;
}

}  // namespace

PretendProfile pretend_profile(const std::string& name) {
  if (name == "mali") return mali();
  if (name == "gcn") return discrete(name, 64, false);
  if (name == "gen9") return discrete(name, 32, true);
  return from_file(name);
}

DeviceInfo pretend(DeviceInfo real, const PretendProfile& profile) {
  DeviceInfo info = std::move(real);
  info.pretends = profile.name;
  info.type = profile.type;
  info.max_allocation_bytes = std::min(info.max_allocation_bytes, profile.max_allocation_bytes);
  info.max_work_group_size = std::min(info.max_work_group_size, profile.max_work_group_size);
  info.local_bytes = std::min(info.local_bytes, profile.local_bytes);
  info.max_parameter_bytes = std::min(info.max_parameter_bytes, profile.max_parameter_bytes);
  info.subgroup_size = std::min(info.subgroup_size, profile.subgroup_size);
  info.unified_memory = info.unified_memory && profile.unified_memory;
  info.fp16 = info.fp16 && profile.fp16;
  info.fp64 = info.fp64 && profile.fp64;
  info.int_dot = info.int_dot && profile.int_dot;
  info.device_class = device_class(info);
  return info;
}

}  // namespace clmx
