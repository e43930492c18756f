#include "clmx/devices/memory.hpp"
#include "faulty_devices.hpp"

namespace clmx {
namespace {

class LostDevice : public FaultyDevices {
 protected:
  const Device gpu = device(gpu_name), cpu = device(cpu_name),
               accelerator = device(accelerator_name);
  const Stream stream = gpu.new_stream();
};

TEST_F(LostDevice, IsToldByTheNextWaitAndItsStreamIsDead) {
  const Array x = doubled(on_host(), stream);
  stream.synchronize();
  driver().lose(gpu_name);
  EXPECT_THAT(message_of<DeviceError>([&] { stream.synchronize(); }), HasSubstr(gpu_name));
  EXPECT_FALSE(is_alive(stream));
  for (const auto& later : {std::function<void()>([&] { stream.synchronize(); }),
                            std::function<void()>([&] { stream.flush(); }),
                            std::function<void()>([&] { stream.record(); }),
                            std::function<void()>([&] { doubled(on_host(), stream); }),
                            std::function<void()>([&] { x.to_vector<float>(); })}) {
    EXPECT_THAT(message_of<DeviceError>(later), HasSubstr("cannot be used any more"));
  }
  EXPECT_TRUE(x.ready()) << "waiting for it would not end otherwise";
}

TEST_F(LostDevice, IsToldWhileItsWorkIsPending) {
  driver().hang(gpu_name, true);
  const Array x = doubled(on_host(), stream);
  driver().lose(gpu_name);
  EXPECT_THAT(message_of<DeviceError>([&] { x.to_vector<float>(); }), HasSubstr("scale"));
  EXPECT_FALSE(is_alive(stream));
}

TEST_F(LostDevice, LeavesArraysReadableWhoseBytesAreElsewhere) {
  const Array host = on_host();
  for (const Device& other : {cpu, accelerator}) {
    const Stream another = gpu.new_stream();
    const Array shared = doubled(host, another), rows = shared.reshape({16, 4}).rows(3, 5);
    shared.on(other.default_stream());
    driver().lose(gpu_name);
    EXPECT_THROW(another.synchronize(), DeviceError);
    EXPECT_EQ(host.to_vector<float>(), counting(64));
    EXPECT_EQ(shared.to_vector<float>(), wanted());
    EXPECT_EQ(rows.map<float>()[0], 24.0F);
    EXPECT_EQ(doubled(shared, other.default_stream()).to_vector<float>(), scaled(wanted(), 2));
    EXPECT_EQ(doubled(shared, cpu.default_stream()).to_vector<float>(), scaled(wanted(), 2));
    driver().answer(gpu_name);
    EXPECT_EQ(doubled(shared, gpu.new_stream()).to_vector<float>(), scaled(wanted(), 2));
  }
}

TEST_F(LostDevice, TakesArraysAlongThatWereOnlyThere) {
  const Array x = doubled(on_host(), stream);
  driver().lose(gpu_name);
  EXPECT_THROW(x.to_vector<float>(), DeviceError);
  EXPECT_THROW(x.map<float>(), DeviceError);
  EXPECT_THROW(doubled(x, cpu.default_stream()), DeviceError);
  driver().answer(gpu_name);
  EXPECT_THROW(x.to_vector<float>(), DeviceError) << "its bytes were lost";
  EXPECT_THROW(doubled(x, gpu.default_stream()), DeviceError);
  EXPECT_EQ(doubled(on_host(), cpu.default_stream()).to_vector<float>(), wanted());
}

TEST_F(LostDevice, WorksAgainOnceItAnswers) {
  const Array host = on_host();
  EXPECT_EQ(doubled(host, gpu.default_stream()).to_vector<float>(), wanted());
  const Stream before = gpu.default_stream();
  driver().lose(gpu_name);
  EXPECT_THROW(before.synchronize(), DeviceError);
  EXPECT_THAT(message_of<DeviceError>([&] { gpu.new_stream(); }), HasSubstr("NOT_AVAILABLE"));
  EXPECT_THROW(gpu.default_stream(), DeviceError);
  driver().answer(gpu_name);
  EXPECT_FALSE(gpu.default_stream() == before);
  const auto uploads = transfer_stats().uploads;
  EXPECT_EQ(doubled(host, gpu.default_stream()).to_vector<float>(), wanted());
  EXPECT_EQ(transfer_stats().uploads, uploads + 1) << "the replica is copied again";
  EXPECT_EQ(doubled(host, gpu.new_stream()).to_vector<float>(), wanted());
}

// Nobody waits in between: the launches themselves meet the loss.
TEST_F(LostDevice, IsToldByLaunchesToo) {
  const Array x = on_host();
  const Stream before = gpu.default_stream();
  doubled(x, before);
  driver().lose(gpu_name);
  EXPECT_THROW(doubled(x, before), DeviceError);
  EXPECT_FALSE(is_alive(before));
  driver().answer(gpu_name);
  EXPECT_EQ(doubled(x, gpu.default_stream()).to_vector<float>(), wanted());
}

TEST_F(LostDevice, NeverHasItsMemoryUsedAgain) {
  driver().hang(gpu_name, true);
  { const Array pending = doubled(on_host(), stream); }
  driver().lose(gpu_name);
  EXPECT_THROW(stream.synchronize(), DeviceError);
  driver().hang(gpu_name, false);
  driver().answer(gpu_name);
  const Stream next = gpu.new_stream();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(doubled(on_host(), next).to_vector<float>(), wanted());
  gpu.trim_memory();
}

}  // namespace
}  // namespace clmx
