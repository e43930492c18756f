#include "compare_model_report.hpp"

#include <iostream>

#include "clmx/devices/error.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

constexpr std::size_t most_listed = 10;  // flips of a device on the terminal

std::string percent(double share) {
  return short_number(100 * share) + " %";
}

Row row_of(const std::string& name, const LogitsComparison& logits) {
  return {name,
          std::to_string(logits.positions.size()),
          short_number(logits.kl_mean()),
          short_number(logits.kl_max()),
          join(logits.same_top1(), '/', logits.positions.size()),
          percent(logits.perplexity_change())};
}

const Row logits_head{"", "POSITIONS", "KL MEAN", "KL MAX", "TOP-1", "PERPLEXITY"};

void print_devices(const ModelComparison& all) {
  std::vector<Row> rows{logits_head};
  rows.front().front() = "DEVICE";
  rows.front().insert(rows.front().end(), {"WORST OP", "AT THE END"});
  for (const ModelOnDevice& one : all.devices) {
    rows.push_back(row_of(one.device.info().selector, one.result.logits));
    rows.back().push_back(short_number(one.result.worst()));
    rows.back().push_back(short_number(one.result.parts.back().accumulated));
  }
  print_table(rows);
}

void print_modes(const ModelComparison& all) {
  if (all.modes.empty()) return;
  std::cout << "\nmodes, against float64 with the weights of " << all.model << " (" << all.bytes
            << " bytes)\n";
  std::vector<Row> rows{logits_head};
  rows.front().front() = "MODE";
  rows.front().insert(rows.front().begin() + 1, {"DEVICE", "BYTES"});
  for (const ComparedMode& mode : all.modes) {
    for (std::size_t i = 0; i < mode.logits.size(); ++i) {
      rows.push_back(row_of(mode.name, mode.logits[i]));
      rows.back().insert(rows.back().begin() + 1,
                         {all.devices[i].device.info().selector, std::to_string(mode.bytes)});
    }
  }
  print_table(rows);
  for (const ComparedMode& mode : all.modes) {
    if (mode.kept.empty()) continue;
    std::cout << mode.name << ": " << mode.kept.size()
              << " layers stay as they are, as groups do not divide their width; first "
              << mode.kept.front() << '\n';
  }
}

void print_other(const ModelComparison& all, const std::string& file) {
  if (!all.other) return;
  std::cout << "\nagainst " << file << '\n';
  std::vector<Row> rows{logits_head};
  const auto add = [&](const std::string& name, const LogitsComparison& logits) {
    rows.push_back(row_of(name, logits));
    const WorstLogit& worst = logits.worst;
    rows.back().push_back(join(short_number(worst.error), ": position ", worst.position, ", token ",
                               worst.token, ": ", worst.got, " for ", worst.wanted));
  };
  rows.front().push_back("WORST ELEMENT");
  for (const ModelOnDevice& one : all.devices) add(one.device.info().selector, *one.other);
  add("the file against float64", *all.other);
  print_table(rows);
  for (const ModelOnDevice& one : all.devices) {
    if (const ComparedPosition* const first = one.other->first_difference())
      std::cout << one.device.info().selector
                << ": first token other than the file's: " << in_words(*first) << '\n';
  }
}

void print_flips(const ModelOnDevice& one) {
  const std::string& selector = one.device.info().selector;
  const LogitsComparison& logits = one.result.logits;
  std::size_t listed = 0;
  for (const ComparedPosition& each : logits.positions) {
    if (each.same() || ++listed > most_listed) continue;
    std::cout << selector << (listed == 1 ? ": first other token: " : ": other token: ")
              << in_words(each) << '\n';
  }
  if (one.result.choices > 0)
    std::cout << selector << ": experts: " << one.result.flips.size() << " flips in "
              << one.result.choices << " choices\n";
  for (std::size_t i = 0; i < std::min(one.result.flips.size(), most_listed); ++i)
    std::cout << selector << ": flip: " << in_words(one.result.flips[i]) << '\n';
}

void print_findings(const ModelComparison& all, const ModelOnDevice& one) {
  const std::string& selector = one.device.info().selector;
  if (const auto& wrong = one.result.first_wrong) {
    std::cout << selector << ": first wrong op: " << in_words(*wrong)
              << "\n  repeat: " << all.repeat(one, wrong->part) << '\n';
  }
  if (!one.differs_from.empty()) {
    std::cout << selector << ": first other bits than " << one.differs_from << ": "
              << one.first_other_bits.op << ": " << one.first_other_bits.name << '\n';
  }
  print_flips(one);
}

void print_parts(const ModelOnDevice& one) {
  std::vector<Row> rows{
      {'\n' + one.device.info().selector, "WORST OP", "SO FAR", "THE OP", "KERNELS"}};
  for (const ComparedPart& part : one.result.parts) {
    rows.push_back({part.path, short_number(part.worst), short_number(part.accumulated),
                    part.worst_op + ' ' + part.shape, part.kernels});
  }
  print_table(rows);
}

}  // namespace

std::string in_words(const WrongOp& wrong) {
  return join(wrong.part, ": ", wrong.op, " of ", wrong.shape,
              wrong.kernels.empty() ? "" : " (kernel " + wrong.kernels + ")", ", prompt ",
              wrong.prompt + 1, ": an error of ", wrong.worst, " of its budget");
}

std::string in_words(const ExpertFlip& flip) {
  std::string got, wanted;
  for (const std::int64_t id : flip.choice.got) got += join(' ', id);
  for (const std::int64_t id : flip.choice.wanted) wanted += join(' ', id);
  return join("prompt ", flip.prompt + 1, ": ", flip.choice.part, ": ", flip.choice.op, " of row ",
              flip.choice.row, " chose", got, " instead of", wanted, ", margin ",
              flip.choice.margin);
}

std::string in_words(const ComparedPosition& other) {
  return join("prompt ", other.prompt + 1, ", position ", other.position, ": ", other.got,
              " instead of ", other.wanted, ", margin ", other.margin);
}

void print_comparison(const ModelComparison& all, bool parts, const CompareOptions& options) {
  print_devices(all);
  for (const ModelOnDevice& one : all.devices) print_findings(all, one);
  print_other(all, options.against);
  print_modes(all);
  print_agreements(all.agreements);
  if (all.worse) print_worse(*all.worse, options.baseline);
  if (!parts) return;
  for (const ModelOnDevice& one : all.devices) print_parts(one);
}

void check_device(const ModelOnDevice& one, const CompareOptions& options, Gate& gate) {
  const std::string& selector = one.device.info().selector;
  const ComparedModel& result = one.result;
  if (result.first_wrong) {
    gate.refuse(join(selector, ": ", in_words(*result.first_wrong)));
  } else if (result.worst() > options.max_budget) {
    gate.refuse(join(selector, ": an error of ", result.worst(), " of its budget"));
  }
  const bool has_limit = options.max_kl > 0;
  if (has_limit && !(result.logits.kl_max() <= options.max_kl))
    gate.refuse(join(selector, ": KL ", result.logits.kl_max(), " to float64"));
  if (has_limit && one.other && !(one.other->kl_max() <= options.max_kl))
    gate.refuse(join(selector, ": KL ", one.other->kl_max(), " to ", options.against));
  if (options.same_bits && !one.differs_from.empty())
    gate.refuse(
        join(selector, ": ", one.first_other_bits.op, " has other bits than ", one.differs_from));
}

void check_modes(const ModelComparison& all, const CompareOptions& options, Gate& gate) {
  if (!(options.max_kl > 0)) return;
  for (const ComparedMode& mode : all.modes) {
    for (std::size_t i = 0; i < all.devices.size(); ++i) {
      const double kl = mode.logits[i].kl_max();
      if (!(kl <= options.max_kl))
        gate.refuse(join(mode.name, " on ", all.devices[i].device.info().selector, ": KL ", kl,
                         " to float64 of the source"));
    }
  }
}

std::vector<DeviceResult> as_verified(const ModelComparison& all, const CompareOptions& options,
                                      const Gate& gate) {
  std::vector<DeviceResult> results;
  for (const ModelOnDevice& one : all.devices) {
    FamilyResult family{"model", {}};
    for (const ComparedPart& part : one.result.parts) {
      const double limit = std::min(options.max_budget, 1.0);
      family.cases.push_back(
          {.name = part.path,
           .outcome = part.worst <= limit ? Outcome::within : Outcome::failed,
           .what = join(part.worst_op, " of ", part.shape, " (kernel ", part.kernels,
                        "): an error of ", part.worst, " of its budget"),
           .worst = part.worst,
           .got = part.worst,
           .wanted = limit,
           .arguments = all.repeat(one, part.path)});
    }
    results.push_back({one.device.info().id, one.device.info().selector, {family}});
  }
  results.push_back(gate.as_verified());
  return results;
}

void add_mode_measures(const ModelComparison& all, std::size_t device, Measures& measures) {
  for (const ComparedMode& mode : all.modes) {
    const LogitsComparison& logits = mode.logits[device];
    measures[mode.name + ": kl_mean"] = logits.kl_mean();
    measures[mode.name + ": kl_max"] = logits.kl_max();
    measures[mode.name + ": other top-1"] = 1 - logits.top1();
    measures[mode.name + ": bytes"] = static_cast<double>(mode.bytes);
  }
}

}  // namespace clmx::cli
