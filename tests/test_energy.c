/* tests/test_energy.c - counters of a made-up machine. */
#include <math.h>

#include "core/energy.h"
#include "core/file.h"
#include "tests/support.h"

static void put(const char *folder, const char *zone, const char *name, const char *used,
                const char *range) {
  char path[2 * PARL_TEST_PATH_BYTES], file[3 * PARL_TEST_PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", folder, zone);
  assert_ok(parl_file_make_folder(path));
  snprintf(file, sizeof file, "%s/name", path);
  assert_ok(parl_file_write(file, name, strlen(name)));
  snprintf(file, sizeof file, "%s/energy_uj", path);
  assert_ok(parl_file_write(file, used, strlen(used)));
  snprintf(file, sizeof file, "%s/max_energy_range_uj", path);
  assert_ok(parl_file_write(file, range, strlen(range)));
}

/* One package used 2.5 J; the other came around: from 9 to 1 of 10 J; psys has both in it. */
static void test_between_by_hand(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES];
  parl_test_temp_folder(folder);
  const parl_energy none = parl_energy_read(folder);
  assert_int_equal(none.n, 0);
  put(folder, "intel-rapl:0", "package-0\n", "1000000\n", "10000000\n");
  put(folder, "intel-rapl:2", "package-1\n", "9000000\n", "10000000\n");
  put(folder, "intel-rapl:1", "psys\n", "0\n", "10000000\n");
  const parl_energy before = parl_energy_read(folder);
  assert_int_equal(before.n, 2);
  put(folder, "intel-rapl:0", "package-0\n", "3500000\n", "10000000\n");
  put(folder, "intel-rapl:2", "package-1\n", "1000000\n", "10000000\n");
  put(folder, "intel-rapl:1", "psys\n", "9000000\n", "10000000\n");
  const parl_energy after = parl_energy_read(folder);
  assert_close(parl_energy_between(&before, &after), 2.5 + 2, 1e-12);
  assert_true(isnan(parl_energy_between(&none, &after)));
  assert_true(isnan(parl_energy_between(&none, &none)));
  put(folder, "intel-rapl:2", "package-1\n", "secret", "10000000\n");
  const parl_energy fewer = parl_energy_read(folder);
  assert_true(isnan(parl_energy_between(&before, &fewer)));
  parl_test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_between_by_hand)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
