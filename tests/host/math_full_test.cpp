#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "math_support.hpp"
#include "support/test_devices.hpp"

// clmx's own functions on every number that f32 has.
namespace clmx {
namespace {

constexpr std::uint64_t all_numbers = std::uint64_t{1} << 32;
constexpr std::uint32_t chunk = std::uint32_t{1} << 24;

std::vector<float> numbers_from(std::uint64_t first) {
  std::vector<float> numbers(chunk);
  for (std::uint32_t i = 0; i < chunk; ++i)
    numbers[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first) + i);
  return numbers;
}

struct Worst {
  double ulps = 0;
  float at = 0;

  void take(const Worst& other) {
    if (other.ulps > ulps) *this = other;
  }
};

/// float64 decides here: its own error is some 2^-29 units of f32.
Worst worst_of(const Function& function, std::span<const float> x, std::span<const float> got) {
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double wanted = function.exact(static_cast<double>(x[i]));
    if (static_cast<float>(wanted) == got[i])
      continue;  // half a unit at most; measuring takes long
    worst.take({ulps(got[i], wanted), x[i]});
  }
  return worst;
}

/// What differs from the first device, NaN counting as NaN.
struct Difference {
  std::size_t counted = 0, flushed = 0;  ///< flushed: of subnormals, where a device may do that
  float at = 0;

  void take(const Difference& other) {
    if (counted == 0) at = other.at;
    counted += other.counted;
    flushed += other.flushed;
  }
};

Difference difference_of(std::span<const float> x, std::span<const float> a,
                         std::span<const float> b, bool flushes) {
  Difference found;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (flushes && (subnormal(x[i]) || subnormal(a[i]))) {
      ++found.flushed;
    } else if (found.counted++ == 0) {
      found.at = x[i];
    }
  }
  return found;
}

/// measure(from, size) of each part of a chunk, one per core, taken together.
template <class Measure>
auto on_every_core(Measure measure) {
  const std::size_t parts = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t size = chunk / parts + 1;
  std::vector<decltype(measure(0, 0))> found(parts);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t from = std::min<std::size_t>(i * size, chunk);
    const std::size_t count = std::min<std::size_t>(size, chunk - from);
    threads.emplace_back([&, i, from, count] { found[i] = measure(from, count); });
  }
  threads.clear();  // joins
  for (std::size_t i = 1; i < parts; ++i) found[0].take(found[i]);
  return found[0];
}

/// One function in one form on one device.
struct Form {
  Device device;
  bool wide;
  Difference difference = {};
};

std::vector<Form> forms_of(const Function& function) {
  std::vector<Form> forms;
  for (const Device& device : test_devices()) {
    forms.push_back({device, false});
    if (function.wide && device.info().device_class == DeviceClass::cpu_vector)
      forms.push_back({device, true});
  }
  return forms;
}

void report(const Function& function, const Worst& worst, const std::vector<Form>& forms) {
  std::cout << name_of(function) << ": at most " << worst.ulps << " ulp, at " << worst.at << '\n';
  for (const Form& form : forms) {
    const std::string name = form.device.info().selector + (form.wide ? " in vectors" : "");
    std::cout << "  " << name << ": " << form.difference.counted << " with other bits, "
              << form.difference.flushed << " flushed\n";
    EXPECT_EQ(form.difference.counted, 0U) << name << ", first " << form.difference.at;
  }
}

class OwnMathFull : public testing::TestWithParam<Function> {};

TEST_P(OwnMathFull, IsWithinItsLimitAndTheSameEverywhere) {
  std::vector<Form> forms = forms_of(GetParam());
  ASSERT_FALSE(may_flush(forms.front().device)) << "the first device has to keep subnormals";
  Worst worst;
  for (std::uint64_t first = 0; first < all_numbers; first += chunk) {
    const std::vector<float> x = numbers_from(first);
    const Array given = Array::from(x, Shape{chunk});
    std::vector<float> wanted;
    for (Form& form : forms) {
      const auto got = apply(form.device, GetParam().name, form.wide, given).to_vector<float>();
      if (wanted.empty()) wanted = got;
      const auto part = [&](const std::vector<float>& of, std::size_t from, std::size_t count) {
        return std::span(of).subspan(from, count);
      };
      form.difference.take(on_every_core([&](std::size_t from, std::size_t count) {
        return difference_of(part(x, from, count), part(wanted, from, count),
                             part(got, from, count), may_flush(form.device));
      }));
    }
    worst.take(on_every_core([&](std::size_t from, std::size_t count) {
      return worst_of(GetParam(), std::span(x).subspan(from, count),
                      std::span(wanted).subspan(from, count));
    }));
  }
  RecordProperty("worst_ulps", std::to_string(worst.ulps));
  report(GetParam(), worst, forms);
  EXPECT_LE(worst.ulps, GetParam().limit) << "at " << worst.at;
}

INSTANTIATE_TEST_SUITE_P(All, OwnMathFull, testing::ValuesIn(functions),
                         [](const auto& function) { return name_of(function.param); });

}  // namespace
}  // namespace clmx
