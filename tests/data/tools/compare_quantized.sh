#!/usr/bin/env bash
# usage: compare_quantized.sh PYTHON CLMX TEST_DATA
# Quantizes the dense tiny checkpoints in every mode, and with a plan, and compares with MLX.
set -u
python=$1 clmx=$2 data=$3
check=$(dirname "$0")/check_quantized.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# compared NAME ARGUMENTS...: quantizes and compares; PLAN holds more options for clmx alone.
compared() {
  local source=$data/tiny/$1
  shift
  echo "$(basename "$source") $* ${PLAN[*]}"
  "$clmx" quantize -q --force "$source" "$scratch/out" "$@" "${PLAN[@]}" &&
    "$python" "$check" "$source" "$scratch/out" "$@" || failed=1
}

cat >"$scratch/plan.json" <<'PLAN'
{"model.layers.0.*": {"bits": 8, "group_size": 32}, "*.down_proj": "keep", "*embed_tokens": {"mode": "mxfp4"}}
PLAN

PLAN=()
for model in llama_unquantized_f16_tied; do
  for bits in 2 3 4 5 6 8; do compared "$model" --bits "$bits" --group-size 32; done
  compared "$model"
  compared "$model" --group-size 128
  for mode in mxfp4 mxfp8 nvfp4; do compared "$model" --mode "$mode"; done
  PLAN=(--plan "$scratch/plan.json")
  compared "$model" --bits 6
  PLAN=()
done
exit "$failed"
