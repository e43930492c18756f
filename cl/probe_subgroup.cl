// Compiles where the compiler knows sub-groups. Every item of a group gets the sum, ascending, of
// its sub-group's values, the size of the sub-group and its place in it.
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void probe_subgroup(
    const global int* from, ulong from_at, global int* to, ulong to_at) {
  const size_t i = get_global_id(0);
  const int mine = from[from_at + i];
  int sum = 0;
  for (uint lane = 0; lane < get_sub_group_size(); lane++) sum += sub_group_broadcast(mine, lane);
  to[to_at + 3 * i] = sum;
  to[to_at + 3 * i + 1] = (int)get_sub_group_size();
  to[to_at + 3 * i + 2] = (int)get_sub_group_local_id();
}
