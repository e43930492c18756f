#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"

namespace clmx {

/// Two layers and a norm, as a model holds them.
class Block final : public Module {
 public:
  Block() : norm(Array::from(std::vector<float>(64, 1.0f), Shape{64}), 1e-5f) {}
  void visit(Visitor& v) override {
    v.slot("embed", embed);
    v.slot("proj", proj);
    v.child("norm", norm);
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Block>(*this); }
  std::string describe() const override { return "Block"; }
  Slot<EmbeddingLayer> embed{std::make_unique<Embedding>(Embedding::random(10, 64, 1))};
  Slot<LinearLayer> proj{std::make_unique<Linear>(Linear::random(64, 32, 2))};
  RMSNorm norm;
};

inline std::unique_ptr<Linear> linear(std::int64_t in, std::int64_t out, std::uint64_t seed) {
  return std::make_unique<Linear>(Linear::random(in, out, seed));
}

inline std::vector<std::byte> bytes_of(const Array& array) {
  std::vector<std::byte> bytes(array.bytes());
  array.read(bytes);
  return bytes;
}

inline std::vector<std::string> names(const std::vector<NamedArray>& arrays) {
  std::vector<std::string> result;
  for (const NamedArray& array : arrays) result.push_back(array.name);
  return result;
}

}  // namespace clmx
