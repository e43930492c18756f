#include "exit_code.hpp"

#include <iostream>
#include <new>

#include "clmx/devices/error.hpp"

namespace clmx::cli {
namespace {

ExitCode reported(ExitCode code, const char* message) {
  std::cout.flush();  // what was said before comes first
  std::cerr << "clmx: " << message << '\n';
  return code;
}

}  // namespace

ExitCode report_current_exception() {
  try {
    throw;
  } catch (const UsageError& error) {
    return reported(ExitCode::usage, error.what());
  } catch (const ArgumentError& error) {
    return reported(ExitCode::usage, error.what());
  } catch (const DeviceNotFound& error) {
    return reported(ExitCode::device, error.what());
  } catch (const DeviceError& error) {
    return reported(ExitCode::device, error.what());
  } catch (const KernelBuildError& error) {
    return reported(ExitCode::device, error.what());
  } catch (const FormatError& error) {
    return reported(ExitCode::model, error.what());
  } catch (const OutOfMemory& error) {
    return reported(ExitCode::memory, error.what());
  } catch (const std::bad_alloc&) {
    return reported(ExitCode::memory, "not enough memory on the host");
  } catch (const std::exception& error) {
    return reported(ExitCode::other, error.what());
  } catch (...) {
    return reported(ExitCode::other, "an unknown error");
  }
}

}  // namespace clmx::cli
