#include "golden_manifest.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "op_case.hpp"

namespace clmx {
namespace {

using Json = nlohmann::ordered_json;

constexpr int max_depth = 64;

Json parse_manifest(const std::filesystem::path& path) {
  const HostBytes held = map_file(path);
  const char* text = reinterpret_cast<const char*>(held.bytes.data());
  // What handles a tree calls itself once a level.
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > max_depth) throw FormatError(path.string(), 0, "is nested too deeply");
    return true;
  };
  return Json::parse(text, text + held.bytes.size(), shallow);
}

std::map<std::string, std::string> texts(const Json& object) {
  return object.get<std::map<std::string, std::string>>();
}

/// Names go to terminals: control characters become spaces.
std::string printable(std::string text) {
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), control, ' ');
  return text;
}

GoldenCase read_case(const Json& json, const std::string& file) {
  return {.name = printable(json.at("name").get<std::string>()),
          .op = json.at("op").get<std::string>(),
          .check = json.at("check").get<std::string>(),
          .dtype = json.value("dtype", ""),
          .args = GoldenArguments(json.at("args").dump(), file),
          .inputs = texts(json.at("inputs")),
          .outputs = texts(json.at("outputs")),
          .tol = json.value("tol", 0.0),
          .terms = json.value("terms", 0.0),
          .two_roundings = json.value("two_roundings", false)};
}

GoldenEntry read_entry(const Json& json, const std::string& file) {
  GoldenEntry entry{.name = {},
                    .op = json.at("op").get<std::string>(),
                    .args = GoldenArguments(json.at("args").dump(), file),
                    .inputs = texts(json.at("inputs")),
                    .result = json.value("result", std::vector<std::string>{}),
                    .refuse = json.at("clmx").get<std::string>() == "refuse"};
  entry.name = printable(entry.op + ": " + json.value("why", ""));
  return entry;
}

/// The plain name of a file that a manifest names: it lies beside the manifest, whatever it says.
std::string plain_name(const Json& json, const std::string& file) {
  std::string name = json.get<std::string>();
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw FormatError(file, 0, "'" + name + "' is not a plain file name");
  return name;
}

GoldenCheckpoint read_checkpoint(const Json& json, const std::filesystem::path& directory) {
  const std::string file = (directory / "manifest.json").string();
  return {directory / plain_name(json.at("dir"), file), plain_name(json.at("expected"), file),
          json.at("tol").get<double>()};
}

/// Entries may share a reason; a name says which one is meant.
void number_equal_names(std::vector<GoldenEntry>& entries) {
  std::map<std::string, int> seen;
  for (GoldenEntry& entry : entries) {
    if (const int count = ++seen[entry.name]; count > 1) entry.name += join(" (", count, ')');
  }
}

}  // namespace

struct GoldenArguments::Parsed {
  Json json;
};

GoldenArguments::GoldenArguments(const std::string& json, std::string file)
    : parsed_(std::make_shared<Parsed>(Parsed{Json::parse(json)})), file_(std::move(file)) {
  if (!parsed_->json.is_object()) throw FormatError(file_, 0, "args is not an object");
}

bool GoldenArguments::has(const std::string& key) const {
  return parsed_->json.contains(key) && !parsed_->json[key].is_null();
}

bool GoldenArguments::is_text(const std::string& key) const {
  return has(key) && parsed_->json[key].is_string();
}

double GoldenArguments::number(const std::string& key, double otherwise) const {
  if (!has(key)) return otherwise;
  const Json& value = parsed_->json[key];
  if (!value.is_number()) throw FormatError(file_, 0, "argument " + key + " is not a number");
  return value.get<double>();
}

std::optional<int> GoldenArguments::integer(const std::string& key) const {
  if (!has(key)) return {};
  const double value = number(key, 0);
  if (value != std::trunc(value) || std::abs(value) > 1e9) {
    throw FormatError(file_, 0, "argument " + key + " is not an integer");
  }
  return static_cast<int>(value);
}

bool GoldenArguments::flag(const std::string& key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const Json& value = parsed_->json[key];
  if (!value.is_boolean()) throw FormatError(file_, 0, "argument " + key + " is not a boolean");
  return value.get<bool>();
}

std::string GoldenArguments::json() const {
  return parsed_->json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string GoldenArguments::text(const std::string& key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  const Json& value = parsed_->json[key];
  if (!value.is_string()) throw FormatError(file_, 0, "argument " + key + " is not a text");
  return value.get<std::string>();
}

const SafetensorsFile& GoldenFamily::file() const {
  if (!file_) file_ = std::make_shared<SafetensorsFile>(path_);
  return *file_;
}

namespace {

const std::string& tensor_name(const std::map<std::string, std::string>& names,
                               const std::string& key, const GoldenCase& golden,
                               const std::filesystem::path& file) {
  const auto found = names.find(key);
  if (found == names.end())
    throw FormatError(file.string(), 0, "case " + golden.name + " has no tensor " + key);
  return found->second;
}

}  // namespace

Array GoldenFamily::input(const GoldenCase& golden, const std::string& key) const {
  return file().array(tensor_name(golden.inputs, key, golden, path_));
}

std::optional<Array> GoldenFamily::optional_input(const GoldenCase& golden,
                                                  const std::string& key) const {
  if (!golden.inputs.contains(key)) return {};
  return input(golden, key);
}

Array GoldenFamily::output(const GoldenCase& golden, const std::string& key) const {
  return file().array(tensor_name(golden.outputs, key, golden, path_));
}

std::vector<double> GoldenFamily::doubles(const GoldenCase& golden, const std::string& key) const {
  const std::string& name = tensor_name(golden.outputs, key, golden, path_);
  const TensorEntry& entry = file().at(name);
  if (entry.type != "F64") return widen(file().array(name)).values;
  std::vector<double> values(entry.bytes.bytes.size() / sizeof(double));
  if (!values.empty())
    std::memcpy(values.data(), entry.bytes.bytes.data(), values.size() * sizeof(double));
  return values;
}

Shape GoldenFamily::output_shape(const GoldenCase& golden, const std::string& key) const {
  const TensorEntry& entry = file().at(tensor_name(golden.outputs, key, golden, path_));
  if (entry.shape.size() > Shape::max_rank)
    throw FormatError(path_.string(), entry.file_offset,
                      "tensor " + entry.name + " has too many axes");
  return Shape{std::span<const std::int64_t>(entry.shape)};
}

int GoldenFamily::rank(const GoldenCase& golden, const std::string& key) const {
  const std::string& name = tensor_name(golden.inputs, key, golden, path_);
  return static_cast<int>(file().at(name).shape.size());
}

GoldenManifest::GoldenManifest(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "manifest.json";
  const std::string file = path.string();
  try {
    const Json json = parse_manifest(path);
    for (const auto& [name, family] : json.at("families").items()) {
      std::vector<GoldenCase> cases;
      for (const Json& one : family.at("cases")) cases.push_back(read_case(one, file));
      families_.emplace_back(printable(name), directory / plain_name(family.at("file"), file),
                             std::move(cases));
    }
    for (const char* list : {"errors", "accepted"}) {
      for (const Json& one : json.value(list, Json::array()))
        entries_.push_back(read_entry(one, file));
    }
    number_equal_names(entries_);
    if (json.contains("checkpoint"))
      small_model_ = read_checkpoint(json.at("checkpoint"), directory);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(file, 0, error.what());
  }
}

std::vector<std::string> GoldenManifest::names() const {
  std::vector<std::string> names;
  for (const GoldenFamily& family : families_) names.push_back(family.name());
  if (!entries_.empty()) names.emplace_back(validation);
  if (small_model_) names.emplace_back(checkpoint);
  return names;
}

const GoldenFamily& GoldenManifest::family(const std::string& name) const {
  const auto found =
      std::find_if(families_.begin(), families_.end(),
                   [&](const GoldenFamily& family) { return family.name() == name; });
  require(found != families_.end(), "verify", "there is no family '", name, "'");
  return *found;
}

}  // namespace clmx
