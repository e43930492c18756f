#include "clmx/devices/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::Contains;

/// From here on things are recorded; what was before is gone.
void start_afresh() {
  start_trace();
  take_trace(TraceEnd::at_once);
}

std::vector<TraceEvent> of_streams(const Trace& trace) {
  std::vector<TraceEvent> found;
  std::ranges::copy_if(trace.events, std::back_inserter(found), &TraceEvent::of_stream);
  return found;
}

std::vector<TraceKind> kinds(const std::vector<TraceEvent>& events) {
  std::vector<TraceKind> found;
  for (const TraceEvent& event : events) found.push_back(event.kind);
  return found;
}

TEST(Trace, RecordsEveryCommandOfAStreamInOrder) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(256));
    const Buffer y = Buffer::allocate(stream, 1024);
    stream.fill(y, 0, 1024, 0);
    stream.launch(scale_kernel(device), Grid::linear(256, 64), BufferArgument{x}, BufferArgument{y},
                  256U);
    stream.copy(y, 0, x, 0, 1024);
    download(stream, x);
    const std::vector<TraceEvent> events = of_streams(take_trace(TraceEnd::at_once));
    EXPECT_THAT(kinds(events),
                testing::ElementsAre(TraceKind::upload, TraceKind::fill, TraceKind::launch,
                                     TraceKind::copy, TraceKind::download));
    ASSERT_EQ(events.size(), 5U);
    EXPECT_EQ(events[2].name, "scale");
    EXPECT_EQ(events[2].grid.global[0], 256U);
    EXPECT_EQ(events[2].grid.local[0], 64U);
    for (const TraceEvent& event : events) {
      EXPECT_EQ(event.bytes, event.kind == TraceKind::launch ? 0U : 1024U);
    }
  }
}

TEST(Trace, CommandsOfAStreamDoNotOverlapAndStartAfterTheirEnqueueing) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(1 << 16));
    const Kernel add_one = device.kernel({test_library(), "scale.cl", "add_one", {}});
    for (int i = 0; i < 3000; ++i) {  // more than may be pending
      stream.launch(add_one, Grid::linear(64, 64), BufferArgument{x});
    }
    stream.synchronize();
    const Trace trace = take_trace(TraceEnd::at_once);
    EXPECT_EQ(trace.unfinished, 0U);
    const std::vector<TraceEvent> events = of_streams(trace);
    ASSERT_EQ(events.size(), 3001U);
    std::int64_t last_end = 0;
    for (const TraceEvent& event : events) {
      EXPECT_EQ(trace.tracks.at(event.track).device, device.info().selector);
      EXPECT_EQ(trace.tracks.at(event.host_track).device, "");
      ASSERT_GE(event.start_ns, last_end);
      ASSERT_GE(event.end_ns, event.start_ns);
      ASSERT_LE(event.enqueue_start_ns, event.start_ns);
      ASSERT_LE(event.enqueue_start_ns, event.enqueue_end_ns);
      last_end = event.end_ns;
    }
  }
}

TEST(Trace, TimesAreThoseOfTheHostsClock) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(1 << 20));
    const Buffer y = Buffer::allocate(stream, x.size());
    const Kernel scale = scale_kernel(device);
    const auto launch = [&] {
      stream.launch(scale, Grid::linear(1 << 20, 64), BufferArgument{x}, BufferArgument{y},
                    1U << 20);
    };
    launch();  // drivers compile at the first
    stream.synchronize();
    take_trace(TraceEnd::at_once);
    {
      const TraceScope all("all");
      for (int i = 0; i < 8; ++i) launch();
      stream.synchronize();
    }
    const Trace trace = take_trace(TraceEnd::at_once);
    const auto* const all =
        &*std::ranges::find(trace.events, std::string_view("all"), &TraceEvent::name);
    ASSERT_NE(all, trace.events.data() + trace.events.size());
    std::int64_t busy = 0;
    constexpr std::int64_t drift_ns = 1'000'000;
    for (const TraceEvent& event : of_streams(trace)) {
      EXPECT_GE(event.start_ns, all->start_ns - drift_ns);
      EXPECT_LE(event.end_ns, all->end_ns + drift_ns);
      EXPECT_GT(event.end_ns, event.start_ns);
      busy += event.end_ns - event.start_ns;
    }
    // The commands are most of what happens between the first enqueueing and the end of the wait.
    EXPECT_GT(busy, (all->end_ns - all->start_ns) / 10);
    EXPECT_LE(busy, all->end_ns - all->start_ns);
  }
}

TEST(Trace, EachStreamHasATrackAndSoHasEachThread) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream one = device.new_stream(), two = device.new_stream();
    std::thread other([&] { upload(two, counting(4)); });
    other.join();
    upload(one, counting(4));
    one.synchronize();
    two.synchronize();
    const std::vector<TraceEvent> events = of_streams(take_trace(TraceEnd::at_once));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_NE(events[0].track, events[1].track);
    EXPECT_NE(events[0].host_track, events[1].host_track);
  }
}

TEST(Trace, BuildsAreOnTheHostsTrack) {
  for (const Device& device : test_devices()) {
    start_afresh();
    static int factor = 1000;
    scale_kernel(
        device,
        ++factor + static_cast<int>(std::chrono::steady_clock::now().time_since_epoch().count() %
                                    1'000'000));
    const Trace trace = take_trace(TraceEnd::at_once);
    ASSERT_THAT(kinds(trace.events), Contains(TraceKind::compile));
    const TraceEvent build =
        *std::ranges::find(trace.events, TraceKind::compile, &TraceEvent::kind);
    EXPECT_EQ(build.name, "scale.cl");
    EXPECT_EQ(trace.tracks.at(build.track).device, "");
    EXPECT_GT(build.end_ns, build.start_ns);
  }
}

TEST(Trace, ATakenTraceIsNotTakenAgain) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream stream = device.new_stream();
    upload(stream, counting(4));
    stream.synchronize();
    EXPECT_EQ(of_streams(take_trace(TraceEnd::at_once)).size(), 1U);
    EXPECT_EQ(of_streams(take_trace(TraceEnd::at_once)).size(), 0U);
  }
}

TEST(Trace, ProfilingMeasuresTheSameLaunches) {
  for (const Device& device : test_devices()) {
    start_afresh();
    const Stream stream = device.new_stream({.profiling = true});
    const Buffer x = upload(stream, counting(64));
    const Kernel add_one = device.kernel({test_library(), "scale.cl", "add_one", {}});
    stream.launch(add_one, Grid::linear(64, 64), BufferArgument{x});
    const std::vector<LaunchTime> profile = stream.take_profile();
    const std::vector<TraceEvent> events = of_streams(take_trace(TraceEnd::at_once));
    ASSERT_EQ(profile.size(), 1U);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(profile[0].kernel, events[1].name);
    EXPECT_EQ(profile[0].host_clock, events[1].host_clock);
    EXPECT_NEAR(profile[0].seconds,
                static_cast<double>(events[1].end_ns - events[1].start_ns) * 1e-9, 1e-6);
  }
}

TEST(TraceScope, NestsOnItsThread) {
  start_afresh();
  {
    const TraceScope outer("outer");
    const TraceScope inner("inner");
  }
  const Trace trace = take_trace(TraceEnd::at_once);
  ASSERT_EQ(trace.events.size(), 2U);
  EXPECT_EQ(trace.events[0].name, "outer");
  EXPECT_EQ(trace.events[1].name, "inner");
  EXPECT_LE(trace.events[0].start_ns, trace.events[1].start_ns);
  EXPECT_GE(trace.events[0].end_ns, trace.events[1].end_ns);
}

}  // namespace
}  // namespace clmx
