# Prints those reports of the thread sanitizer in which clmx makes both accesses itself, and fails when there
# is one. Of drivers that are not built for it the sanitizer sees accesses but not what orders them: a report
# with a driver's access says nothing.
function end_of_access() {
  if (in_access && of_clmx && !of_others) own++
  in_access = 0
}
/^WARNING: ThreadSanitizer: data race/ { report = ""; own = 0; in_report = 1 }
in_report { report = report $0 "\n" }
/^  (Previous )?([Aa]tomic )?([Rr]ead|[Ww]rite) of size/ { in_access = 1; of_clmx = of_others = 0; next }
in_access && /^ +#[0-9]+ / {
  if ($0 ~ /\/(devices|host|nn|tests)\//) of_clmx = 1
  else if ($0 !~ /\((clmx_[a-z]+_test|libtsan|libc|libstdc\+\+)[^ ]*\+0x[0-9a-f]+\)$/) of_others = 1
  next
}
in_access && /^$/ { end_of_access() }
/^SUMMARY: ThreadSanitizer/ {
  if (in_report && own > 1) { printf "%s", report; found++ }
  in_report = 0
}
END { exit found > 0 }
