#include "fingerprint.hpp"

#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "common_options.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"
#include "place_option.hpp"

namespace clmx::cli {
namespace {

struct FingerprintOptions {
  PlaceOptions placing;
  bool steps = false;
};

struct DeviceFingerprint {
  Device device;
  Fingerprint result;
  std::optional<std::string> difference = {};  ///< from what is published, or from the first device
};

std::vector<DeviceFingerprint> fingerprints(const CommonOptions& common,
                                            const FingerprintOptions& options,
                                            const ModelFile& file) {
  const PlaceRequest placing(options.placing, common, file.config().layers);
  const std::vector<Device> devices =
      placing.given() ? std::vector{placing.device()} : common.devices(CommonOptions::Without::all);
  const auto model = file.load({.dtype = DType::f32});
  placing.apply(*model, file.config().context, common.quiet);
  std::vector<DeviceFingerprint> all;
  for (const Device& device : devices) {
    if (!common.quiet) std::cerr << device.info().selector << '\n';
    all.push_back({device, fingerprint_of(file, *model, device), {}});
  }
  return all;
}

void find_differences(std::vector<DeviceFingerprint>& all, const Fingerprint* published) {
  const Fingerprint wanted = published != nullptr ? *published : all.front().result;
  for (DeviceFingerprint& each : all) each.difference = first_difference(wanted, each.result);
}

std::string verdict(const DeviceFingerprint& one, const Fingerprint* published, bool alone) {
  const char* const other = published != nullptr ? "published" : "the first device";
  if (one.difference) return join("other than ", other, ", first in ", *one.difference);
  if (published != nullptr) return "same as published";
  return alone ? "none is published for this model" : "same as the first device";
}

void print_lines(const std::vector<DeviceFingerprint>& all, const Fingerprint* published,
                 bool steps) {
  for (const DeviceFingerprint& one : all) {
    std::cout << one.device.info().selector << ": fingerprint " << one.result.value() << ": "
              << verdict(one, published, all.size() == 1) << '\n';
    if (!steps) continue;
    for (const auto& [name, digest] : one.result.steps)
      std::cout << "  " << digest << ' ' << name << '\n';
  }
}

void print_document(const std::vector<DeviceFingerprint>& all, const Fingerprint* published,
                    const std::string& model) {
  Json document = new_document();
  document["model_digest"] = model;
  document["published"] = published != nullptr ? Json(published->value()) : Json(nullptr);
  document["devices"] = Json::array();
  for (const DeviceFingerprint& one : all) {
    Json entry{{"id", one.device.info().id},
               {"selector", one.device.info().selector},
               {"fingerprint", one.result.value()}};
    entry["first_difference"] = one.difference ? Json(*one.difference) : Json(nullptr);
    document["devices"].push_back(std::move(entry));
  }
  print(document);
}

int fingerprint(const CommonOptions& common, const FingerprintOptions& options) {
  const ModelFile file(common.model_path());
  std::vector<DeviceFingerprint> all = fingerprints(common, options, file);
  const std::string digest = model_digest(common.model_path());
  const Fingerprint* const published = published_fingerprint(digest);
  find_differences(all, published);
  if (common.json) {
    print_document(all, published, digest);
  } else {
    print_lines(all, published, options.steps);
  }
  const bool same = std::ranges::none_of(
      all, [](const DeviceFingerprint& each) { return each.difference.has_value(); });
  return static_cast<int>(same ? ExitCode::ok : ExitCode::gate);
}

}  // namespace

Command fingerprint_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand(
      "fingerprint", "Say in one line whether a device gives the published bits");
  const auto options = std::make_shared<FingerprintOptions>();
  parser->add_flag("--steps", options->steps, "Also the digest of each step");
  add_place_options(*parser, options->placing);
  return {parser, [&common, options] { return fingerprint(common, *options); }};
}

}  // namespace clmx::cli
