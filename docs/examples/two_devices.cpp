#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/quantize.hpp"

// Routes the layers of one model to two devices: an op runs where its last argument says. Arrays
// are copied as needed, and the bits are those of one device. With one device only, both layers run
// there.
namespace {

class FeedForward final : public clmx::Module {
 public:
  /// Runs `up` on the device a, `down` on the device b.
  clmx::Array forward(const clmx::Array& x, const clmx::Device& a, const clmx::Device& b) const {
    const clmx::Array hidden = clmx::silu(up_->forward(x, a), a);
    return down_->forward(hidden, b);
  }
  /// Copies the weights to where they are needed.
  void place(const clmx::Device& a, const clmx::Device& b) {
    up_->to(a);
    down_->to(b);
  }
  void visit(clmx::Visitor& v) override {
    v.slot("up", up_);
    v.slot("down", down_);
  }
  std::unique_ptr<clmx::Module> clone() const override {
    return std::make_unique<FeedForward>(*this);
  }
  std::string describe() const override { return "FeedForward"; }

 private:
  clmx::Slot<clmx::LinearLayer> up_{
      std::make_unique<clmx::Linear>(clmx::Linear::random(128, 512, /*seed=*/1))};
  clmx::Slot<clmx::LinearLayer> down_{
      std::make_unique<clmx::Linear>(clmx::Linear::random(512, 128, /*seed=*/2))};
};

// Anything but zeros.
bool says_something(const std::vector<float>& y) {
  return y[0] * y[0] + y[1] * y[1] > 0;
}

}  // namespace

int main() {
  try {
    const auto devices = clmx::Device::all();
    if (devices.empty()) {
      std::cerr << "no OpenCL device: clmx doctor says why\n";
      return 1;
    }
    const clmx::Device &first = devices.front(), &second = devices.back();
    if (devices.size() == 1) std::cout << "one device only: both layers run on it\n";

    FeedForward model;
    clmx::quantize(model, 64, 4);
    model.place(first, second);
    const clmx::Array x = clmx::Array::from(std::vector<float>(128, 0.25F), clmx::Shape{1, 128});
    const auto split = model.forward(x, first, second).to_vector<float>();
    const auto alone = model.forward(x, first, first).to_vector<float>();
    std::cout << model.description() << first.info().selector << " and " << second.info().selector
              << ": "
              << (split == alone ? "the bits of one device\n" : "other bits than one device\n");
    return split == alone && says_something(split) ? 0 : 1;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
