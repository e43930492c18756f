#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"

// The BERT encoder of all-MiniLM-L6-v2, of clmx's layers. The names are those of its checkpoint.
struct EncoderSizes {
  std::int64_t words = 30522, positions = 512, dims = 384, inner = 1536, heads = 12, layers = 6;
};

class EncoderBlock final : public clmx::Module {
 public:
  explicit EncoderBlock(const EncoderSizes& sizes);
  clmx::Array forward(const clmx::Array& x, const clmx::Stream& s) const;
  void visit(clmx::Visitor& v) override;
  std::unique_ptr<clmx::Module> clone() const override {
    return std::make_unique<EncoderBlock>(*this);
  }
  std::string describe() const override { return "EncoderBlock"; }

 private:
  clmx::Array attention(const clmx::Array& x, const clmx::Stream& s) const;
  std::int64_t heads_;
  clmx::Slot<clmx::LinearLayer> query_, key_, value_, attention_output_, intermediate_, output_;
  clmx::LayerNorm attention_norm_, norm_;
};

class Encoder final : public clmx::Module {
 public:
  explicit Encoder(const EncoderSizes& sizes = {});
  /// ids: i32 [T], one sentence. Result: the hidden states, [1, T, dims].
  clmx::Array forward(const clmx::Array& ids, clmx::StreamOrDevice s = {}) const;
  /// The mean over the hidden states, of length 1.
  std::vector<double> sentence(const clmx::Array& ids, clmx::StreamOrDevice s = {}) const;
  void visit(clmx::Visitor& v) override;
  std::unique_ptr<clmx::Module> clone() const override { return std::make_unique<Encoder>(*this); }
  std::string describe() const override { return "Encoder"; }

 private:
  clmx::Slot<clmx::EmbeddingLayer> words_, positions_, types_;
  clmx::LayerNorm norm_;
  std::vector<EncoderBlock> blocks_;
};
