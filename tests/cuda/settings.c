/* tests/cuda/settings.c - the emulated card of a whole program, by the environment: TEST_ORDER and
 * TEST_SEED as tests/cuda/level.h has them, TEST_MEMORY=bytes of the card, TEST_BLAS=1 for a
 * cuBLAS, TEST_CARDS=0 for no card. */
#include <stdlib.h>
#include <string.h>

#include "kernels/emu/emu.h"

__attribute__((constructor)) static void read_settings(void) {
  const char *order = getenv("TEST_ORDER"), *seed = getenv("TEST_SEED");
  const char *memory = getenv("TEST_MEMORY"), *blas = getenv("TEST_BLAS");
  const char *cards = getenv("TEST_CARDS");
  if (order != NULL && strcmp(order, "random") == 0)
    parl_emu_set_order(PARL_EMU_RANDOM, seed != NULL ? strtoull(seed, NULL, 0) : 1);
  if (memory != NULL) parl_emu_set_memory(strtoull(memory, NULL, 0));
  if (cards != NULL) parl_emu_set_cards(1, cards[0] - '0');
  if (blas != NULL) parl_emu_set_blas(blas[0] == '1');
}
