/* tests/cuda/no_emulator.c - what tests ask of the emulator, where they run on a real card: there
 * is nothing to choose and nothing that counts. */
#include "kernels/emu/emu.h"

void parl_emu_set_order(parl_emu_order order, uint64_t seed) {
  (void)order, (void)seed;
}
size_t parl_emu_count_allocations(void) {
  return 0;
}
size_t parl_emu_count_streams(void) {
  return 0;
}
size_t parl_emu_count_graphs(void) {
  return 0;
}
