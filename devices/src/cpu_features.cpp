#include "cpu_features.hpp"

#include <iomanip>
#include <sstream>
#include <utility>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

namespace clmx {

std::string cpu_features() {
  std::ostringstream text;
  text << std::hex;
#if defined(__x86_64__) || defined(__i386__)
  // Leaf 1 has the core's number in ebx: only ecx and edx are features.
  using Leaf = std::pair<unsigned, unsigned>;
  for (const auto& [leaf, part] : {Leaf{1, 0}, Leaf{7, 0}, Leaf{7, 1}, Leaf{0x80000001U, 0}}) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(leaf, part, &eax, &ebx, &ecx, &edx) == 0) continue;
    text << leaf << '.' << part << ':' << (leaf == 7 ? ebx : 0) << ',' << ecx << ',' << edx << ' ';
  }
#elif defined(__linux__)
  text << getauxval(AT_HWCAP) << ' ' << getauxval(AT_HWCAP2);
#endif
  return text.str();
}

}  // namespace clmx
