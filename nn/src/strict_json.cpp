#include "strict_json.hpp"

#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;

constexpr std::size_t max_depth = 64;

/// Builds the tree, refusing what a tree would not show any more.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit TreeBuilder(Json& root) : root_(root) {}
  std::string problem;
  std::size_t position = 0;  // of a syntax error

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [place, is_new] = open_.back()->emplace(name, nullptr);
    place_ = &*place;
    return is_new || fail(join('\'', name.substr(0, 100), "' comes twice in an object"));
  }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception& error) override {
    position = at;
    return fail(std::string(error.what()).substr(0, 200));
  }

 private:
  bool fail(const std::string& what) {
    problem = what;
    return false;
  }
  Json& put_at_place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_object()) return *place_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }
  bool put(Json value) {
    put_at_place(std::move(value));
    return true;
  }
  bool open(Json empty) {
    if (open_.size() == max_depth) return fail("the JSON is nested too deeply");
    open_.push_back(&put_at_place(std::move(empty)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  std::vector<Json*> open_;  // each inside the one before; only the last one grows
  Json* place_ = nullptr;    // for the value of the last name
};

}  // namespace

Json parse_json(std::string_view text, const std::string& file) {
  Json root;
  TreeBuilder builder(root);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    throw FormatError(file, builder.position, builder.problem);
  }
  return root;
}

Json parse_json_file(const std::filesystem::path& path) {
  const HostBytes file = map_file(path);
  const auto* const text = reinterpret_cast<const char*>(file.bytes.data());
  return parse_json({text, file.bytes.size()}, path.string());
}

}  // namespace clmx
