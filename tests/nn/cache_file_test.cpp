#include "clmx/nn/cache_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "batch_support.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors_writer.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

using Arrays = std::map<std::string, Array>;
using Metadata = std::map<std::string, std::string>;

constexpr const char* any_model = "llama_affine4_g64_bf16";
constexpr std::size_t prompt = 66, positions = 75;

/// A cache that holds the first `length` columns.
ModelCache filled(LanguageModel& model, const TokenRows& rows, std::size_t length,
                  const Device& device) {
  ModelCache cache = model.new_cache();
  model.forward(tokens_of(rows, 0, length), cache, LogitRows::none, device);
  return cache;
}

class SavedCache : public testing::TestWithParam<std::string> {};

TEST_P(SavedCache, ContinuesWithTheSameBitsOnEveryDevice) {
  const TempFolder folder;
  const auto model = load_model(tiny_folder(GetParam()));
  const std::vector<Device> devices = test_devices();
  for (const std::size_t batch : {1U, 3U}) {
    const TokenRows rows = token_rows(batch, positions, model->vocabulary());
    ModelCache whole = filled(*model, rows, prompt, devices.front());
    const auto wanted = batch_bits(*model, whole, rows, 9, devices.front());
    for (const Device& from : devices) {
      save_cache(folder / "cache", filled(*model, rows, prompt, from));
      for (const Device& to : devices)
        for (const std::size_t chunk : {1U, 4U}) {
          ModelCache cache = load_cache(folder / "cache", *model);
          ASSERT_EQ(cache.length(), prompt);
          EXPECT_EQ(cache.batch(), batch);
          EXPECT_TRUE(batch_bits(*model, cache, rows, chunk, to) == wanted)
              << from.info().selector << " to " << to.info().selector << ", batch " << batch
              << ", chunks of " << chunk;
        }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, SavedCache, testing::ValuesIn(tiny_names()),
                         [](const auto& test) { return test.param; });

/// A cache of two rows in a file of a folder that goes with it.
class CacheFile : public testing::Test {
 protected:
  static constexpr std::size_t length = 5;
  void SetUp() override {
    save_cache(path, filled(*model, rows, length, device), {{"model", "tiny"}});
  }
  /// The file once more, its arrays and metadata changed.
  void rewrite(const std::function<void(Arrays&, Metadata&)>& change) const {
    const SafetensorsFile file(path);
    Arrays arrays;
    for (const auto& [name, entry] : file.tensors()) arrays[name] = file.array(name);
    Metadata metadata = file.metadata();
    change(arrays, metadata);
    save_safetensors(changed, arrays, metadata);
  }
  void refused(const std::string& reason, const std::filesystem::path& file) const {
    try {
      (void)load_cache(file, *model);
      ADD_FAILURE() << "loaded, though: " << reason;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(reason));
    }
  }
  void refused_when(const std::string& reason,
                    const std::function<void(Arrays&, Metadata&)>& change) const {
    rewrite(change);
    refused(reason, changed);
  }

  const TempFolder folder;
  const std::filesystem::path path = folder / "a cache", changed = folder / "changed";
  const std::unique_ptr<LanguageModel> model = load_model(tiny_folder(any_model));
  const Device device = test_devices().front();
  const TokenRows rows = token_rows(2, 9, model->vocabulary());
};

TEST_F(CacheFile, HoldsThePositionsThatAreThereAndTheCallersMetadata) {
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata(),
            (Metadata{{"format", "clmx_kv_cache"}, {"version", "1"}, {"model", "tiny"}}));
  const ModelCache cache = filled(*model, rows, length, device);
  EXPECT_EQ(file.tensors().size(), 2 * cache.layers());
  for (std::size_t i = 0; i < cache.layers(); ++i) {
    const Array keys = file.array(join("layers.", i, ".keys"));
    EXPECT_EQ(keys.shape(), cache.layer(i).keys().shape().with(2, length));
    EXPECT_EQ(keys.dtype(), DType::f32);
  }
}

TEST_F(CacheFile, IsNeverWrittenTo) {
  const std::string before = content_of(path);
  ModelCache whole = filled(*model, rows, length, device);
  for (const Device& each : test_devices()) {
    ModelCache cache = load_cache(path, *model);
    whole.truncate(3);
    cache.truncate(3);
    EXPECT_TRUE(batch_bits(*model, cache, rows, 2, each) ==
                batch_bits(*model, whole, rows, 2, each));
    EXPECT_EQ(content_of(path), before);
  }
}

TEST_F(CacheFile, CanBeReplacedByWhatWasLoadedFromIt) {
  const std::string before = content_of(path);
  ModelCache whole = filled(*model, rows, length, device);
  ModelCache cache = load_cache(path, *model);
  save_cache(path, cache, {{"model", "tiny"}});
  EXPECT_EQ(content_of(path), before);
  EXPECT_TRUE(batch_bits(*model, cache, rows, 4, device) ==
              batch_bits(*model, whole, rows, 4, device));
}

TEST_F(CacheFile, ContinuesUnderAPlacement) {
  ModelCache whole = filled(*model, rows, length, device);
  const auto wanted = batch_bits(*model, whole, rows, 2, device);
  Placement placement;
  placement.add("model.layers.1", test_devices().back());
  model->place(placement);
  save_cache(changed, filled(*model, rows, length, device));
  for (const auto& file : {path, changed}) {
    ModelCache cache = load_cache(file, *model);
    EXPECT_TRUE(batch_bits(*model, cache, rows, 2, device) == wanted) << file;
  }
}

TEST_F(CacheFile, OfNoPositionsGivesANewCache) {
  save_cache(path, model->new_cache());
  EXPECT_EQ(load_cache(path, *model).batch(), 0);
  ModelCache forgotten = filled(*model, rows, length, device);
  forgotten.truncate(0);
  save_cache(path, forgotten);
  ModelCache cache = load_cache(path, *model);
  EXPECT_EQ(cache.length(), 0);
  EXPECT_NO_THROW(model->forward(rows[0], cache, LogitRows::none, device));
}

TEST_F(CacheFile, IsLoadedForTheWantedPositions) {
  EXPECT_EQ(load_cache(path, *model).limit(), model->context());
  ModelCache cache = load_cache(path, *model, length);
  EXPECT_EQ(cache.limit(), static_cast<std::int64_t>(length));
  EXPECT_THROW(model->forward(tokens_of(rows, 0, 1), cache), ArgumentError);
  EXPECT_THROW(load_cache(path, *model, length - 1), ArgumentError);
  EXPECT_THROW(load_cache(path, *model, model->context() + 1), ArgumentError);
}

TEST_F(CacheFile, OfAnotherKindOrVersionIsRefused) {
  refused("no saved cache", tiny_folder(any_model) / "reference.safetensors");
  refused_when("no metadata 'version'", [](Arrays&, Metadata& m) { m.erase("version"); });
  refused_when("the version is '2'", [](Arrays&, Metadata& m) { m["version"] = "2"; });
  refused_when("the format is 'mlx'", [](Arrays&, Metadata& m) { m["format"] = "mlx"; });
}

TEST_F(CacheFile, OfAnotherModelIsRefused) {
  const std::string keys = "layers.1.keys";
  refused_when("3 tensors", [&](Arrays& a, Metadata&) { a.erase(keys); });
  refused_when("5 tensors", [&](Arrays& a, Metadata&) { a["layers.2.keys"] = a[keys]; });
  refused_when("no tensor 'layers.1.keys'", [&](Arrays& a, Metadata&) {
    a["layers.2.keys"] = a[keys];
    a.erase(keys);
  });
  refused_when("is F16", [&](Arrays& a, Metadata&) { a[keys] = cast(a[keys], DType::f16); });
  for (const int axis : {0, 1, 2, 3})
    refused_when("has not the shape", [&](Arrays& a, Metadata&) {
      const Shape shape = a[keys].shape().with(axis, 1);
      a[keys] = a[keys].reshape({a[keys].size()}).rows(0, shape.elements()).reshape(shape);
    });
  refused_when("not 4 axes", [](Arrays& a, Metadata&) {
    for (auto& [name, array] : a) array = array.reshape({array.size()});
  });
}

TEST_F(CacheFile, OfSizesThatNothingHoldsIsRefused) {
  const auto sized = [&](std::int64_t batch, std::int64_t time) {
    return [=](Arrays& a, Metadata&) {
      for (auto& [name, array] : a) {
        const Shape shape{batch, array.shape(1), time, array.shape(3)};
        array = Array::from(std::vector<float>(static_cast<std::size_t>(shape.elements())), shape);
      }
    };
  };
  refused_when("no sequence", sized(0, std::int64_t{1} << 40));
  refused_when("513 positions", sized(1, 513));
  rewrite(sized(1, 512));
  EXPECT_EQ(load_cache(changed, *model).length(), 512);
}

TEST_F(CacheFile, CutOffOrTornIsRefused) {
  const std::string whole = content_of(path);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1})
    refused("", folder.write("changed", whole.substr(0, size)));
  std::string huge = whole;
  const std::size_t at = huge.find("\"shape\":[2,");
  ASSERT_NE(at, std::string::npos);
  huge.replace(at + 9, 1, "9");  // more data than there are
  refused("", folder.write("changed", huge));
  refused("", folder / "missing");
}

TEST_F(CacheFile, IsNotWrittenWithTheFormatsOwnMetadataOrWhereItCannotBe) {
  const ModelCache cache = filled(*model, rows, length, device);
  EXPECT_THROW(save_cache(changed, cache, {{"version", "1"}}), ArgumentError);
  EXPECT_THROW(save_cache(changed, cache, {{"name", "\xff"}}), ArgumentError);
  ModelCache uneven = filled(*model, rows, length, device);
  uneven.layer(1).truncate(2);
  EXPECT_THROW(save_cache(changed, uneven), ArgumentError);
  EXPECT_FALSE(std::filesystem::exists(changed));
  EXPECT_THROW(save_cache(folder / "missing" / "cache", cache), FormatError);
}

}  // namespace
}  // namespace clmx
