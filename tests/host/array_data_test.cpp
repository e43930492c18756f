#define CL_USE_DEPRECATED_OPENCL_1_2_APIS  // queues of OpenCL 1.2
#include "clmx/host/array_data.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

#include "clmx/devices/error.hpp"
#include "clmx/devices/opencl_interop.hpp"
#include "clmx/host/ops.hpp"
#include "devices/test_kernels.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

std::vector<float> values_of(const ArrayData& data) {
  std::vector<float> values(data.bytes.bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), data.bytes.bytes.data(), data.bytes.bytes.size());
  return values;
}

/// What a device holds, read by OpenCL alone.
std::vector<float> read_by_opencl(const Stream& stream, cl_mem memory, std::size_t count) {
  std::vector<float> values(count);
  EXPECT_EQ(clEnqueueReadBuffer(as_cl_command_queue(stream), memory, CL_TRUE, 0,
                                count * sizeof(float), values.data(), 0, nullptr, nullptr),
            CL_SUCCESS);
  return values;
}

void write_by_opencl(cl_command_queue queue, cl_mem memory, const std::vector<float>& values) {
  ASSERT_EQ(clEnqueueWriteBuffer(queue, memory, CL_TRUE, 0, values.size() * sizeof(float),
                                 values.data(), 0, nullptr, nullptr),
            CL_SUCCESS);
}

/// Computed by the device, so that the device's bytes are the only ones.
Array doubled_on(const Device& device, const std::vector<float>& values, const Shape& shape) {
  const Array x = Array::from(values, shape);
  return add(x, x, device.default_stream());
}

TEST(ArrayData, TellsShapeStridesAndDtype) {
  const ArrayData data = Array::from(counting(24), Shape{2, 3, 4}).as_data();
  EXPECT_EQ(data.shape, (Shape{2, 3, 4}));
  EXPECT_EQ(data.strides, (std::vector<std::int64_t>{12, 4, 1}));
  EXPECT_EQ(data.dtype, DType::f32);
  EXPECT_EQ(values_of(data), counting(24));
}

TEST(ArrayData, AScalarHasNoAxesAndAVectorOfOneHasOne) {
  const ArrayData scalar = Array(2.5f).as_data();
  const ArrayData vector = Array(2.5f).reshape(Shape{1}).as_data();
  EXPECT_EQ(scalar.shape.rank(), 0);
  EXPECT_TRUE(scalar.strides.empty());
  EXPECT_EQ(vector.shape, Shape{1});
  EXPECT_EQ(vector.strides, (std::vector<std::int64_t>{1}));
  EXPECT_NE(Array(2.5f).shape(), Shape{1});
  EXPECT_EQ(values_of(scalar), values_of(vector));
  EXPECT_EQ(Array(2.5f).reshape(Shape{1}).item<float>(), 2.5f);
}

TEST(ArrayData, ItemWantsOneElementAndTheDtype) {
  EXPECT_THROW((void)Array::from(counting(2), Shape{2}).item<float>(), ArgumentError);
  EXPECT_THROW((void)Array().item<float>(), ArgumentError);
  EXPECT_THROW((void)Array(1.0f).item<std::int32_t>(), ArgumentError);
}

TEST(ArrayData, AsArrayGivesTheElementsInAnyDtype) {
  const Array array = Array::from(counting(6), Shape{2, 3});
  EXPECT_EQ(array.as_array<float>(), counting(6));
  EXPECT_EQ(array.as_array<std::uint32_t>(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(array.rows(1, 2).as_array<std::uint8_t>(), (std::vector<std::uint8_t>{3, 4, 5}));
  EXPECT_THROW((void)array.to_vector<std::uint32_t>(), ArgumentError);
  EXPECT_TRUE(Array().as_array<std::int32_t>().empty());
}

template <Element T>
void expect_cast(const Array& array, const Device& device) {
  const Array cast_there = cast(array, DTypeOf<T>::value, device);
  const std::vector<T> wanted = cast_there.to_vector<T>(), got = array.as_array<T>();
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if constexpr (!std::integral<T>) {
      const auto a = static_cast<float>(got[i]), b = static_cast<float>(wanted[i]);
      EXPECT_TRUE((std::isnan(a) && std::isnan(b)) ||
                  (a == b && std::signbit(a) == std::signbit(b)))
          << a << ' ' << b;
    } else {
      EXPECT_EQ(got[i], wanted[i]);
    }
  }
}

TEST(ArrayData, AsArrayConvertsAsCastDoes) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const Array wide = Array::from(
      std::vector<float>{
          0.0f,          -0.0f,          1.5f,  -1.5f,         2.9999f,       255.0f,
          255.9f,        256.0f,         -0.9f, 65519.0f,      65520.0f,      2147483520.0f,
          2147483648.0f, -2147483648.0f, -3e9f, 4294967040.0f, 4294967296.0f, 1e30f,
          inf,           -inf,           NAN,   1.00390625f,   1.01171875f,   16777216.0f},
      Shape{24});
  const Array whole = Array::from(
      std::vector<std::int32_t>{0, 1, -1, 255, 256, -129, 16777217, 2147483647, -2147483647},
      Shape{9});
  for (const Device& device : test_devices()) {
    SCOPED_TRACE(device.info().selector);
    for (const DType from :
         {DType::f32, DType::f16, DType::bf16, DType::i32, DType::u32, DType::u8}) {
      SCOPED_TRACE(from);
      const Array array = cast(is_float(from) ? wide : whole, from, device);
      expect_cast<float>(array, device);
      expect_cast<Half>(array, device);
      expect_cast<BFloat16>(array, device);
      expect_cast<std::uint8_t>(array, device);
      expect_cast<std::uint32_t>(array, device);
      expect_cast<std::int32_t>(array, device);
    }
  }
}

TEST(ArrayData, WithoutACopyItIsTheHostsOwnBytesAlsoOfAView) {
  const HostBytes bytes = HostBytes::own(counting(12));
  const Array array = Array::wrap(bytes, Shape{4, 3}, DType::f32);
  for (const DataAccess access : {DataAccess::no_copy, DataAccess::no_copy_if_contiguous}) {
    EXPECT_EQ(array.as_data(access).bytes.bytes.data(), bytes.bytes.data());
    EXPECT_EQ(array.rows(1, 3).as_data(access).bytes.bytes.data(), bytes.bytes.data() + 12);
  }
  EXPECT_NE(array.as_data(DataAccess::copy).bytes.bytes.data(), bytes.bytes.data());
}

TEST(ArrayData, OutlivesTheArray) {
  for (const Device& device : test_devices()) {
    for (const DataAccess access : {DataAccess::copy, DataAccess::no_copy}) {
      const ArrayData data = doubled_on(device, counting(1000), Shape{1000}).as_data(access);
      // Would take the memory if it were free.
      const Array other = doubled_on(device, std::vector<float>(1000, 7.0f), Shape{1000});
      other.wait();
      EXPECT_EQ(values_of(data)[999], 1998.0f) << device.info().selector;
    }
  }
  std::weak_ptr<const void> alive;
  {
    const HostBytes bytes = HostBytes::own(counting(4));
    alive = bytes.owner;
    const ArrayData data = Array::wrap(bytes, Shape{4}, DType::f32).as_data(DataAccess::no_copy);
    EXPECT_EQ(values_of(data), counting(4));
  }
  EXPECT_TRUE(alive.expired());
}

TEST(ArrayData, NoElementsAreNoBytes) {
  const ArrayData data =
      Array::from(std::vector<float>{}, Shape{0, 3}).as_data(DataAccess::no_copy);
  EXPECT_TRUE(data.bytes.bytes.empty());
  EXPECT_EQ(data.shape, (Shape{0, 3}));
  for (const Device& device : test_devices())
    EXPECT_FALSE(Array::from(std::vector<float>{}, Shape{0}).as_cl_mem(device));
}

TEST(ArrayMemory, WithoutACopyItIsTheArraysOwn) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.default_stream();
    const Array array = doubled_on(device, counting(8), Shape{8});
    const std::optional<ArrayMemory> memory = array.as_cl_mem(device, true);
    ASSERT_TRUE(memory) << device.info().selector;
    EXPECT_EQ(memory->get(), as_cl_mem(array.on(stream).buffer));
    EXPECT_EQ(memory->bytes(), 32u);
    EXPECT_EQ(read_by_opencl(stream, memory->get(), 8)[7], 14.0f);
  }
}

TEST(ArrayMemory, ACopyIsItsOwn) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.default_stream();
    const Array array = doubled_on(device, counting(8), Shape{2, 4});
    const std::optional<ArrayMemory> memory = array.rows(1, 2).as_cl_mem(device);
    ASSERT_TRUE(memory);
    EXPECT_EQ(read_by_opencl(stream, memory->get(), 4), (std::vector<float>{8, 10, 12, 14}));
    write_by_opencl(as_cl_command_queue(stream), memory->get(), {0, 0, 0, 0});
    EXPECT_EQ(array.to_vector<float>()[7], 14.0f);
    const std::optional<ArrayMemory> of_host = Array(3.0f).as_cl_mem(device);
    ASSERT_TRUE(of_host);
    EXPECT_EQ(read_by_opencl(stream, of_host->get(), 1)[0], 3.0f);
  }
}

TEST(ArrayMemory, AHostsArrayIsAliasedWhereTheDeviceCan) {
  for (const Device& device : test_devices()) {
    const HostBytes bytes = HostBytes::own(counting(64));
    const Array array = Array::wrap(bytes, Shape{64}, DType::f32);
    const std::optional<ArrayMemory> memory = array.as_cl_mem(device, true);
    ASSERT_EQ(memory.has_value(), device.wraps_host_memory()) << device.info().selector;
    if (!memory) continue;
    void* host = nullptr;
    clGetMemObjectInfo(memory->get(), CL_MEM_HOST_PTR, sizeof(host), &host, nullptr);
    EXPECT_EQ(host, bytes.bytes.data());
  }
}

TEST(ArrayMemory, AViewBeginsWithItsFirstElementOrIsRefused) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.default_stream();
    const Array array = doubled_on(device, counting(4096), Shape{4, 1024});
    const std::optional<ArrayMemory> row = array.rows(2, 3).as_cl_mem(device, true);
    ASSERT_TRUE(row) << "4096 bytes are a multiple of any alignment";
    EXPECT_EQ(read_by_opencl(stream, row->get(), 1)[0], 4096.0f);
    const Array odd = array.reshape(Shape{4096}).rows(1, 9);
    // Some devices begin a buffer at any byte.
    if (const std::optional<ArrayMemory> there = odd.as_cl_mem(device, true)) {
      EXPECT_EQ(read_by_opencl(stream, there->get(), 1)[0], 2.0f) << device.info().selector;
    }
    EXPECT_EQ(read_by_opencl(stream, odd.as_cl_mem(device)->get(), 1)[0], 2.0f);
  }
}

TEST(ArrayMemory, KeepsTheMemoryAfterTheArray) {
  for (const Device& device : test_devices()) {
    std::optional<ArrayMemory> memory, row;
    {
      const Array array = doubled_on(device, counting(2048), Shape{2, 1024});
      memory = array.as_cl_mem(device, true);
      row = array.rows(1, 2).as_cl_mem(device, true);
    }
    for (int i = 0; i < 4; ++i)
      doubled_on(device, std::vector<float>(2048, 7.0f), Shape{2048}).wait();
    ASSERT_TRUE(memory && row);
    const Stream stream = device.default_stream();
    EXPECT_EQ(read_by_opencl(stream, memory->get(), 2)[1], 2.0f) << device.info().selector;
    memory.reset();
    doubled_on(device, std::vector<float>(2048, 7.0f), Shape{2048}).wait();
    EXPECT_EQ(read_by_opencl(stream, row->get(), 1)[0], 2048.0f) << "the window holds its whole";
  }
}

TEST(Interop, AUsersMemoryIsAnArray) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.default_stream();
    cl_int status = CL_SUCCESS;
    cl_mem mine = clCreateBuffer(as_cl_context(device), CL_MEM_READ_WRITE, 64, nullptr, &status);
    ASSERT_EQ(status, CL_SUCCESS);
    const std::vector<float> values = counting(16);
    // Enqueued between clmx's work, without waiting.
    ASSERT_EQ(clEnqueueWriteBuffer(as_cl_command_queue(stream), mine, CL_FALSE, 0, 64,
                                   values.data(), 0, nullptr, nullptr),
              CL_SUCCESS);
    const Array x = Array::wrap(buffer_from_cl_mem(device, mine), Shape{4, 4}, DType::f32, stream);
    clReleaseMemObject(mine);  // the array holds it
    const Array y = add(x, x, stream);
    const std::optional<ArrayMemory> result = y.as_cl_mem(device, true);
    EXPECT_EQ(read_by_opencl(stream, result->get(), 16)[15], 30.0f) << device.info().selector;
    EXPECT_THROW((void)Array::wrap(buffer_from_cl_mem(device, result->get()), Shape{1000000},
                                   DType::f32, stream),
                 ArgumentError);
  }
}

TEST(Interop, AUsersWorkRunsBetweenOursOnAQueueHandedOut) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    cl_command_queue queue = as_cl_command_queue(stream);
    const Array x = Array::from(counting(1024), Shape{1024});
    const Array first = add(x, x, stream);
    const BufferArgument held = first.on(stream);
    const float nine = 9.0f;
    ASSERT_EQ(clEnqueueFillBuffer(queue, as_cl_mem(held.buffer), &nine, sizeof(nine), 0, 4096, 0,
                                  nullptr, nullptr),
              CL_SUCCESS);
    const Array second = add(first, first, stream);
    EXPECT_EQ(second.to_vector<float>(), std::vector<float>(1024, 18.0f)) << device.info().selector;
  }
}

TEST(Interop, AUsersQueueIsAStream) {
  for (const Device& device : test_devices()) {
    cl_int status = CL_SUCCESS;
    cl_command_queue queue =
        clCreateCommandQueue(as_cl_context(device), as_cl_device(device), 0, &status);
    ASSERT_EQ(status, CL_SUCCESS);
    const Stream stream = stream_from_cl_command_queue(device, queue);
    EXPECT_EQ(as_cl_command_queue(stream), queue);
    clReleaseCommandQueue(queue);
    const Array x = Array::from(counting(100), Shape{100});
    EXPECT_EQ(add(x, x, stream).to_vector<float>()[99], 198.0f) << device.info().selector;
    EXPECT_THROW((void)stream_from_cl_command_queue(device, nullptr), ArgumentError);
  }
}

TEST(Interop, AUsersContextIsADevice) {
  for (const Device& device : test_devices()) {
    cl_int status = CL_SUCCESS;
    cl_device_id id = as_cl_device(device);
    cl_context context = clCreateContext(nullptr, 1, &id, nullptr, nullptr, &status);
    ASSERT_EQ(status, CL_SUCCESS);
    const Device mine = device_from_cl_context(context);
    EXPECT_EQ(as_cl_context(mine), context);
    EXPECT_EQ(mine, device_from_cl_context(context));
    EXPECT_FALSE(mine == device);
    EXPECT_EQ(mine.info().id, device.info().id);
    EXPECT_EQ(device, device_from_cl_context(as_cl_context(device)));
    clReleaseContext(context);
    const Array there = doubled_on(mine, counting(50), Shape{50});
    EXPECT_EQ(add(there, there, device.default_stream()).to_vector<float>()[49], 196.0f)
        << device.info().selector;
    cl_mem memory = as_cl_mem(there.on(mine.default_stream()).buffer);
    EXPECT_THROW((void)buffer_from_cl_mem(device, memory), ArgumentError) << "another context";
    cl_command_queue queue = as_cl_command_queue(mine.default_stream());
    EXPECT_THROW((void)stream_from_cl_command_queue(device, queue), ArgumentError);
    EXPECT_THROW((void)device_from_cl_context(nullptr), ArgumentError);
  }
}

}  // namespace
}  // namespace clmx
