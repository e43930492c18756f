#include "compare_model_html.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include "clmx/devices/error.hpp"
#include "compare_line_chart.hpp"
#include "compare_model_report.hpp"
#include "compare_page.hpp"
#include "markup.hpp"

namespace clmx::cli {
namespace {

constexpr std::size_t most_parts = 20, most_flips = 50;

Row results_row(const std::string& name, const LogitsComparison& logits) {
  const ComparedPosition* const first = logits.first_difference();
  return {name,
          std::to_string(logits.positions.size()),
          short_number(logits.kl_mean()),
          short_number(logits.kl_max()),
          join(logits.same_top1(), '/', logits.positions.size()),
          short_number(100 * logits.perplexity_change()) + " %",
          first == nullptr ? "none" : in_words(*first)};
}

constexpr std::array logits_head{"positions", "KL mean",    "KL max",
                                 "top-1",     "perplexity", "first other token"};

Row head_of(const Row& before, const Row& after = {}) {
  Row head = before;
  head.insert(head.end(), logits_head.begin(), logits_head.end());
  head.insert(head.end(), after.begin(), after.end());
  return head;
}

void open_table(std::ostream& out, const Row& head) {
  out << "<div class=\"wide\"><table>\n" << row_of(head, "th");
}

void close_table(std::ostream& out) {
  out << "</table></div>\n";
}

void write_devices(std::ostream& out, const ModelComparison& all) {
  out << "<h2>Devices against float64</h2>\n<p>" << escaped_markup(all.model) << "</p>\n";
  open_table(out, head_of({"device"}, {"worst op, of budget", "bits", "first wrong op"}));
  for (const ModelOnDevice& one : all.devices) {
    Row row = results_row(one.device.info().selector, one.result.logits);
    row.push_back(short_number(one.result.worst()));
    row.push_back(one.differs_from.empty()
                      ? std::string("the same")
                      : join("other than ", one.differs_from, " from ", one.first_other_bits.op,
                             ", ", one.first_other_bits.name));
    row.push_back(one.result.first_wrong ? in_words(*one.result.first_wrong) : "none");
    out << row_of(row);
  }
  close_table(out);
}

void write_other(std::ostream& out, const ModelComparison& all) {
  if (!all.other) return;
  out << "<h2>The logits of another program</h2>\n";
  open_table(out, head_of({"compared"}, {"worst element"}));
  const auto add = [&](const std::string& name, const LogitsComparison& logits) {
    Row row = results_row(name, logits);
    row.push_back(join("position ", logits.worst.position, ", token ", logits.worst.token, ": ",
                       logits.worst.got, " for ", logits.worst.wanted));
    out << row_of(row);
  };
  for (const ModelOnDevice& one : all.devices)
    add(one.device.info().selector + " against the file", *one.other);
  add("the file against float64", *all.other);
  close_table(out);
}

void write_modes(std::ostream& out, const ModelComparison& all) {
  if (all.modes.empty()) return;
  out << "<h2>Quantization modes</h2>\n<p>Each against float64 with the weights of the source ("
      << all.bytes << " bytes).</p>\n";
  open_table(out, head_of({"mode, device"}, {"bytes"}));
  for (const ComparedMode& mode : all.modes) {
    for (std::size_t i = 0; i < mode.logits.size(); ++i) {
      Row row =
          results_row(mode.name + ", " + all.devices[i].device.info().selector, mode.logits[i]);
      row.push_back(std::to_string(mode.bytes));
      out << row_of(row);
    }
  }
  close_table(out);
}

/// "3" of "model.layers.3.mlp", "embed" of "model.embed_tokens".
std::string short_path(const std::string& path) {
  constexpr std::string_view layers = "model.layers.";
  if (path.starts_with(layers))
    return path.substr(layers.size(), path.find('.', layers.size()) - layers.size());
  const std::string name = path.substr(path.rfind('.') + 1);
  return name.substr(0, name.find('_'));
}

/// A value of each part on each device.
LineChart chart_of_parts(const char* title, const ModelComparison& all,
                         double ComparedPart::*value) {
  LineChart chart{title, {}, {}, {}};
  for (const ComparedPart& part : all.devices.front().result.parts) {
    chart.points.push_back(part.path);
    chart.labels.push_back(short_path(part.path));
  }
  for (const ModelOnDevice& one : all.devices) {
    Series series{one.device.info().selector, {}};
    for (const ComparedPart& part : one.result.parts) series.values.push_back(part.*value);
    chart.series.push_back(std::move(series));
  }
  return chart;
}

LineChart chart_of_tokens(const ModelComparison& all) {
  LineChart chart{"KL of each token", {}, {}, {}};
  for (const ComparedPosition& each : all.devices.front().result.logits.positions) {
    chart.points.push_back(join("prompt ", each.prompt + 1, ", position ", each.position));
    chart.labels.push_back(join(each.prompt + 1, ':', each.position));
  }
  const auto add = [&](const std::string& name, const LogitsComparison& logits) {
    Series series{name, {}};
    for (const ComparedPosition& each : logits.positions) series.values.push_back(each.kl);
    chart.series.push_back(std::move(series));
  };
  for (const ModelOnDevice& one : all.devices) add(one.device.info().selector, one.result.logits);
  if (all.other) add("the file", *all.other);
  for (const ComparedMode& mode : all.modes) add(mode.name, mode.logits.front());
  return chart;
}

void write_charts(std::ostream& out, const ModelComparison& all) {
  out << "<h2>Error over layers</h2>\n<p>The 2-norm of the error after each part over that of the "
         "float64 result, on a logarithmic axis.</p>\n";
  write_line_chart(out, chart_of_parts("accumulated error", all, &ComparedPart::accumulated));
  out << "<h2>Error of each part</h2>\n<p>The largest error of its ops on the inputs that they "
         "had, as a share of the budget; the line is the limit.</p>\n";
  LineChart local = chart_of_parts("local error", all, &ComparedPart::worst);
  local.limit = 1;
  write_line_chart(out, local);
  out << "<h2>KL of each token</h2>\n<p>From float64, in nats; prompt and position below the axis."
         "</p>\n";
  write_line_chart(out, chart_of_tokens(all));
}

void write_flips(std::ostream& out, const ModelComparison& all) {
  out << "<h2>Other choices</h2>\n<p>Positions with another most likely token than float64's, and "
         "experts that float64 would not have chosen.</p>\n";
  open_table(out, {"device", "choices", "other", "which"});
  for (const ModelOnDevice& one : all.devices) {
    const LogitsComparison& logits = one.result.logits;
    const std::string& selector = one.device.info().selector;
    const std::size_t tokens = logits.positions.size();
    out << row_of({selector, join(tokens, " tokens"), join(tokens - logits.same_top1()), ""});
    if (one.result.choices > 0)
      out << row_of(
          {selector, join(one.result.choices, " of experts"), join(one.result.flips.size()), ""});
    std::size_t listed = 0;
    for (const ComparedPosition& each : logits.positions) {
      if (!each.same() && ++listed <= most_flips)
        out << row_of({selector, "token", "", in_words(each)});
    }
    for (std::size_t i = 0; i < std::min(one.result.flips.size(), most_flips); ++i)
      out << row_of({selector, "experts", "", in_words(one.result.flips[i])});
  }
  close_table(out);
}

struct WorstPart {
  const ModelOnDevice* device;
  const ComparedPart* part;
};

std::vector<WorstPart> worst_parts(const ModelComparison& all) {
  std::vector<WorstPart> found;
  for (const ModelOnDevice& one : all.devices) {
    for (const ComparedPart& part : one.result.parts) found.push_back({&one, &part});
  }
  std::ranges::stable_sort(found, std::greater<>(),
                           [](const WorstPart& each) { return each.part->worst; });
  found.resize(std::min(found.size(), most_parts));
  return found;
}

void write_worst(std::ostream& out, const ModelComparison& all) {
  out << "<h2>Worst parts</h2>\n<p>The command runs the same again on this device and keeps the "
         "tensors of the part.</p>\n";
  open_table(out, {"device", "part", "of budget", "op", "kernels", "repeat"});
  for (const auto& [one, part] : worst_parts(all)) {
    out << "<tr>" << cell(one->device.info().selector) << cell(part->path)
        << cell(short_number(part->worst), part->worst > 1 ? "n bad" : "n")
        << cell(part->worst_op + ' ' + part->shape) << cell(part->kernels) << "<td><code>"
        << escaped_markup(all.repeat(*one, part->path)) << "</code></td></tr>\n";
  }
  close_table(out);
}

}  // namespace

std::string to_html(const ModelComparison& all) {
  std::ostringstream out;
  open_page(out, "clmx compare: a model against float64");
  write_devices(out, all);
  write_other(out, all);
  write_modes(out, all);
  write_charts(out, all);
  write_flips(out, all);
  write_worst(out, all);
  std::vector<std::string> selectors;
  std::vector<Device> devices;
  for (const ModelOnDevice& one : all.devices) {
    selectors.push_back(one.device.info().selector);
    devices.push_back(one.device);
  }
  write_numerics(out, selectors, numerics_of(devices));
  close_page(out);
  return out.str();
}

}  // namespace clmx::cli
