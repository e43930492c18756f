#include <chrono>

#include "clmx/devices/trace.hpp"
#include "faulty_devices.hpp"

namespace clmx {
namespace {

using std::chrono::milliseconds;

constexpr int allocation_failed = -4, out_of_resources = -5, out_of_host_memory = -6,
              invalid_work_group = -54;

class HungFake : public FaultyDevices {
 protected:
  /// Hangs the GPU under a kernel; checks what a wait says.
  void expect_told() {
    const Stream stream = device(gpu_name).new_stream();
    const Array before = doubled(on_host(), stream);
    stream.synchronize();
    set_hang_limit(milliseconds(300));
    driver().hang(gpu_name, true);
    const Array pending = doubled(before, stream);
    const auto begin = std::chrono::steady_clock::now();
    // A read's memory would stay the driver's, which goes on later.
    const std::string said = message_of<DeviceHung>([&] { pending.map<float>(); });
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_THAT(said, HasSubstr("scale"));
    EXPECT_THAT(said, HasSubstr(gpu_name));
    EXPECT_GE(took, milliseconds(300));
    EXPECT_LT(took, milliseconds(5000));
    EXPECT_FALSE(is_alive(stream));
    EXPECT_TRUE(any_device_hung());
    EXPECT_THROW(pending.to_vector<float>(), DeviceError);
    const Stream other = device(cpu_name).new_stream();
    EXPECT_EQ(doubled(on_host(), other).to_vector<float>(), wanted()) << "others are not concerned";
  }
};

TEST_F(HungFake, IsToldWithinTheLimit) {
  expect_told();
}

TEST_F(HungFake, IsToldWithoutCallbacksOfTheDriverToo) {
  driver().fail("clSetEventCallback", invalid_work_group, 1'000'000);
  expect_told();
}

TEST_F(HungFake, CanBeUsedWhenItGoesOn) {
  expect_told();
  driver().hang(gpu_name, false);
  const Stream again = device(gpu_name).default_stream();
  EXPECT_EQ(doubled(on_host(), again).to_vector<float>(), wanted());
}

using FailingCalls = FaultyDevices;

TEST_F(FailingCalls, AllocationIsTriedOnceMoreAndThenOutOfMemory) {
  const Stream stream = device(gpu_name).new_stream();
  const Array x = doubled(on_host(), stream);
  driver().fail("clCreateBuffer", allocation_failed, 1);
  EXPECT_NO_THROW(Buffer::allocate_unpooled(stream.device(), 4096));
  driver().fail("clCreateBuffer", allocation_failed, 2);
  EXPECT_THAT(message_of<OutOfMemory>([&] { Buffer::allocate_unpooled(stream.device(), 4096); }),
              HasSubstr("4096 bytes"));
  EXPECT_TRUE(is_alive(stream));
  EXPECT_EQ(x.to_vector<float>(), wanted());
}

TEST_F(FailingCalls, EnqueueingIsTriedOnceMoreWhereMemoryIsShort) {
  const Stream stream = device(gpu_name).new_stream();
  const Array host = on_host();
  doubled(host, stream);
  for (const char* call : {"clEnqueueNDRangeKernel", "clEnqueueReadBuffer"}) {
    driver().fail(call, out_of_host_memory, 1);
    EXPECT_EQ(doubled(host, stream).to_vector<float>(), wanted()) << call;
    driver().fail(call, out_of_host_memory, 2);
    EXPECT_THROW(doubled(host, stream).to_vector<float>(), OutOfMemory) << call;
    EXPECT_TRUE(is_alive(stream));
  }
  driver().fail("clEnqueueWriteBuffer", allocation_failed, 1);
  EXPECT_EQ(doubled(on_host(), stream).to_vector<float>(), wanted());
  driver().fail("clEnqueueMapBuffer", allocation_failed, 1);
  EXPECT_EQ(doubled(host, stream).map<float>()[3], 6.0F);
}

TEST_F(FailingCalls, ALaunchThatIsRefusedNamesItsKernelAndHarmsNothing) {
  const Stream stream = device(gpu_name).new_stream();
  const Array host = on_host();
  doubled(host, stream);
  for (const int code : {invalid_work_group, out_of_resources}) {
    driver().fail("clEnqueueNDRangeKernel", code, 1);
    EXPECT_THAT(message_of<DeviceError>([&] { doubled(host, stream); }), HasSubstr("scale"));
    EXPECT_TRUE(is_alive(stream));
    EXPECT_EQ(doubled(host, stream).to_vector<float>(), wanted());
  }
}

TEST_F(FailingCalls, OfAWaitMakeTheStreamDead) {
  for (const char* call : {"clWaitForEvents", "clEnqueueReadBuffer"}) {
    const Stream stream = device(gpu_name).new_stream();
    const Array x = doubled(on_host(), stream);
    driver().fail(call, out_of_resources, 1);
    EXPECT_THAT(message_of<DeviceError>([&] { x.to_vector<float>(); }), HasSubstr("OUT_OF_RES"));
    EXPECT_FALSE(is_alive(stream)) << call;
  }
}

TEST_F(FailingCalls, NewStreamsAndKernelsSayWhatFailed) {
  const Device gpu = device(gpu_name);
  driver().fail("clCreateCommandQueue", out_of_resources, 1);
  EXPECT_THAT(message_of<DeviceError>([&] { gpu.new_stream(); }),
              HasSubstr("clCreateCommandQueue"));
  const Stream stream = gpu.new_stream();
  driver().fail("clSetKernelArg", invalid_work_group, 1);
  EXPECT_THAT(message_of<DeviceError>([&] { doubled(on_host(), stream); }), HasSubstr("scale"));
  driver().fail("clBuildProgram", -11, 1'000'000);
  EXPECT_THAT(message_of<KernelBuildError>([&] { scale_kernel(gpu, 9); }), HasSubstr("scale.cl"));
  driver().fail("", 0, 0);
  EXPECT_EQ(doubled(on_host(), stream).to_vector<float>(), wanted());
}

/// Whether the host timed the second half of some launches.
bool host_timed(const Stream& stream, const Array& x,
                const std::function<Array(const Array&, const Stream&)>& step) {
  for (int i = 0; i < 64; ++i) step(x, stream).to_vector<float>();
  const Trace trace = take_trace(TraceEnd::at_once);
  int host = 0, all = 0;
  for (const TraceEvent& event : trace.events) {
    if (event.kind != TraceKind::launch) continue;
    ++all;
    host += event.host_clock ? 1 : 0;
  }
  EXPECT_EQ(all, 64);
  return host > 32;
}

using LyingClock = FaultyDevices;

TEST_F(LyingClock, IsNotedInTheTraceAndTheHostsIsTaken) {
  start_trace();
  take_trace(TraceEnd::at_once);
  for (const bool lies : {false, true}) {
    driver().lie(gpu_name, lies);
    const Stream stream = device(gpu_name).new_stream();
    EXPECT_EQ(host_timed(stream, on_host(), doubled), lies);
  }
}

}  // namespace
}  // namespace clmx
