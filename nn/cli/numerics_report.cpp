#include "numerics_report.hpp"

#include <array>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "clmx/devices/error.hpp"

namespace clmx::cli {
namespace {

struct Count {
  const char *key, *text;
  Wrong Numerics::*wrong;
};
constexpr std::array counts{
    Count{"fma", "fma", &Numerics::fma},
    Count{"divide", "division", &Numerics::divide},
    Count{"square_root", "square root", &Numerics::square_root},
    Count{"multiply_denormal", "denormals in products", &Numerics::multiply_denormal},
    Count{"add_denormal", "denormals in sums", &Numerics::add_denormal},
    Count{"exp_denormal", "denormals from exp", &Numerics::exp_denormal},
    Count{"ldexp_denormal", "denormals from ldexp", &Numerics::ldexp_denormal},
    Count{"store_half", "storing halves", &Numerics::store_half},
    Count{"store_half_rte", "storing halves, rte", &Numerics::store_half_rte},
    Count{"load_half", "loading halves", &Numerics::load_half}};

std::string in_words(const Wrong& wrong) {
  return wrong.count == 0 ? join("exact (", wrong.of, ')')
                          : join(wrong.count, " of ", wrong.of, " wrong");
}

/// Enough digits for an f32.
std::string shortest(double value) {
  std::ostringstream text;
  text << std::setprecision(9) << value;
  return text.str();
}

}  // namespace

Json described(const Numerics& numerics) {
  Json json{{"contraction", to_string(numerics.by_default)}, {"mad", to_string(numerics.mad)}};
  for (const Count& each : counts) {
    const Wrong& wrong = numerics.*each.wrong;
    json[each.key] = {{"wrong", wrong.count}, {"of", wrong.of}};
  }
  json["nan_equals_itself"] = numerics.nan_equals_itself;
  json["min_drops_nan"] = numerics.min_drops_nan;
  json["max_drops_nan"] = numerics.max_drops_nan;
  json["loop_turns"] = {{"taken", numerics.turns}, {"of", numerics.turns_tried}};
  json["functions"] = Json::array();
  for (const FunctionAccuracy& each : numerics.functions) {
    json["functions"].push_back(
        {{"name", each.name},
         {"from", each.low},
         {"to", each.high},
         {"worst_ulp", std::isfinite(each.worst_ulp) ? Json(each.worst_ulp) : Json("inf")},
         {"at", each.at},
         {"allowed_ulp", each.allowed_ulp}});
  }
  return json;
}

std::vector<Row> arithmetic_rows(const Numerics& numerics) {
  std::vector<Row> rows{{"a * b + c without a pragma", std::string(to_string(numerics.by_default))},
                        {"mad(a, b, c)", std::string(to_string(numerics.mad))}};
  for (const Count& each : counts) rows.push_back({each.text, in_words(numerics.*each.wrong)});
  rows.push_back({"NaN == NaN", numerics.nan_equals_itself ? "true" : "false"});
  rows.push_back({"fmin(NaN, 1), fmax(NaN, 1)", join(numerics.min_drops_nan ? "1" : "NaN", ", ",
                                                     numerics.max_drops_nan ? "1" : "NaN")});
  rows.push_back({"turns of a long loop", join(numerics.turns, " of ", numerics.turns_tried)});
  return rows;
}

std::vector<Row> function_rows(const Numerics& numerics) {
  std::vector<Row> rows{{"FUNCTION", "ARGUMENTS", "WORST ULP", "AT", "ALLOWED"}};
  for (const FunctionAccuracy& each : numerics.functions) {
    rows.push_back({each.name, join(each.low, " .. ", each.high), fixed(each.worst_ulp, 2),
                    shortest(each.at), fixed(each.allowed_ulp, 0)});
  }
  return rows;
}

void print_numerics(const std::string& device, const Numerics& numerics) {
  std::vector<Row> rows = arithmetic_rows(numerics);
  rows.insert(rows.begin(), {join(device, ": ARITHMETIC"), "FOUND"});
  std::cout << '\n';
  print_table(rows);
  print_table(function_rows(numerics));
}

}  // namespace clmx::cli
