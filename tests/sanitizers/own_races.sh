#!/bin/sh
# own_races.sh PROGRAM ARGUMENTS...: runs it under the thread sanitizer on drivers that are not built for that;
# fails as it does, or when clmx races with itself.
log=$(mktemp) || exit
trap 'rm -f "$log" "$log".*' EXIT
TSAN_OPTIONS="$TSAN_OPTIONS exitcode=0 log_path=$log" "$@" || exit
set -- "$log".*
[ -e "$1" ] || exit 0
cat "$@" | awk -f "$(dirname "$0")/own_races.awk" >&2
