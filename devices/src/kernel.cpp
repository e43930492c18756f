#include "clmx/devices/kernel.hpp"

#include "kernel_state.hpp"

namespace clmx {

std::string_view Kernel::entry() const {
  return state_->entry;
}

std::size_t Kernel::max_work_group_size() const {
  return state_->max_work_group_size;
}

}  // namespace clmx
