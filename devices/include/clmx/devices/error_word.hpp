#pragma once

#include <cstdint>
#include <string_view>

#include "clmx/devices/stream.hpp"

namespace clmx {

/// Where kernels of a stream report an index that a device computed and that is out of range: the
/// host cannot check it without waiting. cl/common/report.clh writes it; the first report stays.
struct ErrorWord {
  BufferArgument word;
  std::int32_t code = 0;  ///< what the kernel writes: stands for the op
};

/// The stream's word, made at first use, for a launch of `op` (a name such as "gather").
ErrorWord error_word(const Stream& stream, std::string_view op);

/// The launch that was given the word has been enqueued: the stream's next synchronize, read or map
/// throws ArgumentError, naming op and index, if something was reported. After that the word is
/// clear and the stream usable.
void look_for_errors(const Stream& stream);

}  // namespace clmx
