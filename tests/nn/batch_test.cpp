#include "batch_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

constexpr const char* any_model = "llama_affine4_g64_bf16";
constexpr std::size_t positions = 70;  // more than a block of keys and a cache's first room

class BatchedTinyLlama : public testing::TestWithParam<std::string> {};

TEST_P(BatchedTinyLlama, EachRowHasTheBitsOfTheRowAloneAtEveryPosition) {
  const auto model = load_model(tiny_folder(GetParam()));
  const TokenRows rows = token_rows(4, positions, model->vocabulary());
  const auto wanted = single_bits(*model, rows, test_devices().front());
  for (const Device& device : test_devices()) {
    for (const std::size_t chunk : {positions, std::size_t{9}, std::size_t{1}}) {
      ModelCache cache = model->new_cache();
      const auto bits = batch_bits(*model, cache, rows, chunk, device);
      EXPECT_EQ(cache.batch(), 4);
      for (std::size_t b = 0; b < rows.size(); ++b)
        EXPECT_TRUE(bits[b] == wanted[b])
            << "row " << b << " in chunks of " << chunk << " on " << device.info().selector;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, BatchedTinyLlama, testing::ValuesIn(tiny_names()),
                         [](const auto& test) { return test.param; });

TEST(Batch, RowsOfNarrowActivationsHaveTheBitsOfTheRowAlone) {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    const auto model = load_model(tiny_folder(any_model), {.dtype = dtype});
    const TokenRows rows = token_rows(4, 12, model->vocabulary());
    const auto wanted = single_bits(*model, rows, test_devices().front());
    for (const Device& device : test_devices()) {
      ModelCache cache = model->new_cache();
      EXPECT_TRUE(batch_bits(*model, cache, rows, 5, device) == wanted)
          << dtype << " on " << device.info().selector;
    }
  }
}

TEST(Batch, RowsOfAPlacedModelHaveTheBitsOfTheRowAlone) {
  const std::vector<Device> devices = test_devices();
  const auto model = load_model(tiny_folder(any_model));
  const TokenRows rows = token_rows(4, 12, model->vocabulary());
  const auto wanted = single_bits(*model, rows, devices.front());
  Placement placement;
  placement.add("model.layers.0", devices.back());
  placement.add("model.layers.1.mlp", {{devices.front()}, {devices.back(), 2}});
  placement.add("lm_head", {{devices.back()}, {devices.front()}});
  model->place(placement);
  for (const std::size_t chunk : {12U, 5U, 1U}) {
    ModelCache cache = model->new_cache();
    EXPECT_TRUE(batch_bits(*model, cache, rows, chunk, devices.front()) == wanted) << chunk;
  }
}

TEST(Batch, LastLogitsAreTheLastOfEachRow) {
  for (const char* name : {any_model, "llama_unquantized_f16_tied"}) {
    const auto model = load_model(tiny_folder(name));
    const TokenRows rows = token_rows(3, 5, model->vocabulary());
    const Array tokens = tokens_of(rows, 0, 5);
    for (const Device& device : test_devices()) {
      ModelCache first = model->new_cache(), second = model->new_cache();
      const Array all = model->forward(tokens, first, LogitRows::all, device);
      const Array last = model->forward(tokens, second, LogitRows::last, device);
      ASSERT_EQ(all.shape(), (Shape{3, 5, model->vocabulary()}));
      ASSERT_EQ(last.shape(), (Shape{3, 1, model->vocabulary()}));
      const Array flat = all.reshape({15, model->vocabulary()});
      for (std::int64_t b = 0; b < 3; ++b)
        EXPECT_EQ(last.rows(b, b + 1).to_vector<float>(),
                  flat.rows(5 * b + 4, 5 * b + 5).to_vector<float>());
      EXPECT_EQ(model->forward(tokens, second, LogitRows::none, device).size(), 0);
      EXPECT_EQ(second.length(), 10);
    }
  }
}

TEST(Batch, TokensWithoutABatchAreABatchOfOne) {
  const auto model = load_model(tiny_folder(any_model));
  const Device device = test_devices().front();
  const TokenRows rows = token_rows(1, 4, model->vocabulary());
  ModelCache plain = model->new_cache(), batched = model->new_cache();
  EXPECT_EQ(plain.batch(), 0);
  const Array wanted = model->forward(rows[0], plain, LogitRows::last, device);
  const Array got = model->forward(tokens_of(rows, 0, 4), batched, LogitRows::last, device);
  EXPECT_EQ(plain.batch(), 1);
  EXPECT_EQ(wanted.shape(), (Shape{1, model->vocabulary()}));
  EXPECT_EQ(got.shape(), (Shape{1, 1, model->vocabulary()}));
  EXPECT_EQ(got.to_vector<float>(), wanted.to_vector<float>());
  EXPECT_NO_THROW(model->forward(rows[0], batched, LogitRows::none, device));
  EXPECT_EQ(batched.length(), 8);
}

TEST(Batch, ACacheTakesNoOtherBatch) {
  const auto model = load_model(tiny_folder(any_model));
  const Device device = test_devices().front();
  const TokenRows rows = token_rows(4, 3, model->vocabulary());
  ModelCache cache = model->new_cache();
  model->forward(tokens_of(rows, 0, 3), cache, LogitRows::none, device);
  for (const std::size_t batch : {1U, 3U, 5U}) {
    const Array tokens = tokens_of(token_rows(batch, 2, 9), 0, 2);
    try {
      model->forward(tokens, cache, LogitRows::none, device);
      ADD_FAILURE() << "a batch of " << batch << " was taken";
    } catch (const ArgumentError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(join("a batch of ", batch, ", ")));
      EXPECT_THAT(error.what(), testing::HasSubstr("holds a batch of 4"));
    }
    cache.truncate(0);  // what is forgotten does not change it
  }
  EXPECT_THROW(model->forward(rows[0], cache, LogitRows::none, device), ArgumentError);
}

TEST(Batch, RefusesOtherShapesAndIdsAndLeavesTheCacheAsItWas) {
  const auto model = load_model(tiny_folder(any_model));
  ModelCache cache = model->new_cache(4);
  const auto refused = [&](const std::vector<std::int32_t>& ids, const Shape& shape) {
    EXPECT_THROW(model->forward(Array::from(ids, shape), cache), ArgumentError) << shape;
    EXPECT_EQ(cache.length(), 0) << shape;
  };
  refused({1, 2, 3, 4}, {2, 2, 1});
  refused({1}, {});
  refused({}, {0, 3});
  refused({}, {3, 0});
  refused({1, 2, 3, 4, 5, 1, 2, 3, 4, 5}, {2, 5});
  refused({1, 2, 3, 320}, {2, 2});
}

}  // namespace
}  // namespace clmx
