#include "verify_golden.hpp"

#include <array>
#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "common_options.hpp"
#include "embedded_golden.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"
#include "report_file.hpp"

namespace clmx::cli {
namespace {

struct GoldenOptions {
  std::string golden, junit;
  std::optional<std::string> family, case_name;
};

/// The first case that failed in a family, and the command that runs it alone.
struct FirstFailure {
  const FamilyResult* family = nullptr;
  const CaseResult* found = nullptr;
  std::string repeat;
};

FirstFailure first_failure(const FamilyResult& family, const DeviceResult& device,
                           const GoldenOptions& options) {
  const CaseResult* const found = family.first_failure();
  if (found == nullptr) return {};
  std::string repeat = "clmx verify";
  if (!options.golden.empty()) repeat += " --golden " + quoted(options.golden);
  repeat += " --family " + quoted(family.name) + " --case " + quoted(found->name);
  return {&family, found, repeat + " -d " + quoted(device.selector)};
}

FirstFailure first_failure(const DeviceResult& device, const GoldenOptions& options) {
  for (const FamilyResult& family : device.families) {
    FirstFailure failure = first_failure(family, device, options);
    if (failure.found != nullptr) return failure;
  }
  return {};
}

constexpr auto outcome_names =
    std::to_array<std::pair<const char*, Outcome>>({{"bit_equal", Outcome::bit_equal},
                                                    {"within", Outcome::within},
                                                    {"refused", Outcome::refused},
                                                    {"accepted", Outcome::accepted},
                                                    {"not_covered", Outcome::not_covered},
                                                    {"failed", Outcome::failed}});

Json described(const FirstFailure& failure) {
  if (failure.found == nullptr) return nullptr;
  const CaseResult& one = *failure.found;
  Json json{{"family", failure.family->name},
            {"case", one.name},
            {"what", one.what},
            {"index", one.index},
            {"got", one.got},
            {"wanted", one.wanted}};
  json["arguments"] = one.arguments.empty() ? Json(nullptr) : Json::parse(one.arguments);
  json["repeat"] = failure.repeat;
  return json;
}

Json described(const FamilyResult& family, const FirstFailure& failure) {
  Json json{{"cases", family.cases.size()}};
  for (const auto& [name, outcome] : outcome_names) json[name] = family.count(outcome);
  json["worst"] = family.worst();
  json["first_failure"] = described(failure);
  return json;
}

void print_document(const std::vector<DeviceResult>& results, const GoldenOptions& options) {
  Json document = new_document();
  document["devices"] = Json::array();
  for (const DeviceResult& device : results) {
    Json families = Json::object();
    for (const FamilyResult& family : device.families) {
      families[family.name] = described(family, first_failure(family, device, options));
    }
    document["devices"].push_back({{"id", device.id},
                                   {"selector", device.selector},
                                   {"families", std::move(families)},
                                   {"first_failure", described(first_failure(device, options))}});
  }
  print(document);
}

void print_line(const DeviceResult& device, const FamilyResult& family) {
  std::cout << device.selector << ' ' << family.name << ": " << family.cases.size() << " cases";
  for (const auto& [name, outcome] : outcome_names) {
    if (const int count = family.count(outcome)) std::cout << ", " << count << ' ' << name;
  }
  if (family.worst() > 0) std::cout << ", worst error " << family.worst() << " of its bound";
  std::cout << '\n';
}

void print_failure(const FirstFailure& failure) {
  if (failure.found == nullptr) return;
  const CaseResult& one = *failure.found;
  std::cout << "  first failure: " << failure.family->name << ' ' << one.name << ": " << one.what
            << " (element " << one.index << ": got " << one.got << ", wanted " << one.wanted
            << ")\n  arguments: " << one.arguments << "\n  repeat: " << failure.repeat << '\n';
}

void print_lines(const std::vector<DeviceResult>& results, const GoldenOptions& options) {
  for (const DeviceResult& device : results) {
    for (const FamilyResult& family : device.families) {
      print_line(device, family);
      print_failure(first_failure(family, device, options));
    }
  }
}

/// Results were compared that no kernel made, or nothing at all was checked.
bool nothing_verified(const std::vector<DeviceResult>& results) {
  if (build_stats().launches > 0) return false;
  int compared = 0, answered = 0;
  for (const DeviceResult& device : results) {
    for (const FamilyResult& family : device.families) {
      compared += family.count(Outcome::bit_equal) + family.count(Outcome::within);
      answered += family.count(Outcome::refused) + family.count(Outcome::accepted);
    }
  }
  return compared > 0 || answered == 0;
}

int verify(const CommonOptions& common, const GoldenOptions& options) {
  const std::vector<Device> devices = common.devices(CommonOptions::Without::all);
  if (devices.empty()) throw DeviceNotFound("no OpenCL device was found");
  std::optional<EmbeddedGolden> embedded;
  if (options.golden.empty()) embedded.emplace();
  const std::filesystem::path folder =
      embedded ? embedded->folder() : std::filesystem::path(options.golden);
  VerifyOptions checks{.family = options.family, .case_name = options.case_name};
  if (!common.quiet) {
    checks.progress = [](const Device& device, const std::string& family) {
      std::cerr << device.info().selector << ": " << family << '\n';
    };
  }
  const std::vector<DeviceResult> results = verify_golden(folder, devices, checks);
  if (!options.junit.empty()) write_report(options.junit, to_junit(results));
  common.json ? print_document(results, options) : print_lines(results, options);
  int failed = 0;
  for (const DeviceResult& device : results) failed += device.failed();
  if (!options.case_name && nothing_verified(results)) {
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
                     "Folder with manifest.json (default: the cases in the program itself)");
  parser->add_option("--family", options->family, "Only this family");
  parser->add_option("--case", options->case_name, "Only the cases of this name");
  parser->add_option("--junit", options->junit, "Also write JUnit's XML");
  return {parser, [&common, options] { return verify(common, *options); }};
}

}  // namespace clmx::cli
