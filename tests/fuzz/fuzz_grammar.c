/* tests/fuzz/fuzz_grammar.c - any tokens: refused ones change nothing, complete turns write back to
 * the tokens they came from, and a mask is never empty. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lua/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MAX_TOKENS = 4096 };
static const char SCRIPT[] =
    "local function nothing() return {} end\n"
    "return parl.env {name = 'fuzz', summary = '', roles = {'a', 'b'},\n"
    "  families = {x = 5, y = {'p', 'q'}},\n"
    "  tools = {one = {args = {'x'}, doc = '', run = nothing},\n"
    "    many = {args = {'x+', 'y+', 'x'}, max = 3, doc = '', run = nothing},\n"
    "    zero = {args = {}, doc = '', run = nothing}},\n"
    "  task = {args = {'y', 'x+'}, max = 4},\n"
    "  limits = {context = 9, sub_context = 9, sub_steps = 1, max_width = 3, max_agents = 3,\n"
    "    max_turns = 9},\n"
    "  legal = function(_, _, _, _, taken) local t = {} for v = 1, 2 - #taken do t[v] = v end\n"
    "    return t end,\n"
    "  reset = nothing, prompt = nothing, brief = nothing, deliver = nothing,\n"
    "  score = function() return 0, {success = 0} end,\n"
    "  optimum = function() return {critical = 0, serial = 0, r_perf = 0} end}\n";

static parl_env *env; /* one for all inputs: making it is the slow part */
static parl_world world;
static parl_agent agent;

static void make_env(void) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (fd < 0 || write(fd, SCRIPT, sizeof SCRIPT - 1) != (ssize_t)sizeof SCRIPT - 1) abort();
  if (parl_env_create(path, NULL, NULL, &env) != PARL_STATUS_OK) abort();
  if (parl_env_reset(env, 1, 1, &world, &agent) != PARL_STATUS_OK) abort();
  close(fd);
}

static void check_written(const parl_grammar *g, const int32_t *turn, size_t n) {
  static int32_t written[MAX_TOKENS];
  size_t n_written = 0;
  static parl_call calls[PARL_TURN_MAX_CALLS];
  for (int i = 0; i < g->n_calls; i++) parl_grammar_get_call(g, i, &calls[i]);
  if (parl_grammar_write(g, calls, (size_t)g->n_calls, written, MAX_TOKENS, &n_written) !=
      PARL_STATUS_OK)
    abort();
  if (n_written != n || memcmp(written, turn, n * sizeof turn[0]) != 0) abort();
}

/* byte 0: options; then one token a byte, modulo the vocabulary. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static parl_grammar g;
  static int32_t turn[MAX_TOKENS];
  static uint16_t words[PARL_TURN_MAX_WORDS];
  if (n < 1 || n > MAX_TOKENS) return 0;
  if (env == NULL) make_env();
  const int n_tokens = parl_env_get_spec(env)->n_tokens;
  const parl_grammar_def def = {bytes[0] & 1, (bytes[0] & 2) == 0, 1 + (bytes[0] >> 3) % 5,
                                bytes[0] >> 6};
  parl_grammar_init(
      &g, env, world, agent, (bytes[0] & 4) == 0, &def, words,
      parl_grammar_get_room(parl_env_get_spec(env), true, def.max_direct, MAX_TOKENS));
  size_t n_turn = 0;
  for (size_t i = 1; i < n; i++) {
    uint64_t mask[PARL_MASK_MAX_WORDS];
    size_t n_allowed = 0;
    bool done = false;
    if (parl_grammar_get_mask(&g, mask, &n_allowed) != PARL_STATUS_OK || n_allowed == 0) abort();
    const int32_t token = bytes[i] % n_tokens;
    const bool masked = (mask[token / 64] >> (token % 64) & 1) == 0;
    if (parl_grammar_feed(&g, token, &done) != PARL_STATUS_OK) {
      if (!masked) abort();
      continue;
    }
    turn[n_turn++] = token;
    if (!done) continue;
    check_written(&g, turn, n_turn);
    parl_grammar_next_turn(&g);
    n_turn = 0;
  }
  return 0;
}
