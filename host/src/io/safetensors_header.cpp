#include "safetensors_header.hpp"

#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_rank = 64;

/// Receives the JSON piece by piece, so that no tree of it is ever made.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  std::string problem;
  std::size_t position = 0;  ///< of a syntax error

  bool null() override { return place_ == Place::top_value ? leave_metadata() : value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t number) override;
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t& text) override;
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception& error) override {
    position = at;
    return fail(std::string(error.what()).substr(0, 200));
  }

 private:
  enum class Place { start, top, top_value, metadata, tensor, field, list, skipping };

  bool fail(const std::string& what) {
    if (problem.empty()) problem = what;
    return false;
  }
  std::string here() const { return join("tensor '", name_, "', field '", field_, '\''); }
  bool leave_metadata() {
    place_ = Place::top;
    return name_ == "__metadata__" || fail("tensor '" + name_ + "' is null");
  }
  bool value();
  bool begin_tensor_or_metadata();
  bool begin_field();
  bool skip_begin();
  bool skip_end();

  Place place_ = Place::start;
  std::size_t skipped_depth_ = 0;
  std::string name_, field_;
  SafetensorsHeader::Tensor tensor_;
  std::vector<std::uint64_t> offsets_;
  bool has_type_ = false, has_shape_ = false, has_offsets_ = false, seen_metadata_ = false;
};

/// A value that no field of the format takes: fine inside an unknown field, wrong elsewhere.
bool HeaderReader::value() {
  if (place_ == Place::skipping) {
    if (skipped_depth_ == 0) place_ = Place::tensor;
    return true;
  }
  if (place_ == Place::metadata) return fail("metadata '" + field_ + "' is not a string");
  if (place_ == Place::field || place_ == Place::list) return fail(here() + ": wrong type");
  return fail("the header is not an object of objects");
}

bool HeaderReader::number_unsigned(number_unsigned_t number) {
  if (place_ != Place::list) return value();
  auto& list = field_ == "shape" ? tensor_.shape : offsets_;
  if (list.size() == max_rank) return fail(here() + " has too many entries");
  list.push_back(number);
  return true;
}

bool HeaderReader::string(string_t& text) {
  if (place_ == Place::metadata) {
    header.metadata[field_] = text;
    return true;
  }
  if (place_ != Place::field || field_ != "dtype") return value();
  tensor_.type = text;
  place_ = Place::tensor;
  return true;
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::start) {
    place_ = Place::top;
    return true;
  }
  if (place_ == Place::top_value) return begin_tensor_or_metadata();
  return place_ == Place::skipping ? skip_begin() : value();
}

bool HeaderReader::begin_tensor_or_metadata() {
  place_ = name_ == "__metadata__" ? Place::metadata : Place::tensor;
  tensor_ = {};
  offsets_.clear();
  has_type_ = has_shape_ = has_offsets_ = false;
  return true;
}

bool HeaderReader::key(string_t& name) {
  if (place_ == Place::skipping) return true;
  if (place_ == Place::tensor) {
    field_ = name;
    return begin_field();
  }
  if (place_ == Place::metadata) {
    field_ = name;
    return !header.metadata.contains(name) || fail("metadata '" + name + "' comes twice");
  }
  name_ = name;
  place_ = Place::top_value;
  const bool twice = name == "__metadata__" ? seen_metadata_ : header.tensors.contains(name);
  if (name == "__metadata__") seen_metadata_ = true;
  return !twice || fail("tensor '" + name + "' comes twice");
}

bool HeaderReader::begin_field() {
  bool* const seen = field_ == "dtype"          ? &has_type_
                     : field_ == "shape"        ? &has_shape_
                     : field_ == "data_offsets" ? &has_offsets_
                                                : nullptr;
  place_ = seen ? Place::field : Place::skipping;
  if (!seen) return true;
  if (*seen) return fail(here() + " comes twice");
  *seen = true;
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::skipping) return skip_end();
  if (place_ == Place::tensor) {
    if (!has_type_ || !has_shape_ || !has_offsets_ || offsets_.size() != 2) {
      return fail("tensor '" + name_ + "' needs dtype, shape and two data_offsets");
    }
    tensor_.data_offsets = {offsets_[0], offsets_[1]};
    header.tensors.emplace(name_, std::move(tensor_));
  }
  place_ = Place::top;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ == Place::skipping) return skip_begin();
  if (place_ != Place::field || field_ == "dtype") return value();
  place_ = Place::list;
  return true;
}

bool HeaderReader::end_array() {
  if (place_ == Place::skipping) return skip_end();
  place_ = Place::tensor;
  return true;
}

bool HeaderReader::skip_begin() {
  return ++skipped_depth_ < max_depth || fail(here() + " is nested too deeply");
}

bool HeaderReader::skip_end() {
  if (--skipped_depth_ == 0) place_ = Place::tensor;
  return true;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file,
                                           std::uint64_t text_offset) {
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    throw FormatError(file, text_offset + reader.position, "header: " + reader.problem);
  }
  return std::move(reader.header);
}

}  // namespace clmx
