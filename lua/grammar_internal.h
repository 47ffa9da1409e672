/* lua/grammar_internal.h - what parses a turn (grammar.c) and what writes one (grammar_write.c).
 *
 * A turn is packed: one call after the other, complete ones and then the one being written, each as
 *   kind | (tool or agent name) << 2 | role << 8,  number of values,  value | slot << 12 ... */
#ifndef PARL_LUA_GRAMMAR_INTERNAL_H
#define PARL_LUA_GRAMMAR_INTERNAL_H
#include "lua/grammar.h"

enum { PARL_PACKED_HEAD_WORDS = 2, PARL_PACKED_VALUE_BITS = 12 };

/* What is expected next; see grammar.c. */
typedef enum parl_grammar_state {
  PARL_GRAMMAR_CALL,
  PARL_GRAMMAR_CREATE_NAME,
  PARL_GRAMMAR_CREATE_ROLE,
  PARL_GRAMMAR_ASSIGN_NAME,
  PARL_GRAMMAR_VALUE,
  PARL_GRAMMAR_DONE
} parl_grammar_state;

static inline parl_call_kind parl_packed_kind(const uint16_t *call) {
  return (parl_call_kind)(call[0] & 3);
}

static inline int parl_packed_number(const uint16_t *call) {
  return call[0] >> 2 & 63;
}

static inline const uint16_t *parl_packed_next(const uint16_t *call) {
  return call + PARL_PACKED_HEAD_WORDS + call[1];
}

static inline uint16_t parl_pack_head(parl_call_kind kind, int number, int role) {
  return (uint16_t)((int)kind | number << 2 | role << 8);
}

static inline uint16_t parl_pack_value(int value, int slot) {
  return (uint16_t)(value | slot << PARL_PACKED_VALUE_BITS);
}

/* The next turn is empty. */
void parl_grammar_clear(parl_grammar *g);

#endif
