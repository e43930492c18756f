# shellcheck shell=bash
# Sourced by ./demo and ./check: what both need before they can start. Every step looks first and does
# nothing when its result is there, so a second run costs a fraction of a second.
#
# The caller sets `root`, may append to the array `targets` (CMake targets to build; the program is always
# one) and set `all_devices=1`; it calls `set_up`. Afterwards the program is built, the model is in its
# place (`model_is_there` says), and the environment names the OpenCL drivers.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2154  # root

build_packages=(g++ cmake ninja-build pkgconf ocl-icd-opencl-dev opencl-clhpp-headers libcli11-dev
  nlohmann-json3-dev libpcre2-dev libxxhash-dev)
test_packages=(libgtest-dev libgmock-dev)
driver_packages=(pocl-opencl-icd mesa-opencl-icd)
other_packages=(libbenchmark-dev python3-pip python3-venv)
missing=()
packages=("${build_packages[@]}" "${test_packages[@]}" "${driver_packages[@]}" "${other_packages[@]}")

# shellcheck source=fetch.sh
. "$root/cmake/fetch.sh"

build_dir=$root/build
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
yes=0
[ "${CI:-}" = true ] && yes=1
all_devices=0
wants_encoder=0
targets=(clmx_cli)

say() { printf '%s\n' "$*" >&2; }
stop() {
  say "$1"
  exit "${2:-1}"
}

# progress TEXT: replaces the last line on a terminal, a line of its own elsewhere.
progress() {
  if [ -t 2 ]; then printf '\r\033[K%s' "$*" >&2; else say "$*"; fi
}
progress_end() { if [ -t 2 ]; then printf '\r\033[K' >&2; fi; }

# Whether a package's job is done by something that came another way.
provided() {
  case $1 in
    g++) command -v c++ ;;
    cmake) command -v cmake ;;
    ninja-build) command -v ninja ;;
    pkgconf) command -v pkg-config ;;
    python3-pip | python3-venv) python3 -m pip --version ;;
    *) false ;;
  esac >/dev/null 2>&1
}

# Sets `missing`. A system without dpkg is taken as complete: CMake will tell what it lacks.
find_missing() {
  missing=()
  command -v dpkg-query >/dev/null || return 0
  local package installed
  installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package} ' "${packages[@]}" 2>/dev/null)"
  for package in "${packages[@]}"; do
    [[ $installed == *" installed $package "* ]] || provided "$package" || missing+=("$package")
  done
}
is_missing() { [[ " ${missing[*]} " == *" $1 "* ]]; }

# Says what is going to happen and asks once. Nothing to do: no word, no question.
ask() {
  local todo=()
  find_missing
  [ ${#missing[@]} -gt 0 ] && todo+=("install ${#missing[@]} packages: ${missing[*]}")
  [ -e "$build_dir/clmx" ] || todo+=("build clmx into $build_dir")
  model_is_there || todo+=("fetch the model SmolLM2-135M-Instruct (89 MiB, Apache-2.0) to $model")
  if [ "$wants_encoder" = 1 ] && ! encoder_is_there; then
    todo+=("fetch the encoder all-MiniLM-L6-v2 (80 MiB, Apache-2.0) to $encoder")
  fi
  if [ "$all_devices" = 1 ] && ! intel_is_there; then
    todo+=("fetch Intel's OpenCL runtime for CPUs (264 MiB, Intel's licence) to $intel_dir")
  fi
  [ ${#todo[@]} -gt 0 ] || return 0
  say "This will:"
  printf '  - %s\n' "${todo[@]}" >&2
  [ "$yes" = 1 ] && return 0
  [ -t 0 ] || stop "There is no terminal to ask on. To go ahead: $0 --yes" 2
  local answer
  read -r -p "Go on? [Y/n] " answer
  case $answer in '' | [Yy]*) ;; *) stop "Nothing was changed." ;; esac
}

# Sets `as_root`, the words before a command that needs root; fails when there is no way to be root.
find_root() {
  as_root=()
  [ "$(id -u)" = 0 ] && return 0
  as_root=(sudo)
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }
}

install_packages() {
  [ ${#missing[@]} -gt 0 ] || return 0
  progress "[1/4] packages: installing ${#missing[@]}"
  local as_root log=$scratch/apt.log
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=60)
  if ! { find_root && "${as_root[@]}" "${apt[@]}" update &&
    "${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    progress_end
    tail -n 5 "$log" >&2
    say "[1/4] packages: could not be installed from here. As root, run:"
    say "  apt-get install ${missing[*]}"
  fi
  progress_end
  find_missing
  need_tools
  go_on_without "${missing[@]}"
}

need_tools() {
  local tool
  for tool in cmake ninja c++ pkg-config; do
    command -v "$tool" >/dev/null || stop "[2/4] build: not possible without $tool."
  done
}

# Names what is lost by going on; a missing library is for CMake to find out.
go_on_without() {
  local package
  for package in "$@"; do
    case $package in
      pocl-opencl-icd) say "Going on without PoCL." ;;
      mesa-opencl-icd) say "Going on without Mesa's rusticl." ;;
      libbenchmark-dev) say "Going on without the benchmarks." ;;
      oclgrind) say "Going on without Oclgrind." ;;
    esac
  done
}

configure() {
  local tests=ON bench=ON cache=$build_dir/CMakeCache.txt
  is_missing libgtest-dev && tests=OFF
  is_missing libbenchmark-dev && bench=OFF
  if [ -e "$build_dir/build.ninja" ] && grep -q "^CLMX_BUILD_TESTS:.*=$tests$" "$cache" &&
    grep -q "^CLMX_BUILD_BENCH:.*=$bench$" "$cache"; then
    return 0
  fi
  cmake -S "$root" --preset release "-DCLMX_BUILD_TESTS=$tests" "-DCLMX_BUILD_BENCH=$bench"
}

# Shows ninja's [done/all] as it goes; on a plain output only every tenth part of it.
show_build() {
  local line last=-1
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ [^R] ]] || continue  # not "Re-checking globbed directories"
    local part=$((BASH_REMATCH[1] * 10 / BASH_REMATCH[2]))
    if [ -t 2 ] || [ "$part" != "$last" ]; then
      progress "[2/4] build: ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
      last=$part
    fi
  done
}

build() {
  local log=$build_dir/setup.log
  need_tools
  mkdir -p "$build_dir"
  if ! configure >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    stop "[2/4] build: CMake stopped; all of it is in $log"
  fi
  if ! (set -o pipefail
    cmake --build "$build_dir" --parallel "$(nproc)" --target "${targets[@]}" 2>&1 |
      tee "$log" | show_build); then
    progress_end
    grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60 >&2
    stop "[2/4] build: failed; all of it is in $log"
  fi
  progress_end
}

set_up() {
  ask
  install_packages
  build
  fetch_model || true
  # Mesa's OpenCL offers its software device only when it is named here.
  export RUSTICL_ENABLE=${RUSTICL_ENABLE:-llvmpipe}
  if [ "$all_devices" = 1 ]; then
    fetch_intel
    use_intel
  fi
}
