/* parl/facts.c - names of what ends an episode. */
#include "parl/facts.h"

static const char *const end_texts[] = {
#define X(name, text) text,
    PARL_END_LIST(X)
#undef X
};

const char *parl_end_text(parl_end end) {
  const int place = (int)end;
  return place >= 0 && place < PARL_N_ENDS ? end_texts[place] : "?";
}
