// Reads as fast as memory gives: each work-group folds its share of `count` vectors of 64 bytes, so
// that no read can be left out.
kernel void read_all(const global uint16* from, ulong from_at, global uint* to, ulong to_at,
                     ulong count) {
  from += from_at;
  const size_t share = (count + get_num_groups(0) - 1) / get_num_groups(0);
  const size_t begin = get_group_id(0) * share, end = min(begin + share, (size_t)count);
  const size_t step = get_local_size(0);
  uint16 a = 0, b = 0, c = 0, d = 0;
  size_t i = begin + get_local_id(0);
  for (; i + 3 * step < end; i += 4 * step) {
    a ^= from[i];
    b ^= from[i + step];
    c ^= from[i + 2 * step];
    d ^= from[i + 3 * step];
  }
  for (; i < end; i += step) a ^= from[i];
  const uint8 folded = (a ^ b ^ c ^ d).lo ^ (a ^ b ^ c ^ d).hi;
  const uint4 four = folded.lo ^ folded.hi;
  to[to_at + get_global_id(0)] = four.x ^ four.y ^ four.z ^ four.w;
}

// What a launch costs.
kernel void do_nothing(global uint* to, ulong to_at) {
  to[to_at] = 1;
}
