#include "verify_golden.hpp"

#include <array>
#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/model_file.hpp"
#include "common_options.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"

namespace clmx::cli {
namespace {

struct GoldenOptions {
  std::string golden, junit;
  std::optional<std::string> family;
};

constexpr auto outcome_names =
    std::to_array<std::pair<const char*, Outcome>>({{"bit_equal", Outcome::bit_equal},
                                                    {"within", Outcome::within},
                                                    {"refused", Outcome::refused},
                                                    {"accepted", Outcome::accepted},
                                                    {"not_covered", Outcome::not_covered},
                                                    {"failed", Outcome::failed}});

Json described(const FamilyResult& family) {
  Json json{{"cases", family.cases.size()}};
  for (const auto& [name, outcome] : outcome_names) json[name] = family.count(outcome);
  json["worst"] = family.worst();
  return json;
}

Json first_failure(const DeviceResult& device) {
  for (const FamilyResult& family : device.families) {
    if (const CaseResult* found = family.first_failure()) {
      return Json{{"family", family.name}, {"case", found->name}, {"what", found->what},
                  {"index", found->index}, {"got", found->got},   {"wanted", found->wanted}};
    }
  }
  return nullptr;
}

void print_document(const std::vector<DeviceResult>& results) {
  Json document = new_document();
  document["devices"] = Json::array();
  for (const DeviceResult& device : results) {
    Json families = Json::object();
    for (const FamilyResult& family : device.families) families[family.name] = described(family);
    document["devices"].push_back({{"id", device.id},
                                   {"selector", device.selector},
                                   {"families", std::move(families)},
                                   {"first_failure", first_failure(device)}});
  }
  print(document);
}

void print_lines(const std::vector<DeviceResult>& results) {
  for (const DeviceResult& device : results) {
    for (const FamilyResult& family : device.families) {
      std::cout << device.selector << ' ' << family.name << ": " << family.cases.size() << " cases";
      for (const auto& [name, outcome] : outcome_names) {
        if (const int count = family.count(outcome)) std::cout << ", " << count << ' ' << name;
      }
      std::cout << '\n';
      if (const CaseResult* found = family.first_failure()) {
        std::cout << "  first failure: " << found->name << ": " << found->what << '\n';
      }
    }
  }
}

void write_junit(const std::string& path, const std::vector<DeviceResult>& results) {
  const std::string text = to_junit(results);
  try {
    write_file_atomically(path, std::as_bytes(std::span(text)));
  } catch (const FormatError& error) {
    throw std::runtime_error(error.what());  // the disk's fault, not a model's
  }
}

int verify(const CommonOptions& common, const GoldenOptions& options) {
  const std::vector<Device> devices = common.devices(CommonOptions::Without::all);
  if (devices.empty()) throw DeviceNotFound("no OpenCL device was found");
  const std::filesystem::path folder =
      options.golden.empty() ? data_folder() / "golden" : std::filesystem::path(options.golden);
  VerifyOptions checks{.family = options.family};
  if (!common.quiet) {
    checks.progress = [](const Device& device, const std::string& family) {
      std::cerr << device.info().selector << ": " << family << '\n';
    };
  }
  const std::vector<DeviceResult> results = verify_golden(folder, devices, checks);
  if (!options.junit.empty()) write_junit(options.junit, results);
  common.json ? print_document(results) : print_lines(results);
  int failed = 0;
  for (const DeviceResult& device : results) failed += device.failed();
  if (build_stats().launches == 0) {
    std::cerr << "clmx: nothing was verified: no kernel ran\n";
    ++failed;
  }
  return static_cast<int>(failed == 0 ? ExitCode::ok : ExitCode::gate);
}

}  // namespace

Command verify_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("verify", "Check golden cases on each device");
  const auto options = std::make_shared<GoldenOptions>();
  parser->add_option("--golden", options->golden,
                     "Folder with manifest.json (default: golden in clmx's data folder)");
  parser->add_option("--family", options->family, "Only this family");
  parser->add_option("--junit", options->junit, "Also write JUnit's XML");
  return {parser, [&common, options] { return verify(common, *options); }};
}

}  // namespace clmx::cli
