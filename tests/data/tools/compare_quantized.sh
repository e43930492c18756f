#!/usr/bin/env bash
# usage: compare_quantized.sh PYTHON CLMX TEST_DATA
# Quantizes dense checkpoints of every float type in every mode, and one with a plan, and compares with MLX. Where PYTHON
# has mlx-lm, that one runs the model among them and its logits are compared too.
set -u
python=$1 clmx=$2 data=$3
check=$(dirname "$0")/check_quantized.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
"$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('mlx_lm') is None)" && has_mlx_lm=1 || has_mlx_lm=0

# compared SOURCE ARGUMENTS...: quantizes and compares; PLAN holds `--plan FILE` or nothing.
compared() {
  local source=$1
  shift
  echo "$(basename "$source") $* ${PLAN[*]}"
  "$clmx" quantize -q --force "$source" "$scratch/out" "$@" "${PLAN[@]}" &&
    "$python" "$check" "$source" "$scratch/out" "$@" "${PLAN[@]}" || failed=1
}

# ran: mlx-lm runs what was quantized last.
ran() {
  if [ "$has_mlx_lm" = 0 ]; then echo "not run: mlx-lm is not there" && return; fi
  "$clmx" logits -q --model "$scratch/out" --tokens 1,5,9,20,31,200 --dtype f32 --output "$scratch/logits.safetensors" &&
    "$python" "$(dirname "$0")/run_with_mlx_lm.py" "$scratch/out" "$scratch/logits.safetensors" 1,5,9,20,31,200 || failed=1
}

cat >"$scratch/plan.json" <<'PLAN'
{"model.layers.0.*": {"bits": 8, "group_size": 32}, "*.down_proj": "keep", "*embed_tokens": {"mode": "mxfp4"}}
PLAN

for dtype in float32 float16 bfloat16; do
  "$python" "$(dirname "$0")/make_dense.py" "$scratch/$dtype" "$dtype" || exit 1
done
for source in "$data/tiny/llama_unquantized_f16_tied" "$scratch"/*float*; do
  PLAN=()
  for bits in 2 3 4 5 6 8; do compared "$source" --bits "$bits" --group-size 32; done
  compared "$source"
  compared "$source" --group-size 128
  for mode in mxfp4 mxfp8 nvfp4; do compared "$source" --mode "$mode"; done
done
runnable=$data/tiny/llama_unquantized_f16_tied
PLAN=()
for mode in affine mxfp4 mxfp8 nvfp4; do compared "$runnable" --mode "$mode" && ran; done
PLAN=(--plan "$scratch/plan.json")
compared "$runnable" --bits 6 && ran
exit "$failed"
