#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clmx/host/array.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx {

/// Arguments of a golden case: a JSON object behind typed look-ups, which throw FormatError when
/// the value is of another type.
class GoldenArguments {
 public:
  GoldenArguments(const std::string& json, std::string file);
  bool has(const std::string& key) const;  ///< given and not null
  bool is_text(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;
  std::optional<int> integer(const std::string& key) const;
  bool flag(const std::string& key, bool otherwise) const;
  std::string json() const;  ///< as they were given
  std::string text(const std::string& key, const std::string& otherwise) const;

 private:
  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
  std::string file_;
};

/// A case of a family: an op with its arguments, and the names of its tensors in the family's file.
struct GoldenCase {
  std::string name, op, check, dtype;
  GoldenArguments args;
  std::map<std::string, std::string> inputs, outputs;
  double tol = 0, terms = 0;
  bool two_roundings = false;
};

/// An argument set that is to be refused or accepted. Inputs are written "f32[4,64]" or
/// "u32=[0,1]", results "f32[4,8]".
struct GoldenEntry {
  std::string name, op;
  GoldenArguments args;
  std::map<std::string, std::string> inputs;
  std::vector<std::string> result;
  bool refuse = false;
};

/// The cases of one file. The file is opened when a tensor is first asked for.
class GoldenFamily {
 public:
  GoldenFamily(std::string name, std::filesystem::path file, std::vector<GoldenCase> cases)
      : name_(std::move(name)), path_(std::move(file)), cases_(std::move(cases)) {}
  const std::string& name() const { return name_; }
  const std::vector<GoldenCase>& cases() const { return cases_; }

  /// An input; booleans are u8. Throws FormatError when the case has none of that name.
  Array input(const GoldenCase& golden, const std::string& key) const;
  std::optional<Array> optional_input(const GoldenCase& golden, const std::string& key) const;
  /// What the case wants, as an array.
  Array output(const GoldenCase& golden, const std::string& key) const;
  /// A tensor of outputs in float64: F64 as it is, other types widened.
  std::vector<double> doubles(const GoldenCase& golden, const std::string& key) const;
  Shape output_shape(const GoldenCase& golden, const std::string& key) const;
  int rank(const GoldenCase& golden, const std::string& key) const;
  std::string file_name() const { return path_.string(); }

 private:
  const SafetensorsFile& file() const;
  std::string name_;
  std::filesystem::path path_;
  std::vector<GoldenCase> cases_;
  mutable std::shared_ptr<const SafetensorsFile> file_;
};

/// The small model of a golden directory.
struct GoldenCheckpoint {
  std::filesystem::path folder;
  std::string expected;  ///< the file of ids and logits in it
  double tol = 0;
};

/// manifest.json of a golden directory. Throws FormatError.
class GoldenManifest {
 public:
  static constexpr const char* validation = "validation";
  static constexpr const char* checkpoint = "checkpoint";

  explicit GoldenManifest(const std::filesystem::path& directory);
  /// Families of the manifest, then validation and checkpoint.
  std::vector<std::string> names() const;
  const GoldenFamily& family(const std::string& name) const;
  const std::vector<GoldenEntry>& entries() const { return entries_; }
  const std::optional<GoldenCheckpoint>& small_model() const { return small_model_; }

 private:
  std::vector<GoldenFamily> families_;
  std::vector<GoldenEntry> entries_;
  std::optional<GoldenCheckpoint> small_model_;
};

}  // namespace clmx
