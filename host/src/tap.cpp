#include "clmx/host/tap.hpp"

namespace clmx {
namespace {

thread_local Tap* installed = nullptr;

}  // namespace

Tap* current_tap() {
  return installed;
}

TapScope::TapScope(Tap& tap) : outer_(installed) {
  installed = &tap;
}
TapScope::~TapScope() {
  installed = outer_;
}

}  // namespace clmx
