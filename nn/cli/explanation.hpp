#pragma once

#include <map>
#include <string>
#include <vector>

#include "clmx/host/tap.hpp"
#include "clmx/nn/language_model.hpp"
#include "json_output.hpp"

namespace clmx::cli {

/// Which op ran where, and what moved between devices for it.
class Explanation final : public Tap {
 public:
  void op(std::string_view name, const std::any& options, std::span<const Array> inputs,
          const Array& output) override;
  void part(std::string_view path) override;
  void transfer(const DeviceTransfer& transfer) override;

  /// A line per op; equal layers that follow each other are one: "model.layers.0-14".
  std::string text() const;
  Json json() const;

 private:
  struct Part {
    std::string path;
    std::vector<std::string> lines;
    int last_layer = -1;  ///< where equal layers were put together
  };
  std::vector<Part> grouped() const;

  std::vector<Part> parts_;
};

/// A forward of one token, in a cache of its own, on the stream; what it did.
Explanation explain(LanguageModel& model, std::int32_t token, const Stream& stream);

}  // namespace clmx::cli
