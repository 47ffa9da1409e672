/* tests/test_data.c - documents of scripts: their order, their blend, what is held out. */
#include "core/seeds.h"
#include "lua/env_source.h"
#include "parl/data/feed.h"
#include "parl/data/order.h"
#include "tests/data_support.h"

/* Three numbers are read, their order turned round is learnt. */
static const char TURN[] =
    "local tok = parl.tok\n"
    "return parl.source {\n"
    "  name = 'turn', summary = 'three numbers and back',\n"
    "  params = {most = {default = 8, min = 1, max = 8}},\n"
    "  document = function(rng, params)\n"
    "    local a, b = tok.row[rng:int(1, params.most)], tok.row[rng:int(1, params.most)]\n"
    "    return {a, b, a}, {b, a}\n"
    "  end,\n"
    "}\n";

static parl_status make_feed(world *w, int64_t steps, size_t batch_tokens, parl_feed **out) {
  return parl_feed_create(&(parl_feed_def){.sources = &w->list,
                                           .env = w->env,
                                           .options = &w->options,
                                           .steps = steps,
                                           .batch_tokens = batch_tokens,
                                           .max_tokens = 16,
                                           .seed = 5,
                                           .held_out_seed = 6,
                                           .split_seed = 7,
                                           .workers = w->workers},
                          out);
}

/* --- order --- */

static void an_order_has_everything_once(void **state) {
  (void)state;
  static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 100, 1000};
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    uint8_t seen[1000] = {0};
    size_t n_moved = 0;
    for (uint64_t i = 0; i < sizes[k]; i++) {
      const uint64_t at = parl_order_get(9, sizes[k], i);
      assert_true(at < sizes[k] && !seen[at]);
      seen[at] = 1;
      n_moved += at != parl_order_get(10, sizes[k], i);
    }
    if (sizes[k] >= 16) assert_true(n_moved > sizes[k] / 2); /* keys are orders of their own */
  }
}

/* --- documents --- */

static parl_status open_source(world *w, const char *code, parl_source **out) {
  w->list.n = 0;
  return create_source(w, add_source(w, "one", code), out);
}

static void a_document_is_read_and_learnt(void **state) {
  (void)state;
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  open_world(&w, 1);
  assert_ok(open_source(&w, TURN, &source));
  for (uint64_t i = 0; i < 8; i++) {
    static const uint8_t due[] = {0, 0, 0, 0, 1, 1};
    assert_ok(parl_source_get(source, false, i, 0, &d));
    assert_int_equal(d.n, 6);
    assert_int_equal(d.n_learnt, 2);
    assert_int_equal(d.tokens[0], PARL_TOKEN_BOS);
    assert_memory_equal(d.learnt, due, sizeof due);
    assert_int_equal(d.tokens[1], d.tokens[3]);
    assert_int_equal(d.tokens[4], d.tokens[2]);
    assert_int_equal(d.tokens[5], d.tokens[1]);
  }
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

static void choices_are_the_learnt_tokens(void **state) {
  (void)state;
  int32_t tokens[3] = {30, 31, 32}, at[4];
  uint8_t learnt[3] = {0, 1, 1};
  float logp[4];
  uint64_t masks[8];
  const uint64_t mask[2] = {7, 9};
  const parl_env_shown none = {0};
  parl_document d = {0};
  parl_sequence s = {.at = at, .logp = logp, .masks = masks, .n_words = 2};
  assert_ok(parl_document_set(&d, tokens, learnt, 3, &none));
  parl_document_fill(&d, mask, &s);
  assert_int_equal(s.n_tokens, 4);
  assert_int_equal(s.n_choices, 2);
  assert_int_equal(at[0], 2); /* behind <bos> and what is read */
  assert_int_equal(at[1], 3);
  assert_int_equal(s.tokens[at[1]], 32);
  assert_memory_equal(masks, mask, sizeof mask);
  assert_memory_equal(masks + 2, mask, sizeof mask);
  parl_document_deinit(&d);
}

static void scripts_are_refused_where_they_stand(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *text;
  } cases[] = {
      {"{a, b, a}, {b, a}", "{a, b, a}", "no token is learnt"},
      {"{a, b, a}, {b, a}", "a, b", "value 1 is a number; it returns lists"},
      {"{a, b, a}, {b, a}", "{a}, {b, 99999}", "token 2 is 99999"},
      {"{a, b, a}, {b, a}", "{a,a,a,a,a,a,a,a,a,a,a,a,a,a,a}, {b}",
       "returned 16 tokens; at most 15"},
      {"{a, b, a}, {b, a}", "{parl.image(4, 4)}, {a}", "needs vision"},
      {"{a, b, a}, {b, a}", "{a}, {parl.image(4, 4)}", "nothing predicts one"},
      {"{a, b, a}, {b, a}", "{tok.nothing}, {a}", "nothing"},
      {"name = 'turn'", "nam = 'turn'", "unknown field 'nam' (did you mean 'name'?)"},
      {"document = function", "documents = function", "unknown field 'documents'"},
      {"summary = 'three numbers and back',", "", "summary: must be a string"},
      {"parl.source", "parl.env", "a source of documents ends with `return parl.source{...}`"},
      {"return parl.source", "local x = parl.source", "must end with `return parl.source{...}`"},
  };
  world w;
  open_world(&w, 1);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char code[1024];
    const char *at = strstr(TURN, cases[i].from);
    parl_source *source = NULL;
    parl_document d = {0};
    snprintf(code, sizeof code, "%.*s%s%s", (int)(at - TURN), TURN, cases[i].to,
             at + strlen(cases[i].from));
    parl_status s = open_source(&w, code, &source);
    if (s == PARL_STATUS_OK) s = parl_source_get(source, false, 0, 0, &d);
    assert_status(s, PARL_STATUS_ESCRIPT);
    assert_contains(parl_error_text(), cases[i].text);
    assert_contains(parl_error_text(), "sources.one");
    parl_document_deinit(&d);
    parl_source_destroy(source);
  }
  parl_env *env = NULL;
  assert_fails(parl_env_create(w.list.items[0].of.file, NULL, &(parl_env_options){0}, &env),
               PARL_STATUS_ESCRIPT, "parl.source");
  close_world(&w);
}

/* --- what is held out, and epochs --- */

static void what_is_held_out_is_never_learnt(void **state) {
  (void)state;
  enum { N = 300 };
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  uint64_t held[N];
  size_t n_different = 0;
  open_world(&w, 1);
  assert_ok(open_source(&w, TURN, &source));
  for (uint64_t i = 0; i < N; i++) {
    assert_ok(parl_source_get(source, true, i, 0, &d));
    held[i] = parl_document_get_content(&d);
    n_different += i > 0 && held[i] != held[0];
  }
  assert_true(n_different > 0); /* of 64 documents about 6 */
  for (uint64_t i = 0; i < N; i++) {
    assert_ok(parl_source_get(source, false, i, 0, &d));
    for (size_t k = 0; k < N; k++) assert_true(parl_document_get_content(&d) != held[k]);
  }
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

static void a_script_of_one_document_cannot_be_split(void **state) {
  (void)state;
  world w;
  parl_document d = {0};
  parl_source *source = NULL;
  open_world(&w, 1);
  parl_source_config *c = add_source(&w, "one", TURN);
  snprintf(c->params, sizeof c->params, "{\"most\":1}");
  c->of.held_out = 0.5;
  assert_ok(create_source(&w, c, &source));
  const parl_status one = parl_source_get(source, false, 0, 0, &d);
  const parl_status other = parl_source_get(source, true, 0, 0, &d);
  assert_true((one == PARL_STATUS_OK) != (other == PARL_STATUS_OK));
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

static void an_epoch_has_every_document_once(void **state) {
  (void)state;
  enum { N = 24 };
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  uint64_t first[N];
  size_t n_moved = 0;
  open_world(&w, 1);
  parl_source_config *c = add_source(&w, "one", TURN);
  c->of.documents = N;
  c->of.held_out = 0;
  assert_ok(create_source(&w, c, &source));
  for (uint64_t i = 0; i < N; i++) {
    assert_ok(parl_source_get(source, false, i, 0, &d));
    first[i] = parl_document_get_content(&d);
  }
  uint64_t sum[2] = {0};
  for (uint64_t i = 0; i < N; i++) {
    assert_ok(parl_source_get(source, false, N + i, 0, &d));
    n_moved += parl_document_get_content(&d) != first[i];
    sum[0] += first[i];
    sum[1] += parl_document_get_content(&d);
  }
  assert_true(sum[0] == sum[1]); /* the same ones, as a multiset */
  assert_true(n_moved > N / 2);  /* in another order */
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* --- augmented --- */

/* Where a thing is, among 8 places, as it was drawn and as it is shown: their mirror image is 9 -
 * a. */
static const char MIRRORED[] =
    "local row = parl.tok.row\n"
    "return parl.source {\n"
    "  name = 'mirrored', summary = 'a place', params = {twice = {default = true}},\n"
    "  document = function(rng, params, augment)\n"
    "    local a, t = rng:int(1, 8), augment(8, 1)\n"
    "    local x = row[t:point(a - 1, 0) + 1]\n"
    "    return params.twice and {row[a]} or {}, {x}\n"
    "  end,\n"
    "}\n";

static parl_source_config *add_mirrored(world *w, const char *name, bool is_twice) {
  parl_source_config *c = add_source(w, name, MIRRORED);
  c->augment.flip_x = 0.5;
  snprintf(c->params, sizeof c->params, "{\"twice\":%s}", is_twice ? "true" : "false");
  return c;
}

static int32_t get_row(const parl_env *env) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_families; i++)
    if (strcmp(spec->families[i].name, "row") == 0) return spec->families[i].first_token;
  fail();
  return 0;
}

/* Neither a document that is held out, nor one that is made from it, nor one that becomes it, is
 * learnt; those that are measured are not augmented. */
static void no_twin_of_what_is_held_out_is_learnt(void **state) {
  (void)state;
  enum { N = 400 };
  for (int is_twice = 0; is_twice < 2; is_twice++) {
    world w;
    parl_source *source = NULL;
    parl_document d = {0};
    bool is_out[9] = {false};
    int n_out = 0, n_flipped = 0;
    open_world(&w, 1);
    parl_source_config *c = add_mirrored(&w, "one", is_twice);
    c->of.held_out = 0.4;
    assert_ok(create_source(&w, c, &source));
    for (uint64_t i = 0; i < N; i++) {
      assert_ok(parl_source_get(source, true, i, 0, &d));
      assert_int_equal(d.augmented.n, 0);
      const int a = d.tokens[1] - get_row(w.env) + 1;
      if (is_twice) assert_int_equal(d.tokens[2], d.tokens[1]);
      n_out += !is_out[a];
      is_out[a] = true;
    }
    assert_true(n_out > 0 && n_out < 8);
    for (uint64_t i = 0; i < N; i++) {
      assert_ok(parl_source_get(source, false, i, 0, &d));
      assert_false(is_out[d.tokens[1] - get_row(w.env) + 1]);
      n_flipped += d.augmented.n > 0;
      if (is_twice)
        assert_true((d.tokens[1] != d.tokens[2]) == (d.augmented.n > 0)); /* none is its own */
    }
    assert_true(n_flipped > N / 10);
    parl_document_deinit(&d);
    parl_source_destroy(source);
    close_world(&w);
  }
}

/* Each epoch has the same documents, varied in another way. */
static void every_epoch_varies_anew(void **state) {
  (void)state;
  enum { N = 24 };
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  int n_flipped[2] = {0}, sum[2] = {0}, shown[2] = {0};
  open_world(&w, 1);
  parl_source_config *c = add_mirrored(&w, "one", true);
  c->of.documents = N;
  c->of.held_out = 0;
  assert_ok(create_source(&w, c, &source));
  for (uint64_t i = 0; i < 2 * N; i++) {
    assert_ok(parl_source_get(source, false, i, 0, &d));
    n_flipped[i / N] += d.augmented.n;
    sum[i / N] += d.tokens[1];
    shown[i / N] += d.tokens[2];
  }
  assert_int_equal(sum[0], sum[1]);
  assert_int_not_equal(shown[0], shown[1]);
  assert_true(n_flipped[0] > 4 && n_flipped[0] < 20 && n_flipped[1] > 4 && n_flipped[1] < 20);
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* Takes its transform and does not ask for it. */
static const char DEAF[] =
    "local row = parl.tok.row\n"
    "return parl.source {\n"
    "  name = 'deaf', summary = 'a place',\n"
    "  document = function(rng, params, augment) return {}, {row[rng:int(1, 8)]} end,\n"
    "}\n";

static void a_script_that_cannot_vary_is_refused(void **state) {
  (void)state;
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  open_world(&w, 1);
  parl_source_config *c = add_source(&w, "one", TURN);
  c->augment.turn = 0.5;
  assert_fails(create_source(&w, c, &source), PARL_STATUS_EINVAL,
               "sources.one: augment: the script's `document` takes no third argument");
  c = add_source(&w, "two", DEAF);
  c->augment.turn = 0.5;
  c->of.held_out = 0;
  assert_ok(create_source(&w, c, &source));
  parl_status s = PARL_STATUS_OK;
  for (uint64_t i = 0; s == PARL_STATUS_OK && i < 100; i++)
    s = parl_source_get(source, false, i, 0, &d);
  assert_int_equal(s, PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "sources.two: augment: a document did not call `augment`");
  assert_contains(parl_error_text(), "/two");
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* --- batches --- */

static void hash_steps(parl_feed *feed, int n, char out[PARL_HASH_HEX_BYTES]) {
  parl_hash h;
  parl_hash_init(&h);
  for (int i = 0; i < n; i++) {
    parl_feed_batch b;
    assert_ok(parl_feed_next(feed, &b));
    parl_feed_hash(&b, &h);
  }
  parl_hash_finish(&h, out);
}

static void add_two(world *w) {
  parl_source_config *a = add_source(w, "a", TURN);
  a->weight.start = 3;
  add_mirrored(w, "b", true);
}

static void batches_do_not_depend_on_workers(void **state) {
  (void)state;
  char due[PARL_HASH_HEX_BYTES] = "", hash[PARL_HASH_HEX_BYTES];
  for (size_t n = 1; n <= 4; n++) {
    world w;
    parl_feed *feed = NULL;
    open_world(&w, n);
    add_two(&w);
    assert_ok(make_feed(&w, 30, 100, &feed));
    hash_steps(feed, 30, hash);
    if (n == 1) memcpy(due, hash, sizeof due);
    assert_string_equal(hash, due);
    parl_feed_destroy(feed);
    close_world(&w);
  }
}

static void a_feed_goes_on_from_its_state(void **state) {
  (void)state;
  world w;
  parl_feed *whole = NULL, *again = NULL;
  parl_text text = {0};
  parl_json_writer writer;
  parl_json *json = NULL;
  char due[PARL_HASH_HEX_BYTES], hash[PARL_HASH_HEX_BYTES];
  open_world(&w, 2);
  add_two(&w);
  assert_ok(make_feed(&w, 30, 100, &whole));
  hash_steps(whole, 7, hash);
  parl_json_writer_init(&writer, &text, false);
  parl_feed_write_state(whole, &writer);
  hash_steps(whole, 9, due);
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "state", &json));
  assert_ok(make_feed(&w, 30, 100, &again));
  hash_steps(again, 2, hash);
  assert_ok(parl_feed_read_state(again, json, "state"));
  hash_steps(again, 9, hash);
  assert_string_equal(hash, due);
  parl_json_remove((parl_json *)parl_json_find(json, "sources"), "a");
  assert_fails(parl_feed_read_state(again, json, "state"), PARL_STATUS_EFORMAT, "other sources");
  parl_json_destroy(json);
  parl_text_deinit(&text);
  parl_feed_destroy(whole);
  parl_feed_destroy(again);
  close_world(&w);
}

/* Documents of `a` have 6 tokens, of `b` 3. */
static void tokens_follow_the_weights(void **state) {
  (void)state;
  static const char shorter[] =
      "return parl.source {name = 'x', summary = 'x', document = function(rng)\n"
      "  return {parl.tok.row[rng:int(1, 8)]}, {parl.tok.row[rng:int(1, 8)]} end}\n";
  world w;
  parl_feed *feed = NULL;
  parl_feed_batch batch;
  open_world(&w, 1);
  parl_source_config *a = add_source(&w, "a", TURN), *b = add_source(&w, "b", shorter);
  a->weight.start = 2;
  b->weight.start = 1;
  a->of.held_out = b->of.held_out = 0;
  assert_ok(make_feed(&w, 40, 100, &feed));
  double all = 0;
  for (int i = 0; i < 40; i++) {
    assert_ok(parl_feed_next(feed, &batch));
    assert_true(batch.n_tokens <= 100 && batch.n_tokens > 94);
    all += (double)batch.n_tokens;
    assert_close((double)parl_feed_get_tokens(feed, 0), all * 2 / 3, 6);
    assert_close((double)parl_feed_get_tokens(feed, 1), all / 3, 6);
  }
  parl_feed_destroy(feed);
  close_world(&w);
}

/* What is injected late has given nothing before, and takes its share at once, no more. */
static void a_schedule_injects_a_source(void **state) {
  (void)state;
  world w;
  parl_feed *feed = NULL;
  parl_feed_batch batch;
  open_world(&w, 1);
  parl_source_config *a = add_source(&w, "a", TURN), *b = add_source(&w, "b", TURN);
  a->weight.start = 0.5;
  b->weight.shape = 10; /* table */
  snprintf(b->weight.table, sizeof b->weight.table, "0:0 10:0.5");
  assert_ok(make_feed(&w, 20, 100, &feed));
  for (int i = 0; i < 20; i++) {
    const uint64_t before = parl_feed_get_tokens(feed, 1);
    assert_ok(parl_feed_next(feed, &batch));
    const double given = (double)(parl_feed_get_tokens(feed, 1) - before);
    if (i < 10) assert_true(given == 0);
    if (i >= 10) assert_close(given, (double)batch.n_tokens / 2, 6);
  }
  parl_feed_destroy(feed);
  snprintf(b->weight.table, sizeof b->weight.table, "0:0.5 9:0");
  assert_ok(make_feed(&w, 20, 100, &feed));
  uint64_t given = 0;
  for (int i = 0; i < 20; i++) {
    assert_ok(parl_feed_next(feed, &batch));
    if (i == 8) given = parl_feed_get_tokens(feed, 1);
  }
  assert_true(given > 0 && parl_feed_get_tokens(feed, 1) == given); /* no debt is paid later */
  parl_feed_destroy(feed);
  b->weight.shape = 0;
  b->weight.start = a->weight.start = 0;
  assert_fails(make_feed(&w, 20, 100, &feed), PARL_STATUS_EINVAL, "at step 0");
  w.list.n = 0;
  assert_fails(make_feed(&w, 20, 100, &feed), PARL_STATUS_EINVAL, "nothing to learn from");
  close_world(&w);
}

/* One budget spent at three rates, as recipe fusion does: 0.1 from the beginning, 0.2 from the
 * middle, 0.5 from four fifths on. Documents of one length that fill a step, so equal to the token.
 */
static void budgets_are_equal_to_the_token(void **state) {
  (void)state;
  static const struct {
    const char *seen, *read; /* shares of two sources of each */
  } arms[] = {
      {"0:0.05", "0:0.45"}, {"0:0 20:0.1", "0:0.5 20:0.4"}, {"0:0 32:0.25", "0:0.5 32:0.25"}};
  enum { STEPS = 40, BATCH = 120 }; /* 20 documents of 6 tokens */
  for (size_t k = 0; k < sizeof arms / sizeof arms[0]; k++) {
    world w;
    parl_feed *feed = NULL;
    parl_feed_batch batch;
    open_world(&w, 1);
    for (int i = 0; i < 4; i++) {
      parl_source_config *c = add_source(&w, (const char *[]){"a", "b", "c", "d"}[i], TURN);
      c->weight.shape = 10; /* table */
      snprintf(c->weight.table, sizeof c->weight.table, "%s", i < 2 ? arms[k].seen : arms[k].read);
    }
    assert_ok(make_feed(&w, STEPS, BATCH, &feed));
    for (int i = 0; i < STEPS; i++) {
      assert_ok(parl_feed_next(feed, &batch));
      assert_int_equal(batch.n_tokens, BATCH);
    }
    for (size_t i = 0; i < 4; i++)
      assert_int_equal(parl_feed_get_tokens(feed, i), STEPS * BATCH * (i < 2 ? 5 : 45) / 100);
    parl_feed_destroy(feed);
    close_world(&w);
  }
}

/* --- the recipe's tables --- */

static parl_status read_list(const char *text, parl_source_list *out) {
  parl_json *json = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "test", &json));
  const parl_status s = parl_source_list_read(json, false, out);
  parl_json_destroy(json);
  return s;
}

static void a_list_is_read_and_written(void **state) {
  (void)state;
  parl_source_list list = {0}, again = {0};
  parl_text text = {0};
  parl_json_writer w;
  assert_ok(
      read_list("{\"words\":{\"file\":\"w.lua\",\"weight\":{\"start\":0.25}},"
                "\"pictures\":{\"file\":\"p.lua\",\"held_out\":0.5,\"params\":{\"b\":1,"
                "\"a\":2},\"augment\":{\"crop\":0.5}}}",
                &list));
  assert_int_equal(list.n, 2);
  assert_string_equal(list.items[0].name, "pictures");
  assert_string_equal(list.items[0].params, "{\"a\":2,\"b\":1}");
  assert_true(list.items[0].weight.start == 1 && list.items[1].weight.start == 0.25);
  assert_true(list.items[0].augment.crop == 0.5 && list.items[1].augment.crop == 1);
  parl_json_writer_init(&w, &text, false);
  parl_source_list_write(&list, true, &w);
  assert_null(strstr(strstr(parl_text_get(&text), "words"), "augment")); /* off: as ever */
  assert_ok(read_list(parl_text_get(&text), &again));
  assert_memory_equal(&list, &again, sizeof list);
  parl_text_deinit(&text);
  assert_fails(read_list("{\"a\":{}}", &list), PARL_STATUS_EINVAL, "sources.a.file is missing");
  assert_fails(read_list("{\"a b\":{}}", &list), PARL_STATUS_EINVAL, "no name of a source");
  assert_fails(read_list("{\"a\":1}", &list), PARL_STATUS_EINVAL, "sources.a is a number");
  assert_fails(read_list("{\"a\":{\"fil\":\"x\"}}", &list), PARL_STATUS_EINVAL, "file");
  assert_fails(read_list("{\"a\":{\"file\":\"x\",\"params\":3}}", &list), PARL_STATUS_EINVAL,
               "sources.a.params is a number");
  assert_fails(read_list("{\"a\":{\"file\":\"x\",\"weight\":{\"start\":-1}}}", &list),
               PARL_STATUS_EINVAL, "sources.a.weight.start");
  assert_fails(read_list("{\"a\":{\"file\":\"x\",\"augment\":{\"crop\":2}}}", &list),
               PARL_STATUS_EINVAL, "sources.a.augment.crop");
  assert_fails(read_list("{\"a\":{\"file\":\"x\",\"augment\":{\"flip\":1}}}", &list),
               PARL_STATUS_EINVAL, "sources.a.augment.flip");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_order_has_everything_once),
      cmocka_unit_test(a_document_is_read_and_learnt),
      cmocka_unit_test(choices_are_the_learnt_tokens),
      cmocka_unit_test(scripts_are_refused_where_they_stand),
      cmocka_unit_test(what_is_held_out_is_never_learnt),
      cmocka_unit_test(a_script_of_one_document_cannot_be_split),
      cmocka_unit_test(an_epoch_has_every_document_once),
      cmocka_unit_test(no_twin_of_what_is_held_out_is_learnt),
      cmocka_unit_test(every_epoch_varies_anew),
      cmocka_unit_test(a_script_that_cannot_vary_is_refused),
      cmocka_unit_test(batches_do_not_depend_on_workers),
      cmocka_unit_test(a_feed_goes_on_from_its_state),
      cmocka_unit_test(tokens_follow_the_weights),
      cmocka_unit_test(a_schedule_injects_a_source),
      cmocka_unit_test(budgets_are_equal_to_the_token),
      cmocka_unit_test(a_list_is_read_and_written),
  };
  return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
