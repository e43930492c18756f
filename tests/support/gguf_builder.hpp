#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clmx {

/// Bytes of a GGUF file, right or, by its raw parts, wrong.
class GgufBuilder {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;

  template <class T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string text(const std::string& value) {
    return raw<std::uint64_t>(value.size()) + value;
  }
  static std::string array(std::uint32_t type, std::uint64_t count, const std::string& items) {
    return raw(type) + raw(count) + items;
  }

  GgufBuilder& pair(const std::string& key, std::uint32_t type, const std::string& value) {
    pairs_ += text(key) + raw(type) + value;
    ++pair_count_;
    return *this;
  }
  GgufBuilder& add(const std::string& key, std::uint32_t value) { return pair(key, 4, raw(value)); }
  GgufBuilder& add(const std::string& key, float value) { return pair(key, 6, raw(value)); }
  GgufBuilder& add(const std::string& key, bool value) { return pair(key, 7, raw(value)); }
  GgufBuilder& add(const std::string& key, const char* value) { return pair(key, 8, text(value)); }
  GgufBuilder& add(const std::string& key, const std::vector<std::string>& values) {
    std::string items;
    for (const std::string& value : values) items += text(value);
    return pair(key, 9, array(8, values.size(), items));
  }
  GgufBuilder& add(const std::string& key, const std::vector<std::int32_t>& values) {
    std::string items;
    for (const std::int32_t value : values) items += raw(value);
    return pair(key, 9, array(5, values.size(), items));
  }

  /// dims: fastest first, as the file has them. The data are put after those before, aligned.
  GgufBuilder& tensor(const std::string& name, std::uint32_t type,
                      const std::vector<std::uint64_t>& dims, const std::string& bytes) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    describe(name, type, dims, data_.size());
    data_ += bytes;
    return *this;
  }
  GgufBuilder& describe(const std::string& name, std::uint32_t type,
                        const std::vector<std::uint64_t>& dims, std::uint64_t offset) {
    tensors_ += text(name) + raw(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) tensors_ += raw(dim);
    tensors_ += raw(type) + raw(offset);
    ++tensor_count_;
    return *this;
  }

  std::string bytes() const {
    std::string file =
        "GGUF" + raw(version) + raw(tensor_count_) + raw(pair_count_) + pairs_ + tensors_;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }

 private:
  std::string pairs_, tensors_, data_;
  std::uint64_t pair_count_ = 0, tensor_count_ = 0;
};

}  // namespace clmx
