#include "clmx/nn/cache_file.hpp"

#include <array>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/host/safetensors_writer.hpp"

namespace clmx {
namespace {

const std::map<std::string, std::string> identity = {{"format", "clmx_kv_cache"}, {"version", "1"}};

/// The names of a layer's keys and values.
std::array<std::string, 2> names_of(std::size_t layer) {
  return {join("layers.", layer, ".keys"), join("layers.", layer, ".values")};
}

std::vector<TensorDeclaration> declared(const ModelCache& cache) {
  std::vector<TensorDeclaration> tensors;
  for (std::size_t i = 0; i < cache.layers(); ++i) {
    require(cache.layer(i).length() == cache.length(), "save_cache", "layer ", i, " holds ",
            cache.layer(i).length(), " positions, the first ", cache.length());
    const Array& keys = cache.layer(i).keys();
    for (const std::string& name : names_of(i))
      tensors.push_back(declaration(name, keys.dtype(), keys.shape().with(2, cache.length())));
  }
  return tensors;
}

/// all: [batch, kv_heads, capacity, head_dim], of which the first `length` positions are written.
void append(SafetensorsWriter& writer, const std::string& name, const Array& all,
            std::int64_t length) {
  const HostBytes held = all.map_bytes();
  const auto heads = static_cast<std::size_t>(all.shape().elements(0, 2));
  const std::size_t step = held.bytes.size() / heads;
  const std::size_t used = static_cast<std::size_t>(length * all.shape(3)) * size_of(all.dtype());
  for (std::size_t head = 0; head < heads; ++head)
    writer.append(name, held.bytes.subspan(head * step, used));
}

/// Reads the layers of a file into the cache of a model.
class CacheReader {
 public:
  CacheReader(const std::filesystem::path& path, std::size_t layers);
  std::int64_t batch() const { return batch_; }
  std::int64_t length() const { return length_; }
  /// Throws FormatError unless both tensors of the layer are what `cache` would hold.
  void check(std::size_t layer, const KVCache& cache) const;
  void assign(std::size_t layer, KVCache& cache) const;
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(path_.string(), 0, what);
  }

 private:
  std::filesystem::path path_;
  SafetensorsFile file_;
  std::int64_t batch_ = 0, length_ = 0;
};

CacheReader::CacheReader(const std::filesystem::path& path, std::size_t layers)
    : path_(path), file_(path) {
  for (const auto& [name, wanted] : identity) {
    const auto found = file_.metadata().find(name);
    if (found == file_.metadata().end()) fail("no saved cache: it has no metadata '" + name + "'");
    if (found->second != wanted)
      fail(join("the ", name, " is '", found->second.substr(0, 40), "', not '", wanted, '\''));
  }
  if (file_.tensors().size() != 2 * layers)
    fail(join("it has ", file_.tensors().size(), " tensors, a cache of the model's ", layers,
              " layers has ", 2 * layers));
  const TensorEntry& first = file_.at(names_of(0)[0]);
  if (first.shape.size() != 4) fail("tensor '" + first.name + "' has not 4 axes");
  batch_ = first.shape[0];
  length_ = first.shape[2];
  if (length_ > 0 && batch_ == 0) fail("it has positions of no sequence");
}

void CacheReader::check(std::size_t layer, const KVCache& cache) const {
  const Array& own = cache.keys();
  const std::vector<std::int64_t> shape{batch_, own.shape(1), length_, own.shape(3)};
  for (const std::string& name : names_of(layer)) {
    const TensorEntry& entry = file_.at(name);
    const std::string type = declaration(name, own.dtype(), {}).type;
    if (entry.type != type)
      fail(join("tensor '", name, "' is ", entry.type, ", the model's cache ", type));
    if (entry.shape != shape)
      fail(join("tensor '", name, "' has not the shape [", batch_, ", ", shape[1], ", ", length_,
                ", ", shape[3], "] of the model's cache"));
  }
}

void CacheReader::assign(std::size_t layer, KVCache& cache) const {
  const auto [keys, values] = names_of(layer);
  cache.assign(file_.array(keys), file_.array(values));
}

}  // namespace

void save_cache(const std::filesystem::path& path, const ModelCache& cache,
                const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> all = identity;
  for (const auto& [name, value] : metadata)
    require(all.emplace(name, value).second, "save_cache", "the metadata '", name,
            "' is the format's own");
  SafetensorsWriter writer(path, declared(cache), all);
  for (std::size_t i = 0; i < cache.layers() && cache.length() > 0; ++i) {
    const auto [keys, values] = names_of(i);
    append(writer, keys, cache.layer(i).keys(), cache.length());
    append(writer, values, cache.layer(i).values(), cache.length());
  }
  writer.commit();
}

ModelCache load_cache(const std::filesystem::path& path, const LanguageModel& model,
                      std::optional<std::int64_t> positions) {
  ModelCache cache = model.new_cache(positions);
  const CacheReader reader(path, cache.layers());
  for (std::size_t i = 0; i < cache.layers(); ++i) reader.check(i, cache.layer(i));
  if (reader.length() > model.context())
    reader.fail(
        join("it has ", reader.length(), " positions, the model's context is ", model.context()));
  require(reader.length() <= cache.limit(), "load_cache", path.string(), " has ", reader.length(),
          " positions, wanted are at most ", cache.limit());
  if (reader.length() == 0) return cache;
  for (std::size_t i = 0; i < cache.layers(); ++i) reader.assign(i, cache.layer(i));
  return cache;
}

}  // namespace clmx
