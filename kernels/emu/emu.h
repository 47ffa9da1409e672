/* kernels/emu/emu.h - what tests ask of the emulator: in which order threads run, when memory ends,
 * whether something is left.
 *
 * All of it is the process' own, as a device is.
 * Thread rule: between launches. */
#ifndef PARL_KERNELS_EMU_EMU_H
#define PARL_KERNELS_EMU_EMU_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lanes of a warp, warps of a block, blocks of a grid: from the first, from the last, or shuffled
 * anew at every step by the seed. */
typedef enum parl_emu_order { PARL_EMU_FORWARD, PARL_EMU_REVERSE, PARL_EMU_RANDOM } parl_emu_order;
void parl_emu_set_order(parl_emu_order order, uint64_t seed);

/* The allocation that fails: 1 the next one, 0 none. */
void parl_emu_fail_allocation(size_t which);
/* Bytes of the device; what is in use counts. */
void parl_emu_set_memory(size_t bytes);
/* Whether there is a driver, and how many cards. */
void parl_emu_set_cards(int has_driver, int n);

/* Whether there is a cuBLAS, a fake one; none at first. */
void parl_emu_set_blas(int is_there);
size_t parl_emu_count_products(void); /* that it was given so far */
/* What it said of the last call that it refused, "" if there was none since the last question. */
const char *parl_emu_get_refusal(void);

size_t parl_emu_count_allocations(void); /* that live, of the device and pinned ones */
size_t parl_emu_count_streams(void);     /* that live */
size_t parl_emu_count_launches(void);    /* so far, of kernels, also by graphs */

size_t parl_emu_count_graphs(void);         /* that live */
size_t parl_emu_count_graph_launches(void); /* so far */
/* Keeps what is captured from now on, or nothing any more, numbered from 0. */
void parl_emu_keep_graphs(int is_on);
size_t parl_emu_count_kept(void);
/* The first thing in which two kept ones differ, their nodes or an argument; "": nothing. */
const char *parl_emu_compare_graphs(size_t a, size_t b);

#ifdef __cplusplus
}
#endif
#endif
