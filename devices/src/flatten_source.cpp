#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/kernel.hpp"

namespace clmx {
namespace {

// A name from an include line never leaves the folder it is looked up in.
bool is_inside(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos;
}

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::optional<std::string> find_text(const KernelLibrary& library, std::string_view name) {
  if (const auto folder = environment("CLMX_KERNEL_DIR"); folder && is_inside(name)) {
    if (auto text = read_text(join(*folder, '/', name))) return text;
  }
  const auto found = std::find_if(library.files.begin(), library.files.end(),
                                  [name](const KernelSource& file) { return file.name == name; });
  if (found == library.files.end()) return std::nullopt;
  return std::string(found->text);
}

// The name between the quotes of `#include "name"`, or nothing.
std::optional<std::string_view> included_name(std::string_view line) {
  constexpr std::string_view blanks = " \t";
  const auto skip_blanks = [&line, blanks] {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  };
  const auto skip = [&line](std::string_view word) {
    if (line.substr(0, word.size()) != word) return false;
    line.remove_prefix(word.size());
    return true;
  };
  skip_blanks();
  if (!skip("#")) return std::nullopt;
  skip_blanks();
  if (!skip("include")) return std::nullopt;
  skip_blanks();
  if (!skip("\"")) return std::nullopt;
  const std::size_t quote = line.find('"');
  if (quote == std::string_view::npos) return std::nullopt;
  return line.substr(0, quote);
}

class Flattener {
 public:
  explicit Flattener(const KernelLibrary& library) : library_(library) {}
  FlatSource result() && { return std::move(flat_); }

  void add(const std::string& name, const std::string& wanted_by) {
    const auto& used = flat_.files_used;
    if (std::find(used.begin(), used.end(), name) != used.end()) return;
    const std::optional<std::string> text = find_text(library_, name);
    if (!text) throw_missing(name, wanted_by);
    flat_.files_used.push_back(name);
    mark(1, name);
    add_lines(name, *text);
  }

 private:
  void add_lines(const std::string& name, std::string_view text) {
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (const auto included = included_name(line)) {
        add(std::string(*included), name);
        mark(number + 1, name);
      } else {
        flat_.text.append(line).push_back('\n');
      }
    }
  }

  void mark(std::size_t line, const std::string& name) {
    flat_.text += join("#line ", line, " \"", name, "\"\n");
  }

  [[noreturn]] void throw_missing(const std::string& name, const std::string& wanted_by) const {
    std::string message =
        join("the kernel library '", library_.name, "' has no file '", name, '\'');
    if (!wanted_by.empty()) message += join(", which ", wanted_by, " includes");
    throw KernelBuildError(message, name, "", "");
  }

  const KernelLibrary& library_;
  FlatSource flat_;
};

}  // namespace

FlatSource flatten_source(const KernelLibrary& library, std::string_view file) {
  Flattener flattener(library);
  flattener.add(std::string(file), "");
  return std::move(flattener).result();
}

}  // namespace clmx
