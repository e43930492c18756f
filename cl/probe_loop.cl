// How many turns of a loop a device takes: turns = most, where it does not end loops by itself.
// go must be 0; the compiler does not know that.
kernel void probe_loop(const volatile global uint* go, ulong go_at, global uint* turns,
                       ulong turns_at, uint most) {
  uint done = 0;
  while (done < most && go[go_at] == 0u) done++;
  turns[turns_at] = done;
}
