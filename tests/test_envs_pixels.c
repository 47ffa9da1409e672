/* tests/test_envs_pixels.c - shapes, ocr, chart, motion, look_wide where a view is images: the same
 * on every machine and in every build; those of chart, motion and look_wide say what the tokens of
 * the same task say. */
#include "core/canvas.h"
#include "tests/test_envs_support.h"

enum { N_TASKS = 24, MAX_TOKENS = PARL_ENV_MAX_OBSERVATION };

/* One task in both modalities, which an expert plays alone in step. */
typedef struct pair {
  parl_env *env[2]; /* text, image */
  parl_world world[2];
  parl_agent main[2];
  int32_t tokens[MAX_TOKENS]; /* of text */
  size_t n;
  parl_env_shown shown; /* of image */
} pair;

static void open_pair(pair *p, const char *name, const char *preset) {
  for (int k = 0; k < 2; k++) {
    char params[64];
    snprintf(params, sizeof params, "{\"preset\":\"%s\",\"modality\":\"%s\"}", preset,
             k ? "image" : "text");
    p->env[k] = env_open(name, params);
  }
}

static void begin(pair *p, uint64_t task) {
  for (int k = 0; k < 2; k++)
    assert_ok(parl_env_reset(p->env[k], task, 1, &p->world[k], &p->main[k]));
}

static void end(pair *p) {
  for (int k = 0; k < 2; k++) parl_env_release(p->env[k], p->world[k]);
}

/* The expert's next call, the same in both; false at the end. */
static bool step(pair *p, parl_call *call) {
  parl_call other;
  int32_t tokens[MAX_TOKENS];
  size_t n;
  assert_ok(parl_env_expert(p->env[0], p->world[0], p->main[0], "serial", call, 1, &n));
  assert_ok(parl_env_expert(p->env[1], p->world[1], p->main[1], "serial", &other, 1, &n));
  assert_true(call->kind == other.kind && call->tool == other.tool);
  for (int i = 0; i < call->n_values; i++) assert_int_equal(call->values[i], other.values[i]);
  if (call->kind == PARL_CALL_FINISH) return false;
  assert_ok(parl_env_call(p->env[0], p->world[0], p->main[0], call, p->tokens, MAX_TOKENS, &p->n));
  assert_ok(parl_env_call(p->env[1], p->world[1], p->main[1], call, tokens, MAX_TOKENS, &n));
  p->shown = parl_env_get_shown(p->env[1]);
  return true;
}

static const char *tool_of(const pair *p, const parl_call *call) {
  return parl_env_get_spec(p->env[0])->tools[call->tool].name;
}

/* The place in its family of token i of the text; 0 if it is of another. */
static int value_of(const pair *p, size_t i, const char *family) {
  const parl_family *f = parl_env_get_spec(p->env[0])->families;
  while (strcmp(f->name, family) != 0) f++;
  const int value = p->tokens[i] - f->first_token + 1;
  return i < p->n && value >= 1 && value <= f->n ? value : 0;
}

static const parl_image *image_of(const pair *p, size_t i) {
  assert_true(i < p->shown.n);
  return &p->shown.album->items[p->shown.items[i].picture].image;
}

/* --- the same scene, read off the pixels --- */

/* In each frame a disc is lit in the cells that the text names, and in no other. */
static void read_motion(const pair *p, const parl_call *call) {
  if (strcmp(tool_of(p, call), "answer") == 0) return;
  size_t at = 0;
  assert_int_equal(p->shown.n, 4);
  for (int frame = 1; frame <= 4; frame++) {
    uint32_t named = 0, lit = 0;
    bool is_faint = false;
    assert_int_equal(value_of(p, at++, "frame"), frame);
    for (; at < p->n && value_of(p, at, "frame") == 0; at++) {
      is_faint |= value_of(p, at, "place") == 0;
      named |= 1u << value_of(p, at, "place");
    }
    const parl_image *image = image_of(p, (size_t)frame - 1);
    const bool is_binary = strcmp(tool_of(p, call), "binarise") == 0;
    for (int place = 0; place < 25; place++) {
      const uint32_t c = parl_canvas_get(image, place % 5 * 8 + 4, place / 5 * 8 + 4);
      if (c == (is_binary ? 0xffffff : 0xe0d040)) lit |= 2u << place;
    }
    assert_int_equal(lit, is_faint ? 0 : named);
  }
}

/* The discs of each quarter in their order, or a grey block where the text has `crowd`. */
static void read_look_wide(const pair *p, const parl_call *call) {
  static const uint32_t rgb[] = {0xe02020, 0x20c040, 0x3050f0, 0xc0c0c0};
  const bool is_look = strcmp(tool_of(p, call), "look") == 0;
  if (strcmp(tool_of(p, call), "note") == 0) return;
  const parl_image *image = image_of(p, 0);
  size_t at = 0;
  for (int quarter = 1; quarter <= 4; quarter++) {
    if (!is_look && quarter != call->values[1]) continue;
    const int x0 = is_look ? (quarter - 1) % 2 * 16 : 0, y0 = is_look ? (quarter - 1) / 2 * 16 : 0;
    const bool is_named = value_of(p, at, "quarter") == quarter;
    at += is_named;
    if (is_named && value_of(p, at, "colour") == 0) {
      assert_int_equal(parl_canvas_get(image, x0 + 8, y0 + 8), 0x707070);
      at++;
      continue;
    }
    for (int cell = 0; cell < 4; cell++) {
      const uint32_t c = parl_canvas_get(image, x0 + cell % 2 * 8 + 4, y0 + cell / 2 * 8 + 4);
      const int colour = is_named && at < p->n ? value_of(p, at, "colour") : 0;
      assert_int_equal(c, colour > 0 ? rgb[colour - 1] : 0x101010);
      at += colour > 0;
    }
  }
  assert_int_equal(at, p->n);
}

/* Inked pixels of each bar from the bottom up: its height, at most the picture's. */
static void read_chart(const pair *p, const parl_call *call) {
  const bool is_look = strcmp(tool_of(p, call), "look") == 0;
  if (strcmp(tool_of(p, call), "answer") == 0) return;
  const parl_image *image = image_of(p, 0);
  const int n_bars = is_look ? (int)p->n / 2 : 1;
  assert_int_equal(image->width, 2 + 5 * n_bars);
  for (int bar = 0; bar < n_bars; bar++) {
    const int due = value_of(p, is_look ? 2 * (size_t)bar + 1 : 0, "value") - 7;
    int height = 0;
    while (height < image->height &&
           parl_canvas_get(image, 2 + 5 * bar, image->height - 1 - height) == 0x3060c0)
      height++;
    assert_int_equal(height, due < image->height ? due : image->height);
  }
}

static void pictures_say_what_tokens_say(void **state) {
  static const struct {
    const char *name;
    void (*read)(const pair *p, const parl_call *call);
  } rows[] = {{"motion", read_motion}, {"look_wide", read_look_wide}, {"chart", read_chart}};
  static const char *const presets[] = {"default", "hard"};
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    pair p;
    int n_steps = 0;
    open_pair(&p, rows[i / 2].name, presets[i % 2]);
    for (uint64_t task = 1; task <= N_TASKS; task++) {
      parl_call call;
      begin(&p, task);
      for (; step(&p, &call); n_steps++) rows[i / 2].read(&p, &call);
      end(&p);
    }
    assert_true(n_steps > N_TASKS);
    for (int k = 0; k < 2; k++) parl_env_destroy(p.env[k]);
  }
}

/* --- the same pixels everywhere --- */

static void pixels_are_the_same_everywhere(void **state) {
  static const struct {
    const char *name;
    uint64_t due;
  } rows[] = {{"shapes", 0x6dca7d66ba57a5d8},
              {"ocr", 0xb1cbbe94e359aafd},
              {"chart", 0xe07125f9d1167dd9},
              {"motion", 0xac8b002823452902},
              {"look_wide", 0xd248c26a450685d0}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint64_t hash = 0;
    pair p;
    open_pair(&p, rows[i].name, "hard");
    for (uint64_t task = 1; task <= N_TASKS; task++) {
      parl_call call;
      begin(&p, task);
      while (step(&p, &call)) hash = parl_rng_mix(hash, parl_env_hash_shown(p.env[1]), task);
      end(&p);
    }
    if (hash != rows[i].due) fail_msg("%s: it is 0x%llx", rows[i].name, (unsigned long long)hash);
    for (int k = 0; k < 2; k++) parl_env_destroy(p.env[k]);
  }
}

/* `as` clip: the four frames of a view are the images that it shows else, in one item; text and
 * steps are the same. */
static void clips_are_the_same_frames(void **state) {
  (void)state;
  parl_env *env[2];
  for (int k = 0; k < 2; k++)
    env[k] = env_open("motion",
                      k ? "{\"modality\":\"image\",\"as\":\"clip\"}" : "{\"modality\":\"image\"}");
  assert_int_equal(parl_env_get_spec(env[1])->vision.frames, 4);
  assert_int_equal(parl_env_get_spec(env[0])->vision.frames, 1);
  assert_true(parl_env_get_spec(env[1])->limits.context <
              parl_env_get_spec(env[0])->limits.context);
  for (uint64_t task = 0; task < 8; task++) {
    parl_world world[2];
    parl_agent agent[2];
    parl_call call;
    int32_t tokens[MAX_TOKENS];
    size_t n, n_clips = 0;
    for (int k = 0; k < 2; k++) assert_ok(parl_env_reset(env[k], task, 1, &world[k], &agent[k]));
    for (;;) {
      assert_ok(parl_env_expert(env[0], world[0], agent[0], "serial", &call, 1, &n));
      if (call.kind == PARL_CALL_FINISH) break;
      for (int k = 0; k < 2; k++)
        assert_ok(parl_env_call(env[k], world[k], agent[k], &call, tokens, MAX_TOKENS, &n));
      const parl_env_shown four = parl_env_get_shown(env[0]), one = parl_env_get_shown(env[1]);
      assert_int_equal(four.n, 4 * one.n);
      if (one.n == 0) continue;
      const parl_picture *clip = &one.album->items[one.items[0].picture];
      assert_int_equal(clip->frames, 4);
      for (int f = 0; f < 4; f++) {
        const parl_image frame = parl_image_get_frame(&clip->image, 4, f);
        const parl_image *image = &four.album->items[four.items[f].picture].image;
        assert_int_equal(frame.height, image->height);
        assert_memory_equal(frame.rgb, image->rgb, 3 * (size_t)(image->width * image->height));
      }
      n_clips++;
    }
    assert_true(n_clips > 0);
    for (int k = 0; k < 2; k++) parl_env_release(env[k], world[k]);
  }
  for (int k = 0; k < 2; k++) parl_env_destroy(env[k]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_say_what_tokens_say),
      cmocka_unit_test(pixels_are_the_same_everywhere),
      cmocka_unit_test(clips_are_the_same_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
