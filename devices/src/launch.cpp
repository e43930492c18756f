#include <array>
#include <chrono>
#include <cstring>

#include "cl_error.hpp"
#include "counters.hpp"
#include "driver_needs.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

std::size_t argument_slots(std::span<const KernelArgument> arguments) {
  std::size_t slots = arguments.size();
  for (const KernelArgument& argument : arguments) {
    if (std::holds_alternative<BufferArgument>(argument)) ++slots;
  }
  return slots;
}

void check_arguments(const DeviceState& device, const KernelState& kernel,
                     std::span<const KernelArgument> arguments) {
  const std::size_t slots = argument_slots(arguments);
  require(slots == kernel.argument_count, kernel.entry, "the kernel has ", kernel.argument_count,
          " arguments (a buffer counts as two), the launch gives ", slots);
  require(slots * sizeof(std::uint64_t) <= device.info.max_parameter_bytes, kernel.entry, slots,
          " arguments exceed the device's ", device.info.max_parameter_bytes, " bytes");
  for (const KernelArgument& argument : arguments) {
    const auto* const buffer = std::get_if<BufferArgument>(&argument);
    require(buffer == nullptr || !buffer->buffer || &buffer->buffer.state()->device == &device,
            kernel.entry, "a buffer of another device than ", device.info.selector);
  }
}

void check_grid(const DeviceState& device, const KernelState& kernel, const Grid& grid) {
  const bool driver_chooses = grid.local == std::array<std::size_t, 3>{};
  std::size_t group = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::size_t global = grid.global[axis], local = grid.local[axis];
    require(global > 0, kernel.entry, "the global size is 0 along axis ", axis);
    if (driver_chooses) continue;
    require(local > 0 && global % local == 0, kernel.entry, "the global size ", global,
            " is no multiple of the local size ", local, " along axis ", axis);
    require(local <= kernel.max_work_group_size, kernel.entry, "a work-group of ", local,
            " items exceeds the kernel's limit of ", kernel.max_work_group_size);
    group *= local;
  }
  require(group <= kernel.max_work_group_size, kernel.entry, "a work-group of ", group,
          " items exceeds the kernel's limit of ", kernel.max_work_group_size);
  require(kernel.local_bytes <= device.info.local_bytes, kernel.entry, "needs ", kernel.local_bytes,
          " bytes of local memory, ", device.info.selector, " has ", device.info.local_bytes);
}

StreamKernel& stream_kernel(StreamState& stream, KernelState& kernel) {
  if (stream.kernels.size() <= kernel.number) stream.kernels.resize(kernel.number + 1);
  StreamKernel& own = stream.kernels[kernel.number];
  if (own.kernel == nullptr) {
    cl_int status = CL_SUCCESS;
    own.object = cl::Kernel(kernel.program->program, kernel.entry.c_str(), &status);
    check(status, stream.device.info, "clCreateKernel");
    own.slots.resize(kernel.argument_count);
    own.kernel = &kernel;
  }
  return own;
}

// Sets the kernel's arguments one after the other, passing over what is set already.
class ArgumentSetter {
 public:
  ArgumentSetter(StreamState& stream, StreamKernel& kernel, Use use)
      : stream_(stream), kernel_(kernel), use_(use) {}

  void operator()(const BufferArgument& argument) {
    BufferState* const buffer = argument.buffer.state();
    if (buffer != nullptr) buffer->uses.note(use_);
    const cl_mem memory = buffer == nullptr ? nullptr : buffer->block.memory();
    // The block's number tells memory apart: a driver may use a released cl_mem's address again.
    set(memory, sizeof(cl_mem), memory == nullptr ? 0 : buffer->block.number);
    set(argument.offset, sizeof argument.offset, argument.offset);
  }
  template <class Scalar>
  void operator()(Scalar value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    set(value, sizeof value, bits);
  }

 private:
  template <class Value>
  void set(Value value, std::size_t bytes, std::uint64_t bits) {
    StreamKernel::Slot& slot = kernel_.slots[index_];
    if (!slot.set || slot.bits != bits) {
      slot.set = false;
      const cl_int status = clSetKernelArg(kernel_.object(), index_, bytes, &value);
      if (status != CL_SUCCESS) {
        throw_device_error(stream_.device.info, "clSetKernelArg", status,
                           join("argument ", index_, " of ", kernel_.kernel->entry));
      }
      slot = {bits, true};
    }
    ++index_;
  }

  StreamState& stream_;
  StreamKernel& kernel_;
  const Use use_;
  cl_uint index_ = 0;
};

// Drivers generate code at the first launch in a shape; the binary saved for the next start holds
// it.
void note_shape(StreamKernel& kernel, const Grid& grid) {
  if (grid.local == kernel.local) return;
  ProgramState& program = *kernel.kernel->program;
  const std::lock_guard lock(program.mutex);
  std::string shape =
      join(kernel.kernel->entry, ' ', grid.local[0], ' ', grid.local[1], ' ', grid.local[2]);
  if (program.shapes.contains(shape)) return;
  require_able_to_compile(kernel.kernel->device.actual, kernel.kernel->entry);
  program.shapes.insert(std::move(shape));
  program.unsaved = true;
  kernel.kernel->device.kernels.mark_unsaved();
}

cl_int enqueue(StreamState& stream, const StreamKernel& kernel, const GridPiece& piece,
               cl_event* event) {
  const Grid& grid = piece.grid;
  const std::size_t* const local = grid.local[0] == 0 ? nullptr : grid.local.data();
  const bool whole = piece.offset == std::array<std::size_t, 3>{};
  return clEnqueueNDRangeKernel(stream.queue(), kernel.object(), 3,
                                whole ? nullptr : piece.offset.data(), grid.global.data(), local, 0,
                                nullptr, event);
}

cl_int enqueue_timed(StreamState& stream, const StreamKernel& kernel, const GridPiece& piece) {
  const KernelState* const state = kernel.kernel;
  TracedCommand traced(stream.trace.get(), TraceKind::launch, state->entry);
  traced.event().grid = piece.grid;
  cl::Event event;
  if (stream.asks_device_for_times()) {
    const cl_int status = enqueue(stream, kernel, piece, &event());
    if (status != CL_SUCCESS) return status;
    traced.enqueued(event);
    if (several_devices_in_use()) stream.endings.add(stream.sequence, event);
    if (has_hang_limit()) {
      stream.trail.add(stream.sequence, *state);
      stream.trail.mark(event);
    }
    if (stream.profiling) stream.samples.push_back({state, std::move(event), 0});
    return status;
  }
  stream.finish_queue();
  const auto start = std::chrono::steady_clock::now();
  cl_int status = enqueue(stream, kernel, piece, &event());
  if (status == CL_SUCCESS) status = wait_for(stream, event);
  if (status == device_hung) leave_alone(std::move(event));
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  if (status != CL_SUCCESS) return status;
  traced.ran(time.count());
  if (stream.profiling) stream.samples.push_back({state, {}, time.count()});
  return status;
}

// A launch in a new shape has an event of its own, since drivers compile for it.
cl_int enqueue_trailed(StreamState& stream, const StreamKernel& kernel, const GridPiece& piece) {
  cl::Event event;
  const bool marked = stream.trail.wants_mark() || kernel.local != piece.grid.local;
  const bool kept = several_devices_in_use();
  const cl_int status = enqueue(stream, kernel, piece, marked || kept ? &event() : nullptr);
  if (status != CL_SUCCESS) return status;
  if (kept) stream.endings.add(stream.sequence, event);
  stream.trail.add(stream.sequence, *kernel.kernel);
  if (marked) stream.trail.mark(event);
  return status;
}

cl_int enqueue_kept(StreamState& stream, const StreamKernel& kernel, const GridPiece& piece) {
  cl::Event event;
  const cl_int status = enqueue(stream, kernel, piece, &event());
  if (status == CL_SUCCESS) stream.endings.add(stream.sequence, event);
  return status;
}

cl_int enqueue_as_asked(StreamState& stream, const StreamKernel& kernel, const GridPiece& piece) {
  if (stream.measures()) return enqueue_timed(stream, kernel, piece);
  if (has_hang_limit()) return enqueue_trailed(stream, kernel, piece);
  if (several_devices_in_use()) return enqueue_kept(stream, kernel, piece);
  return enqueue(stream, kernel, piece, nullptr);
}

cl_int set_and_enqueue(StreamState& stream, KernelState& kernel, const Grid& grid,
                       std::span<const KernelArgument> arguments) {
  const std::lock_guard lock(stream.mutex);
  StreamKernel& own = stream_kernel(stream, kernel);
  ArgumentSetter set(stream, own, stream.next_use());
  for (const KernelArgument& argument : arguments) std::visit(set, argument);
  stream.last_launched = &kernel;
  const auto enqueue_piece = [&](const GridPiece& piece) {
    return enqueue_as_asked(stream, own, piece);
  };
  note_shape(own, grid);
  const cl_int status =
      stream.paced
          ? Pacer(stream, own.pace, kernel.program->cuttable).launch(grid, arguments, enqueue_piece)
          : enqueue_piece({grid});
  if (status == CL_SUCCESS) own.local = grid.local;
  return status;
}

// The launch may be at fault, or the device lost: then the stream cannot finish either.
[[noreturn]] void throw_refused(StreamState& stream, const KernelState& kernel, cl_int code) {
  const cl_int rest = loses_device(code) ? stream.finish() : CL_SUCCESS;
  if (rest != CL_SUCCESS) stream.fail_waiting("clEnqueueNDRangeKernel", rest);
  throw_device_error(stream.device.info, "clEnqueueNDRangeKernel", code,
                     join("kernel ", kernel.entry));
}

}  // namespace

void Stream::launch(const Kernel& kernel, const Grid& grid,
                    std::span<const KernelArgument> arguments) const {
  StreamState& stream = *state_;
  KernelState* const state = kernel.state();
  require(&state->device == &stream.device, state->entry, "the kernel was built for ",
          state->device.info.selector, ", the stream is on ", stream.device.info.selector);
  check_arguments(stream.device, *state, arguments);
  check_grid(stream.device, *state, grid);
  stream.require_alive();
  cl_int status = set_and_enqueue(stream, *state, grid, arguments);
  if (is_out_of_memory(status)) {
    stream.device.streams.finish_all();
    stream.device.pool.trim();
    status = set_and_enqueue(stream, *state, grid, arguments);
  }
  if (is_out_of_memory(status)) {
    throw OutOfMemory(join("clEnqueueNDRangeKernel of ", state->entry, " on ",
                           stream.device.info.selector, ": ", describe_code(status)));
  }
  if (status == device_hung) stream.fail("clEnqueueNDRangeKernel", status);
  if (status != CL_SUCCESS) throw_refused(stream, *state, status);
  ++counters().launches;
  if (stream.synchronous) synchronize();
}

}  // namespace clmx
