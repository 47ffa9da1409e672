/* parl/swarm/facts.c - names of what ends an episode. */
#include "parl/swarm/facts.h"

#include <string.h>

static const char *const end_texts[] = {
#define X(name, text) text,
    PARL_END_LIST(X)
#undef X
};

const char *parl_end_text(parl_end end) {
  const int place = (int)end;
  return place >= 0 && place < PARL_N_ENDS ? end_texts[place] : "?";
}

parl_end parl_end_find(const char *text) {
  int place = 0;
  while (place < PARL_N_ENDS && strcmp(end_texts[place], text) != 0) place++;
  return (parl_end)place;
}
