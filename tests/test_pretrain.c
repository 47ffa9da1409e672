/* tests/test_pretrain.c - the rate of a step, and what a document's likeliest tokens are worth. */
#include "parl/learn/pretrain.h"
#include "tests/data_support.h"

static void rates_follow_the_schedule(void **state) {
  (void)state;
  parl_pretrain_config c;
  parl_config_set_defaults(&parl_pretrain_section, &c);
  c.steps = 100;
  c.lr = 2;
  c.lr_end = 0.25;
  assert_true(parl_pretrain_get_lr(&c, 0) == 2 && parl_pretrain_get_lr(&c, 99) == 2);
  c.decay = PARL_DECAY_LINEAR;
  c.decay_from = 0.5;
  assert_true(parl_pretrain_get_lr(&c, 50) == 2);
  assert_close(parl_pretrain_get_lr(&c, 75), 1.25, 1e-12); /* half way from 2 to 1/2 */
  c.decay = PARL_DECAY_COSINE;
  c.decay_from = 0;
  assert_close(parl_pretrain_get_lr(&c, 50), 1.25, 1e-12);
  assert_close(parl_pretrain_get_lr(&c, 25), 0.5 + 0.75 * (1 + sqrt(0.5)), 1e-12);
  for (int64_t t = 1; t < 100; t++)
    assert_true(parl_pretrain_get_lr(&c, t) < parl_pretrain_get_lr(&c, t - 1));
}

/* A row, a value and finish are due. */
static void documents_are_right_or_of_the_due_kind(void **state) {
  (void)state;
  world w;
  open_world(&w, 1);
  const parl_env_spec *spec = parl_env_get_spec(w.env);
  const parl_family *a = &spec->families[0], *b = &spec->families[1];
  const int32_t row = a->first_token, last = row + a->n - 1, value = b->first_token;
  const int32_t due[3] = {row, value, PARL_TOKEN_FINISH};
  const struct {
    int32_t likeliest[3];
    size_t n_right;
    bool is_exact, is_of_kind;
  } cases[] = {
      {{row, value, PARL_TOKEN_FINISH}, 3, true, true},
      {{last, value, PARL_TOKEN_FINISH}, 2, false, true},
      {{last, value + b->n - 1, PARL_TOKEN_FINISH}, 1, false, true},
      {{last + 1, value, PARL_TOKEN_FINISH}, 2, false, false},
      {{row - 1, value, PARL_TOKEN_FINISH}, 2, false, false},
      {{row, row, PARL_TOKEN_FINISH}, 2, false, false},
      {{row, value, PARL_TOKEN_FINISH + 1}, 2, false, false},
      {{row, value, row}, 2, false, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const parl_pretrain_verdict v = parl_pretrain_judge(spec, due, cases[i].likeliest, 3);
    assert_int_equal(v.n_right, cases[i].n_right);
    assert_int_equal(v.is_exact, cases[i].is_exact);
    assert_int_equal(v.is_of_kind, cases[i].is_of_kind);
  }
  close_world(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rates_follow_the_schedule),
      cmocka_unit_test(documents_are_right_or_of_the_due_kind),
  };
  return cmocka_run_group_tests_name("pretrain", tests, NULL, NULL);
}
