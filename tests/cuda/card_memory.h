/* tests/cuda/card_memory.h - memory that a card and the host both see, in the place of malloc's and
 * of the stack's, so that the tests of ops run on a real card as they are. Included in front of
 * each file of such a program.
 *
 * main becomes one that runs the tests on a thread whose stack lies there; without a card it says
 * so and ends with 77. Thread rule: one thread. */
#ifndef PARL_TESTS_CUDA_CARD_MEMORY_H
#define PARL_TESTS_CUDA_CARD_MEMORY_H
#include <stdbool.h>
#include <stdlib.h>

void *card_alloc(size_t alignment, size_t n, size_t bytes); /* n of them, zeroed */
void card_free(void *memory);
/* Whether an op may be given it. */
bool card_sees(const void *memory);
int card_run_tests(void);

#ifndef CARD_MEMORY_ITSELF
#define malloc(bytes) card_alloc(16, 1, bytes)
#define calloc(n, bytes) card_alloc(16, n, bytes)
#define aligned_alloc(alignment, bytes) card_alloc(alignment, 1, bytes)
#define free(memory) card_free(memory)
#define main(...) card_run_tests(__VA_ARGS__)
#endif
#endif
