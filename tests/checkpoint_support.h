/* tests/checkpoint_support.h - a checkpoint in a scratch folder, which a group of tests makes and
 * removes. */
#ifndef PARL_TESTS_CHECKPOINT_SUPPORT_H
#define PARL_TESTS_CHECKPOINT_SUPPORT_H
#include "tests/support.h"

static char folder[PARL_TEST_PATH_BYTES];
static inline const char *make_path(void) {
  static char path[PARL_TEST_PATH_BYTES + 16];
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  return path;
}

static inline int make_folder(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  return 0;
}

static inline int remove_folder(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

#endif
