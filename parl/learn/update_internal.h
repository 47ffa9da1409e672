/* parl/learn/update_internal.h - what the files of an update share: update.c, update_play.c. */
#ifndef PARL_PARL_LEARN_UPDATE_INTERNAL_H
#define PARL_PARL_LEARN_UPDATE_INTERNAL_H
#include "parl/learn/update.h"

/* u->jobs are those of update u->update, played; what play_ahead began is waited for. Fails: as
 * parl_rollout_run. */
parl_status parl_updater_play(parl_updater *u);
/* train.async: begins the update after u->update, if there is one, with the policy that is due,
 * which the learner leaves alone. Nobody else plays with the updater's rollout until
 * parl_updater_play has waited. */
parl_status parl_updater_play_ahead(parl_updater *u);
/* Ends what play_ahead began, if it did; it is played anew then. Error texts stay. */
void parl_updater_abandon(parl_updater *u);

#endif
