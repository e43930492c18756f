#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;

class CliTrace : public testing::Test {
 protected:
  CliTrace() { program_.environment = {{"CLMX_MODEL", model_.path()}}; }
  Ended run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--trace", path()});
    return program_.run(arguments);
  }
  std::string path() const { return (folder_ / "t.json").string(); }
  json trace() const { return json::parse(content_of(path())); }
  /// Nothing but the trace is left in its folder.
  void expect_no_leftovers() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path(), path());
    }
  }
  TinyChatModel model_;
  TempFolder folder_;
  Program program_;
};

/// "process/thread" of a track's events, without the metadata.
std::map<std::string, std::vector<json>> by_track(const json& trace) {
  std::map<int, std::string> processes, threads;
  for (const json& event : trace.at("traceEvents")) {
    const std::string name = event.at("name");
    if (name == "process_name") processes[event.at("pid")] = event.at("args").at("name");
    if (name == "thread_name") threads[event.at("tid")] = event.at("args").at("name");
  }
  std::map<std::string, std::vector<json>> tracks;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    tracks[processes.at(event.at("pid")) + '/' + threads.at(event.at("tid"))].push_back(event);
  }
  return tracks;
}

template <class T>
std::set<std::string> texts(const T& events, const char* key) {
  std::set<std::string> found;
  for (const json& event : events) found.insert(event.at(key).template get<std::string>());
  return found;
}

/// Nanoseconds, which the file has as decimals of microseconds.
std::int64_t nanoseconds(const json& event, const char* key) {
  return std::llround(event.at(key).get<double>() * 1000);
}

TEST_F(CliTrace, RunHasATrackForTheHostAndOneForTheStream) {
  for (const Device& device : test_devices()) {
    const std::string selector = device.info().selector;
    const Ended ended = run({"run", "-d", selector, "--max-tokens", "4", "--ignore-eos", "Hello"});
    ASSERT_EQ(ended.status, 0) << ended.err;
    const auto tracks = by_track(trace());
    ASSERT_THAT(tracks, Contains(testing::Key("host/thread 0")));
    const auto& host = tracks.at("host/thread 0");
    EXPECT_THAT(texts(host, "name"), IsSupersetOf({"run", "load the model", "prompt", "token"}));
    EXPECT_TRUE(texts(host, "cat").contains("compile") || texts(host, "cat").contains("load"));
    bool launched = false;
    for (const auto& [track, events] : tracks) {
      if (track.starts_with("host/")) continue;
      EXPECT_TRUE(track.starts_with(selector + "/stream ")) << track;
      for (const json& event : events) {
        if (event.at("cat") != "launch") continue;
        launched = true;
        EXPECT_EQ(event.at("args").at("global").size(), 3U);
        EXPECT_EQ(event.at("args").at("local").size(), 3U);
      }
    }
    EXPECT_TRUE(launched);
    expect_no_leftovers();
  }
}

TEST_F(CliTrace, EventsDoNotOverlapOnAStreamAndNestOnTheHost) {
  const Ended ended = run({"run", "--max-tokens", "8", "--ignore-eos", "Hello"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  for (auto [track, events] : by_track(trace())) {
    std::ranges::stable_sort(events, {}, [](const json& event) {
      return std::pair(nanoseconds(event, "ts"), -nanoseconds(event, "dur"));
    });
    std::vector<std::int64_t> open;  // ends of the events around
    for (const json& event : events) {
      const std::int64_t start = nanoseconds(event, "ts"), end = start + nanoseconds(event, "dur");
      while (!open.empty() && open.back() <= start) open.pop_back();
      if (!track.starts_with("host/")) {
        EXPECT_TRUE(open.empty()) << track;
      } else if (!open.empty()) {
        EXPECT_LE(end, open.back()) << track << event;
      }
      open.push_back(end);
    }
  }
}

TEST_F(CliTrace, EveryCommandWritesOne) {
  const std::string output = (model_ / "logits.safetensors").string();
  const std::vector<std::vector<std::string>> commands = {
      {"devices"},
      {"run", "--max-tokens", "1", "hi"},
      {"tokenize", "hi"},
      {"logits", "--tokens", "1,2", "--output", output},
      {"verify", "--golden", "/nowhere"}};
  for (const auto& command : commands) {
    std::filesystem::remove(path());
    run(command);
    const auto tracks = by_track(trace());
    ASSERT_THAT(tracks, Contains(testing::Key("host/thread 0"))) << command.front();
    EXPECT_THAT(texts(tracks.at("host/thread 0"), "name"), Contains(command.front()));
  }
}

TEST_F(CliTrace, AFailingCommandKeepsItsStatusAndItsTrace) {
  const Ended ended = run({"run", "--model", "/nowhere/at/all", "hi"});
  EXPECT_EQ(ended.status, 4);
  EXPECT_THAT(ended.err, HasSubstr("/nowhere/at/all"));
  EXPECT_TRUE(by_track(trace()).contains("host/thread 0"));
  expect_no_leftovers();
}

TEST_F(CliTrace, AFileThatCannotBeWrittenIsAnErrorBeforeAnythingRuns) {
  for (const std::string& path : {std::string("/nowhere/t.json"), folder_.path().string()}) {
    const Ended ended = program_.run({"tokenize", "hi", "--trace", path});
    EXPECT_EQ(ended.status, 1) << path;
    EXPECT_EQ(ended.out, "") << path;
    EXPECT_THAT(ended.err, testing::AllOf(HasSubstr("--trace"), HasSubstr(path)));
  }
}

TEST_F(CliTrace, AnInterruptedCommandLeavesItsTrace) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove(path());
    Program program;
    program.environment = program_.environment;
    program.start({"run", "--max-tokens", "400", "--ignore-eos", "hi", "--trace", path()});
    ASSERT_TRUE(program.wrote_within(std::chrono::seconds(60)));
    program.signal(signal);
    EXPECT_EQ(program.wait().status, 128 + signal);
    ASSERT_TRUE(std::filesystem::exists(path())) << signal;
    EXPECT_TRUE(by_track(trace()).contains("host/thread 0")) << signal;
    expect_no_leftovers();
  }
}

}  // namespace
}  // namespace clmx
