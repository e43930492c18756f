#include "clmx/devices/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "driver_probe.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

DriverProbe with_a_cpu(const char* platform) {
  return {"", {{platform, {{"a processor", "someone", DeviceType::cpu}}}}};
}

/// A machine with PoCL and nothing wrong, to be spoilt.
class Doctor : public testing::Test {
 protected:
  Doctor() {
    write("etc/OpenCL/vendors/pocl.icd", "libpocl.so.2\n");
    drivers_["libpocl.so.2"] = with_a_cpu("Portable Computing Language");
    write("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n");
    write(
        "proc/self/limits",
        "Max cpu time     unlimited  unlimited\nMax address space   unlimited  unlimited  bytes\n");
    write("bin/ld", "#!");
    ::chmod((folder_ / "bin/ld").c_str(), 0700);
    variables_ = {{"HOME", path("home")}, {"PATH", path("nothing") + ":" + path("bin")}};
    std::filesystem::create_directories(folder_ / "home");
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    folder_.write(name, content);
  }
  void add_gpu(const std::string& address, const char* vendor, const char* what = "0x030000") {
    write("sys/bus/pci/devices/" + address + "/class", std::string(what) + "\n");
    write("sys/bus/pci/devices/" + address + "/vendor", std::string(vendor) + "\n");
  }
  SystemView system() {
    return {folder_.path(),
            [this](const char* name) -> std::optional<std::string> {
              const auto found = variables_.find(name);
              if (found == variables_.end() || found->second.empty()) return std::nullopt;
              return found->second;
            },
            [this](const std::string& library) {
              const auto found = drivers_.find(library);
              if (found != drivers_.end()) return found->second;
              return DriverProbe{"cannot be loaded: " + library +
                                 ": cannot open shared object file: No such file or directory"};
            }};
  }
  SystemCheck look_at(const std::string& name) {
    for (const SystemCheck& check : examine(system()).checks) {
      if (check.name == name) return check;
    }
    ADD_FAILURE() << "no check is called " << name;
    return {};
  }
  void expect_trouble(const std::string& name, const char* found, const char* cure) {
    const SystemCheck check = look_at(name);
    EXPECT_FALSE(check.ok) << name << ": " << check.found;
    EXPECT_THAT(check.found, HasSubstr(found));
    EXPECT_THAT(check.cure, HasSubstr(cure));
  }

  TempFolder folder_;
  std::map<std::string, std::string> variables_;
  std::map<std::string, DriverProbe> drivers_;
};

TEST_F(Doctor, FindsNothingWrongWithAHealthySystem) {
  const Diagnosis diagnosis = examine(system());
  EXPECT_EQ(diagnosis.devices, 1);
  for (const SystemCheck& check : diagnosis.checks) {
    EXPECT_TRUE(check.ok) << check.name << ": " << check.found;
    EXPECT_EQ(check.cure, "") << check.name;
  }
  EXPECT_THAT(look_at("linker").found, HasSubstr("bin/ld"));
  EXPECT_THAT(look_at("PoCL's cache").found, HasSubstr("home/.cache/pocl"));
}

TEST_F(Doctor, NamesTheLibraryThatAnIcdFileDoesNotFind) {
  write("etc/OpenCL/vendors/rusticl.icd", "libRusticlOpenCL.so.1\n");
  write("etc/OpenCL/vendors/other.icd", "/opt/libother.so\n");
  const std::string vendors = path("etc/OpenCL/vendors");
  expect_trouble("driver " + vendors + "/rusticl.icd", "libRusticlOpenCL.so.1 cannot be loaded",
                 "apt install mesa-opencl-icd");
  expect_trouble("driver " + vendors + "/other.icd", "/opt/libother.so", "sudo rm");
  EXPECT_EQ(examine(system()).devices, 1);
}

TEST_F(Doctor, NamesTheLibraryThatADriverNeeds) {
  drivers_["libpocl.so.2"] = {
      "cannot be loaded: libLLVM.so.15: cannot open shared object file: No"};
  expect_trouble("driver " + path("etc/OpenCL/vendors/pocl.icd"), "libLLVM.so.15",
                 "package that has libLLVM.so.15");
  EXPECT_EQ(examine(system()).devices, 0);
}

TEST_F(Doctor, TellsOfADriverThatCrashes) {
  drivers_["libpocl.so.2"] = {"crashed when it was tried (Aborted)"};
  expect_trouble("driver " + path("etc/OpenCL/vendors/pocl.icd"), "crashed", "pocl-opencl-icd");
}

TEST_F(Doctor, TellsOfAnIcdFileWithoutALibrary) {
  write("etc/OpenCL/vendors/pocl.icd", "\n");
  expect_trouble("driver " + path("etc/OpenCL/vendors/pocl.icd"), "names no library", "write");
}

TEST_F(Doctor, TellsOfAFolderWithoutIcdFiles) {
  variables_["OCL_ICD_VENDORS"] = path("home");
  expect_trouble("ICD files", "has none", "unset OCL_ICD_VENDORS");
  variables_["OCL_ICD_VENDORS"] = path("nowhere");
  expect_trouble("ICD files", "is not a folder", "unset OCL_ICD_VENDORS");
  variables_.erase("OCL_ICD_VENDORS");
  std::filesystem::remove_all(folder_ / "etc");
  expect_trouble("ICD files", "is not a folder", "apt install pocl-opencl-icd");
}

TEST_F(Doctor, TakesOneIcdFileAsTheLoadersDo) {
  variables_["OCL_ICD_VENDORS"] = path("etc/OpenCL/vendors/pocl.icd");
  EXPECT_TRUE(look_at("ICD files").ok);
  EXPECT_EQ(examine(system()).devices, 1);
}

TEST_F(Doctor, AnEmptyPlatformMattersOnlyWhereNothingElseHasDevices) {
  write("etc/OpenCL/vendors/mesa.icd", "libMesaOpenCL.so.1\n");
  drivers_["libMesaOpenCL.so.1"] = {"", {{"Clover"}}};
  EXPECT_TRUE(look_at("platform Clover").ok);
  drivers_["libpocl.so.2"] = {"", {{"Portable Computing Language"}}};
  expect_trouble("platform Clover", "no devices", "apt install pocl-opencl-icd");
}

TEST_F(Doctor, AsksForRusticlEnableByTheGpuThatIsThere) {
  write("etc/OpenCL/vendors/rusticl.icd", "libRusticlOpenCL.so.1\n");
  drivers_["libRusticlOpenCL.so.1"] = {"", {{"rusticl"}}};
  EXPECT_TRUE(look_at("RUSTICL_ENABLE").ok);
  drivers_["libpocl.so.2"] = {"", {}};
  expect_trouble("RUSTICL_ENABLE", "not set", "RUSTICL_ENABLE=llvmpipe");
  add_gpu("0000:03:00.0", "0x1002");
  expect_trouble("RUSTICL_ENABLE", "not set", "RUSTICL_ENABLE=radeonsi");
  variables_["RUSTICL_ENABLE"] = "radeonsi";
  EXPECT_TRUE(look_at("RUSTICL_ENABLE").ok);
}

TEST_F(Doctor, NamesTheDriverPackageOfAGpuWithoutOne) {
  add_gpu("0000:00:02.0", "0x8086");
  add_gpu("0000:01:00.0", "0x10de", "0x030200");
  add_gpu("0000:02:00.0", "0x1002");
  add_gpu("0000:04:00.0", "0x1013");              // a virtual display
  add_gpu("0000:05:00.0", "0x8086", "0x020000");  // a network card
  expect_trouble("GPU 0000:00:02.0 (intel)", "no OpenCL device", "intel-opencl-icd");
  expect_trouble("GPU 0000:01:00.0 (nvidia)", "no OpenCL device", "nvidia-opencl-icd");
  expect_trouble("GPU 0000:02:00.0 (amd)", "no OpenCL device", "RUSTICL_ENABLE=radeonsi");
  for (const SystemCheck& check : examine(system()).checks) {
    EXPECT_THAT(check.name, testing::Not(HasSubstr("0000:04")));
    EXPECT_THAT(check.name, testing::Not(HasSubstr("0000:05")));
  }
  EXPECT_THAT(unused_gpu(system(), {}).value_or(""), HasSubstr("intel GPU 0000:00:02.0"));
}

TEST_F(Doctor, IsContentWithAGpuThatAnOpenClDriverDrives) {
  add_gpu("0000:01:00.0", "0x10de");
  drivers_["libpocl.so.2"].platforms.push_back(
      {"NVIDIA CUDA", {{"RTX 4090", "NVIDIA Corporation", DeviceType::gpu}}});
  EXPECT_TRUE(look_at("GPU 0000:01:00.0 (nvidia)").ok);
}

TEST_F(Doctor, AsksForRenderNodesWhereAGpuNeedsThem) {
  EXPECT_TRUE(look_at("render nodes").ok);
  add_gpu("0000:00:02.0", "0x8086");
  expect_trouble("render nodes", "no /dev/dri", "--device /dev/dri");
  write("dev/dri/renderD128", "");
  EXPECT_TRUE(look_at("render nodes").ok);
  if (::geteuid() == 0) return;  // whom permissions do not bind
  ::chmod((folder_ / "dev/dri/renderD128").c_str(), 0);
  expect_trouble("render nodes", "may not be opened", "usermod");
}

TEST_F(Doctor, AContainerWithoutHomeHasNoCacheOfCompiledKernels) {
  variables_.erase("HOME");
  expect_trouble("clmx's cache", "HOME is not set", "CLMX_CACHE_DIR");
  EXPECT_THAT(look_at("PoCL's cache").found, HasSubstr("tmp/pocl"));
  variables_["CLMX_CACHE"] = "off";
  EXPECT_TRUE(look_at("clmx's cache").ok);
}

TEST_F(Doctor, TellsOfCachesThatCannotBeWritten) {
  write("file", "");
  variables_["POCL_CACHE_DIR"] = path("file/below");
  variables_["CLMX_CACHE_DIR"] = path("file");
  expect_trouble("PoCL's cache", "is not a folder", "POCL_CACHE_DIR");
  expect_trouble("clmx's cache", "is not a folder", "CLMX_CACHE_DIR");
  variables_["CLMX_CACHE_DIR"] = path("home");
  ::chmod((folder_ / "home").c_str(), 0777);
  expect_trouble("clmx's cache", "others can write", "chmod go-w");
}

TEST_F(Doctor, TellsOfAMissingLinker) {
  variables_["PATH"] = "";
  expect_trouble("linker", "PATH", "binutils");
  variables_["PATH"] = path("home");
  expect_trouble("linker", "PATH", "binutils");
}

TEST_F(Doctor, TellsOfTooLittleMemory) {
  write("proc/meminfo", "MemAvailable: 200000 kB\n");
  expect_trouble("memory", "195 MiB", "end other programs");
  write("proc/meminfo", "MemAvailable: 8000000 kB\n");
  write("sys/fs/cgroup/memory.max", "536870912\n");
  write("sys/fs/cgroup/memory.current", "436870912\n");
  expect_trouble("memory", "95 MiB", "docker run --memory");
  write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_TRUE(look_at("memory").ok);
  write("proc/self/limits", "Max address space   2147483648  unlimited  bytes\n");
  expect_trouble("limits", "2048 MiB", "ulimit -v unlimited");
}

TEST(DriverProbe, SurvivesBeingWrittenAndReadAmongOtherLines) {
  DriverProbe probe = with_a_cpu("A platform");
  probe.platforms.push_back({"Empty"});
  probe.platforms[0].devices.push_back({"two\nlines", "", DeviceType::gpu});
  const DriverProbe back = decode_driver_probe("a driver's chatter\n" + encode(probe) + "\n\t\t\n");
  EXPECT_EQ(back.failure, "");
  ASSERT_EQ(back.platforms.size(), 2u);
  ASSERT_EQ(back.platforms[0].devices.size(), 2u);
  EXPECT_EQ(back.platforms[0].devices[1].name, "two lines");
  EXPECT_EQ(back.platforms[0].devices[1].type, DeviceType::gpu);
  EXPECT_EQ(back.platforms[0].devices[0].vendor, "someone");
  EXPECT_EQ(decode_driver_probe(encode({"is broken"})).failure, "is broken");
}

TEST(DriverProbe, TellsOfAProgramThatDiesOrCannotBeStarted) {
  const TempFolder folder;
  const auto program = folder.write("dies.sh", "#!/bin/sh\nkill -SEGV $$\n");
  ::chmod(program.c_str(), 0700);
  EXPECT_THAT(probe_driver(program, "lib.so").failure, HasSubstr("crashed"));
  EXPECT_THAT(probe_driver(folder / "missing", "lib.so").failure, HasSubstr("cannot be tried"));
}

}  // namespace
}  // namespace clmx
