#pragma once

#include "common_options.hpp"

namespace clmx::cli {

/// What every cause of "no device" looks like here, and the line that cures it.
Command doctor_command(CLI::App& app, const CommonOptions& common);
/// When there is no device: the causes and their cures, to stderr.
void explain_missing_devices();
/// When no device is a GPU though one is there: one line to stderr.
void mention_unused_gpu();

}  // namespace clmx::cli
