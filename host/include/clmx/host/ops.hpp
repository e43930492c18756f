#pragma once

#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "clmx/host/ops_split.hpp"
#include "clmx/host/ops_transformer.hpp"
