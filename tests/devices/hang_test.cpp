#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "clmx/devices/failure.hpp"
#include "support/temp_folder.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// A hung device stays hung while its process lives, so each of these tests runs this program again
// for one device, with CLMX_HANG_CHILD naming it, and looks at how that ended.
std::string child_device() {
  return environment("CLMX_HANG_CHILD").value_or("");
}

struct Child {
  int status = -1;
  std::string said;
  double took_seconds = 0;
};

Child run_child(const std::string& test, const std::string& selector) {
  const TempFolder folder;
  const std::string said = (folder / "said").string();
  const std::string command = "CLMX_HANG_CHILD=" + selector + " timeout -s KILL 40 /proc/" +
                              std::to_string(getpid()) + "/exe --gtest_filter=" + test + " > " +
                              said + " 2>&1";
  const auto begin = std::chrono::steady_clock::now();
  const int status = std::system(command.c_str());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return {WEXITSTATUS(status), content_of(said), took.count()};
}

const KernelLibrary& endless_library() {
  static constexpr std::string_view endless = R"(
kernel void endless(volatile global uint* go, ulong go_at) {
  while (go[go_at] != 0 && get_group_id(0) < 0xffffffffu) {}
}
)";
  static constexpr auto files = std::to_array<KernelSource>({{"endless.cl", endless}});
  static constexpr KernelLibrary library{"endless", files};
  return library;
}

// The loop ends when its word becomes 0, which nobody does. Where a driver ends any loop after some
// thousands of turns, the work-items are many enough; asking for the group keeps the grid whole.
void launch_endless(const Stream& stream) {
  const std::vector<std::uint32_t> one{1};
  const Buffer go = Buffer::allocate(stream, 4);
  stream.write(go, 0, std::as_bytes(std::span(one)));
  stream.launch(stream.device().kernel({endless_library(), "endless.cl", "endless", {}}),
                Grid::linear(std::size_t{1} << 30, 64), BufferArgument{go});
}

// What the call says of the hung device; leaves with 2 when it says nothing.
template <class Call>
std::string hang_message(Call call) {
  std::string message = message_of<DeviceHung>(call);
  if (message.empty()) std::_Exit(2);
  return message;
}

[[noreturn]] void leave(bool good) {
  std::fflush(nullptr);
  std::_Exit(good && any_device_hung() ? 3 : 1);
}

void waits_give_up(const Device& device) {
  set_hang_limit(milliseconds(1500));
  const Stream stream = device.new_stream(), other = device.new_stream();
  const Buffer x = upload(stream, counting(8));
  stream.synchronize();
  launch_endless(stream);
  const Event event = stream.record();
  const std::string message = hang_message([&] { download(stream, x); });
  std::cout << message << '\n';
  const bool named = message.find("endless") != std::string::npos &&
                     message.find(device.info().selector) != std::string::npos;
  bool dead = !is_alive(stream) && !is_alive(other) && event.complete();
  for (const std::string& later : {message_of<DeviceError>([&] { event.wait(); }),
                                   message_of<DeviceError>([&] { stream.synchronize(); }),
                                   message_of<DeviceError>([&] { download(stream, x); }),
                                   message_of<DeviceError>([&] { other.record(); })}) {
    dead = dead && later.find("cannot be used any more") != std::string::npos;
  }
  leave(named && dead);
}

TEST(HungDevice, IsReportedByTheWaitAndItsStreamsAreDead) {
  if (!child_device().empty()) waits_give_up(Device::select(child_device()));
  for (const Device& device : test_devices()) {
    const Child child =
        run_child("HungDevice.IsReportedByTheWaitAndItsStreamsAreDead", device.info().selector);
    EXPECT_EQ(child.status, 3) << child.said;
    EXPECT_LT(child.took_seconds, 30) << child.said;
  }
}

void default_stream_is_replaced(const Device& device) {
  set_hang_limit(milliseconds(1500));
  const Stream first = device.default_stream();
  {
    const Buffer freed = upload(first, counting(1000));
    launch_endless(first);
    hang_message([&] { first.synchronize(); });
  }  // the buffer's memory is left alone, not reused
  leave(is_alive(device.default_stream()) && !(device.default_stream() == first));
}

TEST(HungDevice, HasANewDefaultStreamAndReleasesNothing) {
  if (!child_device().empty()) default_stream_is_replaced(Device::select(child_device()));
  for (const Device& device : test_devices()) {
    const Child child =
        run_child("HungDevice.HasANewDefaultStreamAndReleasesNothing", device.info().selector);
    EXPECT_EQ(child.status, 3) << child.said;
    EXPECT_LT(child.took_seconds, 30) << child.said;
  }
}

TEST(HangLimit, BearsWithALongQueueThatMakesProgress) {
  set_hang_limit(milliseconds(300));
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(4096));
    const Kernel kernel = device.kernel({test_library(), "scale.cl", "add_one", {}});
    stream.launch(kernel, Grid::linear(4096, 64), BufferArgument{x});
    set_hang_limit(seconds(60));  // compiling is no progress
    stream.synchronize();
    set_hang_limit(milliseconds(300));
    const auto begin = std::chrono::steady_clock::now();
    int launches = 0;
    do {
      for (int i = 0; i < 500; ++i) {
        stream.launch(kernel, Grid::linear(4096, 64), BufferArgument{x});
      }
      launches += 500;
    } while (std::chrono::steady_clock::now() - begin < milliseconds(600));
    EXPECT_NO_THROW(stream.synchronize());
    EXPECT_EQ(download(stream, x)[5], 6.0f + static_cast<float>(launches));
  }
  set_hang_limit(milliseconds(0));
}

TEST(HangLimit, KeepsEveryKindOfWaitCorrect) {
  set_hang_limit(seconds(60));
  for (const Device& device : test_devices()) {
    for (const StreamOptions options : {StreamOptions{}, StreamOptions{.profiling = true}}) {
      const Stream stream = device.new_stream(options);
      const Buffer x = upload(stream, counting(1 << 20)), y = Buffer::allocate(stream, x.size());
      stream.launch(scale_kernel(device), Grid::linear(1 << 20, 64), BufferArgument{x},
                    BufferArgument{y}, 1u << 20);
      const Event event = stream.record();
      event.wait();
      EXPECT_TRUE(event.complete());
      const MappedBuffer mapped = stream.map(y, 0, y.size());
      EXPECT_EQ(reinterpret_cast<const float*>(mapped.data())[12345], 24690.0f);
      EXPECT_NO_THROW(stream.synchronize());
    }
  }
  set_hang_limit(milliseconds(0));
}

}  // namespace
}  // namespace clmx
