/* experiments/serve.h - a run folder as a web page for this machine: runs, live curves, arms,
 * episodes.
 *
 * Reads the store, never writes; listens on 127.0.0.1 only and answers only who asks for it by that
 * address or as localhost, so that no name that another page resolves reaches it. What is in the
 * store is text to the page, never markup. Thread rule: start and stop from one thread; requests
 * have threads of their own. Reading order: start, get_port, stop. */
#ifndef PARL_EXPERIMENTS_SERVE_H
#define PARL_EXPERIMENTS_SERVE_H
#include "core/status.h"

typedef struct parl_server parl_server;

/* folder is copied; port 0: any that is free. *out is owned by the caller.
 * Fails: EIO if there is no store or the port cannot be had; as the store does; ENOMEM. */
parl_status parl_server_start(const char *folder, int port, parl_server **out);
int parl_server_get_port(const parl_server *server);
/* Version of the library inside, borrowed. */
const char *parl_server_library_version(void);
/* Ends every answer; NULL-safe. */
void parl_server_stop(parl_server *server);

#endif
