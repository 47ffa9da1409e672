/* core/build_info.h - what this build is made of; build/<BUILD>/build_info.c is written by make.
 *
 * All texts are borrowed and constant. Thread rule: pure functions. */
#ifndef PARL_CORE_BUILD_INFO_H
#define PARL_CORE_BUILD_INFO_H

/* Git commit, followed by "-dirty" if tracked files differ; "unknown" outside a checkout. */
const char *parl_build_revision(void);

/* First line of the compiler's --version. */
const char *parl_build_compiler(void);

/* Optimisation, warning and language flags, and the machine compiled for. */
const char *parl_build_flags(void);

/* Where `make install` puts envs/ and the rest of the data, e.g. "/usr/local/share/parl". */
const char *parl_build_datadir(void);

#endif
