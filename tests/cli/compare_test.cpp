#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare_command.hpp"
#include "support/real_model.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(CompareCommand, FindsNothingWrongAndTheSameBitsOnEveryDevice) {
  const std::string devices = all_selectors();
  const Ended ended = compare(
      {"--ops", "--quick", "--same-bits", "--min-devices", std::to_string(test_devices().size()),
       "--junit", file("junit.xml"), "--html", file("page.html"), "--record", file("record.json")},
      devices);
  ASSERT_EQ(ended.status, ok) << ended.err << ended.out;
  const json document = json::parse(ended.out);
  ASSERT_EQ(document.at("devices").size(), test_devices().size());
  for (const json& device : document.at("devices")) {
    EXPECT_EQ(device.at("first_wrong"), nullptr);
    EXPECT_GE(device.at("ops").size(), 20U);
    for (const json& op : device.at("ops")) {
      EXPECT_LE(op.at("worst_budget"), 1.0) << op;
      EXPECT_LE(op.at("worst_of_chain"), 1.0) << op;
      EXPECT_EQ(op.at("other_bits"), 0) << op;
    }
  }
  EXPECT_THAT(content_of(folder_ / "junit.xml"), HasSubstr("<testsuite name=\"" + first()));
  const std::string page = content_of(folder_ / "page.html");
  for (const Device& device : test_devices()) EXPECT_THAT(page, HasSubstr(device.info().selector));
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, testing::Not(HasSubstr("http")));  // nothing is fetched
  const Ended again = program_.run({"compare", file("record.json"), file("record.json")});
  EXPECT_EQ(again.status, ok) << again.err;
  EXPECT_THAT(again.out, HasSubstr("the same bits in all"));
}

TEST_F(CompareCommand, ComparesRecordsWithoutADevice) {
  const auto record = [&](const char* name, const char* digest, int seed) {
    const json device = {
        {"id", "1"},       {"selector", "gpu:0"},
        {"name", "A"},     {"platform", "P"},
        {"driver", "1.0"}, {"ops", {{"add", {{"add/1", "00"}}}, {"silu", {{"silu/1", digest}}}}}};
    return folder_
        .write(name, json{{"schema", 1},
                          {"record", "ops"},
                          {"clmx", "1"},
                          {"seed", seed},
                          {"devices", json::array({device})}}
                         .dump())
        .string();
  };
  const std::string a = record("a.json", "11", 1), b = record("b.json", "12", 1);
  const Ended other = compare({a, b}, "");
  EXPECT_EQ(other.status, gate);
  const json agreement = json::parse(other.out).at("agreements").at(0);
  EXPECT_EQ(agreement.at("first_op"), "silu");
  EXPECT_EQ(agreement.at("different"), 1);
  EXPECT_EQ(compare({a, a}, "").status, ok);
  EXPECT_EQ(compare({a, record("c.json", "11", 2)}, "").status, usage);
  EXPECT_EQ(compare({a, folder_.write("d.json", "{}").string()}, "").status, bad_file);
  EXPECT_EQ(compare({a, file("none.json")}, "").status, bad_file);
  EXPECT_EQ(compare({a}, "").status, usage);
  EXPECT_EQ(compare({a, a, "--text", "x"}, "").status, usage);
  EXPECT_EQ(compare({"--ops", "--max-kl", "1"}, "").status, usage);
  EXPECT_EQ(compare({"--quick"}, "").status, usage);
}

TEST_F(CompareCommand, ItsGatesRefuse) {
  const std::vector<std::string> one{"--ops", "--case", "add/f32/[3, 5, 33][3, 5, 33]/normal"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), one.begin(), one.end());
    return compare(more, first());
  };
  EXPECT_EQ(with({}).status, ok);
  const Ended few = with({"--min-devices", "99"});
  EXPECT_EQ(few.status, gate);
  EXPECT_THAT(few.err, HasSubstr("99 are wanted"));
  EXPECT_EQ(compare({"--ops", "--case", "none"}, first()).status, usage);
  const Ended strict =
      compare({"--ops", "--op", "silu", "--quick", "--max-budget", "1e-9"}, first());
  EXPECT_EQ(strict.status, gate);
  EXPECT_THAT(strict.err, HasSubstr("of its budget"));
}

class FaultyKernels : public CompareCommand {
 protected:
  void expect_found(const Fault& fault);
};

void FaultyKernels::expect_found(const Fault& fault) {
  SCOPED_TRACE(std::string(fault.file) + ": " + fault.to);
  if (*fault.pretend != 0) program_.environment["CLMX_PRETEND"] = fault.pretend;
  const Ended good = compare({"--ops", "--quick", "--record", file("good.json")}, first());
  ASSERT_EQ(good.status, ok) << good.err;
  plant(fault);
  const Ended bad = compare({"--ops", "--quick", "--against", file("good.json")}, first());
  ASSERT_EQ(bad.status, gate) << bad.err;
  const json document = json::parse(bad.out);
  const json wrong = document.at("devices").at(0).at("first_wrong");
  EXPECT_EQ(document.at("agreements").at(0).at("first_op"), fault.op);
  if (fault.within_budget) {
    EXPECT_EQ(wrong, nullptr);
  } else {
    ASSERT_NE(wrong, nullptr);
    EXPECT_EQ(wrong.at("op"), fault.op);
    EXPECT_THAT(wrong.at("repeat"), HasSubstr("--case"));
  }
  program_.environment.erase("CLMX_KERNEL_DIR");
  program_.environment.erase("CLMX_PRETEND");
}

TEST_F(FaultyKernels, NamesTheOpOfAPlantedFault) {
  expect_found({"dequantize.cl", "clmx_code(words, (size_t)i)", "clmx_code(words, (size_t)(i ^ 1))",
                "dequantize"});
}

class FaultyKernelsFull : public FaultyKernels {};

TEST_F(FaultyKernelsFull, NamesTheOpOfEveryPlantedFault) {
  for (const Fault& fault : std::initializer_list<Fault>{
           {"matmul.cl", "min((long)l, columns - 1)", "min((long)(l ^ 1), columns - 1)",
            "gather_mm"},
           {"rms_norm.cl", "if (whole < width) {", "if (false) {", "rms_norm"},
           {"rms_norm.cl", "chain = fma(v, v, chain);", "chain = clmx_round_f16(fma(v, v, chain));",
            "rms_norm", "mali"},
           {"qmv.cl", "AFFINE ? t[c] + u[c] : t[c]", "t[c]", "quantized_matmul"},
           {"rms_norm.cl", "    chains[c] = chain;\n  }\n  barrier(CLK_LOCAL_MEM_FENCE);",
            "    chains[c] = chain;\n  }", "rms_norm", "mali"},
           {"dequantize.cl", "value + ROUND(T", "value - ROUND(T", "dequantize"},
           {"common/attention_mask.clh", "+ 1 - window", "- window",
            "scaled_dot_product_attention"},
           {"common/reduce.clh", "c.lo + c.hi", "c.even + c.odd", "layer_norm", "", true}})
    expect_found(fault);
}

class FingerprintCommand : public CompareCommand {
 protected:
  Ended fingerprint(const std::string& model, const std::string& devices) {
    return program_.run({"fingerprint", "--json", "-d", devices, "--model", model});
  }
};

TEST_F(FingerprintCommand, IsTheSameOnEveryDeviceAndChangesWithTheKernels) {
  const TinyChatModel model;
  const Ended ended = fingerprint(model.path(), all_selectors());
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json document = json::parse(ended.out);
  EXPECT_EQ(document.at("published"), nullptr);
  const json value = document.at("devices").at(0).at("fingerprint");
  for (const json& device : document.at("devices")) {
    EXPECT_EQ(device.at("fingerprint"), value);
    EXPECT_EQ(device.at("first_difference"), nullptr);
  }
  plant({"common/reduce.clh", "c.lo + c.hi", "c.even + c.odd", ""});
  const Ended other = fingerprint(model.path(), first());
  ASSERT_EQ(other.status, ok) << other.err;
  if (test_devices().front().info().device_class == DeviceClass::cpu_vector) {
    EXPECT_NE(json::parse(other.out).at("devices").at(0).at("fingerprint"), value);
  }
}

TEST_F(FingerprintCommand, OfTheRealModelIsThePublishedOne) {
  const auto model = real_model();
  if (!model) GTEST_SKIP() << "the model is not there: set CLMX_MODEL or run ./demo";
  const std::string devices = all_selectors(false);
  if (devices.empty()) GTEST_SKIP() << "only emulated devices";
  const Ended ended = program_.run({"fingerprint", "-d", devices, "--model", model->string()});
  EXPECT_EQ(ended.status, ok) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("same as published"));
}

}  // namespace
}  // namespace clmx
