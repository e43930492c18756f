#include <sstream>

#include "markup.hpp"
#include "verify_golden.hpp"

namespace clmx {
namespace {

void write_case(std::ostream& out, const std::string& suite, const CaseResult& one) {
  out << "    <testcase classname=\"" << escaped_markup(suite) << "\" name=\""
      << escaped_markup(one.name) << '"';
  switch (one.outcome) {
    case Outcome::not_covered:
      out << "><skipped message=\"not covered\"/></testcase>\n";
      break;
    case Outcome::failed:
      out << "><failure message=\"" << escaped_markup(one.what) << "\">element " << one.index
          << ": got " << one.got << ", wanted " << one.wanted
          << "; arguments: " << escaped_markup(one.arguments) << "</failure></testcase>\n";
      break;
    default:
      out << "/>\n";
  }
}

void write_suite(std::ostream& out, const std::string& suite, const FamilyResult& family) {
  out << "  <testsuite name=\"" << escaped_markup(suite) << "\" tests=\"" << family.cases.size()
      << "\" failures=\"" << family.count(Outcome::failed) << "\" skipped=\""
      << family.count(Outcome::not_covered) << "\">\n";
  for (const CaseResult& one : family.cases) write_case(out, suite, one);
  out << "  </testsuite>\n";
}

}  // namespace

std::string to_junit(std::span<const DeviceResult> devices) {
  std::ostringstream out;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const DeviceResult& device : devices) {
    for (const FamilyResult& family : device.families)
      write_suite(out, device.selector + "." + family.name, family);
  }
  out << "</testsuites>\n";
  return out.str();
}

}  // namespace clmx
