/* tests/test_score_table.c - tables of scores: what is read, and what is refused where. */
#include "core/rng.h"
#include "experiments/score_table.h"
#include "tests/support.h"

static parl_status parse(const char *text, parl_score_table *out) {
  const size_t n = strlen(text);
  char *bytes = malloc(n + 1);
  assert_non_null(bytes);
  memcpy(bytes, text, n + 1);
  return parl_score_table_parse(bytes, n, "t.csv", out);
}

/* Columns in another order, one more, quotes, CRLF, a mark, an empty line, no line end at last. */
static void test_reads(void **state) {
  (void)state;
  static const char text[] =
      "\xef\xbb\xbfscore,seed,\"note\",task,algorithm\r\n"
      "0.5,2,,\"wide, \"\"deep\"\"\",b\r\n\r\n"
      "-1e-3,-7,\"two\nlines\",chain,b\r\n"
      "1,2,x,chain,a\r\n"
      "0.25,2,x,\"wide, \"\"deep\"\"\",a\n"
      "0.75,1,x,chain,a";
  parl_score_table t;
  assert_ok(parse(text, &t));
  assert_int_equal(t.n_algorithms, 2);
  assert_int_equal(t.n_tasks, 2);
  assert_string_equal(t.algorithms[0], "b");
  assert_string_equal(t.algorithms[1], "a");
  assert_string_equal(t.tasks[0], "wide, \"deep\"");
  assert_string_equal(t.tasks[1], "chain");
  assert_string_equal(parl_text_get(&t.unused), "\"note\"");
  size_t n;
  const parl_table_score *s = parl_score_table_get(&t, 1, 1, &n);
  assert_int_equal(n, 2);
  assert_int_equal(s[0].seed, 1);
  assert_close(s[0].score, 0.75, 0);
  assert_close(s[1].score, 1, 0);
  s = parl_score_table_get(&t, 0, 1, &n);
  assert_int_equal(n, 1);
  assert_int_equal(s[0].seed, -7);
  assert_close(s[0].score, -1e-3, 0);
  assert_int_equal(s[0].line, 4);
  parl_score_table_deinit(&t);
}

static void test_refuses(void **state) {
  (void)state;
#define HEAD "task,algorithm,seed,score\n"
  static const struct {
    const char *text, *why;
  } cases[] = {
      {"", "no column \"task\""},
      {HEAD, "t.csv: no scores"},
      {"task,algorithm,seed\n", "no column \"score\""},
      {"task,task,algorithm,seed,score\n", "t.csv:1: column \"task\" is there twice"},
      {HEAD "a,b,1\n", "t.csv:2: 3 fields; the first line has 4"},
      {HEAD "a,b,1,2,3\n", "t.csv:2: 5 fields"},
      {HEAD "a,b,1.5,2\n", "t.csv:2: seed = \"1.5\": must be an integer"},
      {HEAD "a,b,99999999999999999999,2\n", "must be an integer of 64 bits"},
      {HEAD "a,b,,2\n", "t.csv:2: seed = \"\""},
      {HEAD "a,b,1,nan\n", "t.csv:2: score = \"nan\": must be a finite number"},
      {HEAD "a,b,1,1e999\n", "must be a finite number"},
      {HEAD "a,b,1,0.5 \n", "must be a finite number"},
      {HEAD "a,b,1,\n", "t.csv:2: score = \"\""},
      {HEAD ",b,1,2\n", "t.csv:2: task = \"\": a name is not empty"},
      {HEAD "a,\"b\nc\",1,2\n", "t.csv:2: the algorithm holds the control byte 0x0a"},
      {HEAD "a,\xff,1,2\n", "t.csv:2: the algorithm is not UTF-8"},
      {HEAD "\n\na,b,1,2\na,b,1,3\n",
       "t.csv:5: algorithm \"b\", task \"a\", seed 1 stands in line 4"},
      {HEAD "a,b,1,2\na,c,1,3\nd,c,1,3\n", "algorithm \"b\" has no score of task \"d\""},
      {HEAD "a,\"b,1,2\n", "t.csv:2: a quote that is not closed"},
      {HEAD "a,\"b\"c,1,2\n", "t.csv:2: text after a closing quote"},
      {HEAD "a,b,1,2\ra,b,2,2\n", "t.csv:2: a lone CR"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_score_table t;
    assert_fails(parse(cases[i].text, &t), PARL_STATUS_EFORMAT, cases[i].why);
  }
  char *bytes = calloc(1, 64);
  assert_non_null(bytes);
  parl_score_table t;
  assert_fails(parl_score_table_parse(bytes, 63, "t.csv", &t), PARL_STATUS_EFORMAT, "a zero byte");
  assert_fails(parl_score_table_read("/nowhere/t.csv", &t), PARL_STATUS_EIO, "/nowhere/t.csv");
}

/* Any bytes: a table or a text that says why not, and no memory lost. */
static void test_any_bytes(void **state) {
  (void)state;
  static const char some[] = "task,algorithm,seed,score\n\r\"01ab.-,\xef\xbb\xbf";
  parl_rng_cursor rng = {.seed = 5};
  for (int i = 0; i < 20000; i++) {
    char text[160] = "task,algorithm,seed,score\n";
    size_t n = parl_rng_next_below(&rng, 4) ? strlen(text) : 0;
    const size_t more = parl_rng_next_below(&rng, 40);
    for (size_t k = 0; k < more; k++)
      text[n++] = some[20 + parl_rng_next_below(&rng, sizeof some - 21)];
    text[n] = '\0';
    parl_score_table t;
    if (parse(text, &t) == PARL_STATUS_OK) parl_score_table_deinit(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads), cmocka_unit_test(test_refuses),
                                     cmocka_unit_test(test_any_bytes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
