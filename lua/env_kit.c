/* lua/env_kit.c - helpers for authors, in the global `parl`: lists, and who gets what.
 *
 * Pure functions of their arguments. They take frozen tables as well as plain ones, and return new
 * tables. Reading order: lists, turns, makespan, what other files define, helpers that are
 * scripts. */
#include <lauxlib.h>
#include <string.h>

#include "lua/env_internal.h"
#include "lua/sandbox_internal.h"

enum {
  MAX_ITEMS = 1 << 16, /* of a list */
  MAX_BITS = 2048,     /* integers that are looked up as bits */
  MAX_COSTS = 256,     /* jobs that makespan takes */
  MAX_COST = 1 << 24,  /* steps of one job */
  MAX_NODES = 20000    /* of makespan's search */
};

/* --- lists --- */

static lua_Integer get_length(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, index);
  if (n > MAX_ITEMS) luaL_argerror(L, index, "the list is too long");
  parl_sandbox_charge(L, 4 * (double)n);
  return n;
}

/* Pushes item i of the list at index. */
static void get_item(lua_State *L, int index, lua_Integer i) {
  if (lua_geti(L, index, i) == LUA_TNIL) luaL_argerror(L, index, "the list has a hole");
}

/* parl.range(first, last) */
static int kit_range(lua_State *L) {
  const lua_Integer first = luaL_checkinteger(L, 1), last = luaL_checkinteger(L, 2);
  const lua_Unsigned n = first <= last ? (lua_Unsigned)last - (lua_Unsigned)first + 1 : 0;
  if (n > MAX_ITEMS || (n == 0 && first <= last))
    return luaL_error(L, "parl.range(%I, %I): more than %d numbers", (LUAI_UACINT)first,
                      (LUAI_UACINT)last, MAX_ITEMS);
  parl_sandbox_charge(L, (double)n);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 0; i < (lua_Integer)n; i++) {
    lua_pushinteger(L, first + i);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* What `without` leaves out: small integers as bits, anything else as keys of a table. */
typedef struct taken_set {
  uint64_t bits[MAX_BITS / 64];
  int others; /* index of the table; 0: there are none */
} taken_set;

/* The value at the top as a place in the bits, -1 if it has none. */
static lua_Integer get_bit(lua_State *L) {
  const lua_Integer i = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
  return i < MAX_BITS ? i : -1;
}

static void add_taken(lua_State *L, taken_set *set) {
  const lua_Integer bit = get_bit(L);
  if (bit >= 0) {
    set->bits[bit / 64] |= (uint64_t)1 << (bit % 64);
    lua_pop(L, 1);
    return;
  }
  if (set->others == 0) {
    lua_newtable(L);
    lua_insert(L, -2);
    set->others = lua_gettop(L) - 1;
  }
  lua_pushboolean(L, 1);
  lua_rawset(L, set->others);
}

static bool is_taken(lua_State *L, const taken_set *set) {
  const lua_Integer bit = get_bit(L);
  if (bit >= 0) return set->bits[bit / 64] >> (bit % 64) & 1;
  if (set->others == 0) return false;
  lua_pushvalue(L, -1);
  const bool found = lua_rawget(L, set->others) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

/* parl.without(list, taken) */
static int kit_without(lua_State *L) {
  const lua_Integer n = get_length(L, 1), n_taken = get_length(L, 2);
  taken_set set = {.others = 0};
  lua_settop(L, 2);
  for (lua_Integer i = 1; i <= n_taken; i++) {
    get_item(L, 2, i);
    add_taken(L, &set);
  }
  lua_createtable(L, (int)n, 0);
  const int kept = lua_gettop(L);
  lua_Integer n_kept = 0;
  for (lua_Integer i = 1; i <= n; i++) {
    get_item(L, 1, i);
    if (is_taken(L, &set))
      lua_pop(L, 1);
    else
      lua_rawseti(L, kept, ++n_kept);
  }
  return 1;
}

/* parl.split(list, k) */
static int kit_split(lua_State *L) {
  const lua_Integer n = get_length(L, 1), k = luaL_checkinteger(L, 2);
  luaL_argcheck(L, k >= 1, 2, "a group has at least one item");
  const lua_Integer n_groups = n / k + (n % k != 0);
  lua_createtable(L, (int)n_groups, 0);
  const int groups = lua_gettop(L);
  for (lua_Integer g = 0; g < n_groups; g++) {
    const lua_Integer n_items = n - g * k < k ? n - g * k : k;
    lua_createtable(L, (int)n_items, 0);
    for (lua_Integer i = 1; i <= n_items; i++) {
      get_item(L, 1, g * k + i);
      lua_rawseti(L, -2, i);
    }
    lua_rawseti(L, groups, g + 1);
  }
  return 1;
}

/* --- turns --- */

/* [list] -> [copy] */
static void copy_list(lua_State *L) {
  const int list = lua_gettop(L);
  const lua_Integer n = get_length(L, list);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    get_item(L, list, i);
    lua_rawseti(L, -2, i);
  }
  lua_remove(L, list);
}

/* [number or list] -> [{"assign_task", name, number or list}] */
static void make_assign(lua_State *L, lua_Integer name) {
  lua_createtable(L, 3, 0);
  lua_pushliteral(L, "assign_task");
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, name);
  lua_rawseti(L, -2, 2);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 3);
}

/* parl.launch(groups, [n, [name]]) */
static int kit_launch(lua_State *L) {
  lua_Integer n = get_length(L, 1);
  const lua_Integer most = luaL_optinteger(L, 2, n), name = luaL_optinteger(L, 3, 1);
  if (most < n) n = most < 0 ? 0 : most;
  lua_createtable(L, (int)n, 0);
  const int calls = lua_gettop(L);
  for (lua_Integer i = 1; i <= n; i++) {
    const int type = lua_geti(L, 1, i);
    if (type != LUA_TTABLE && type != LUA_TNUMBER)
      return luaL_error(L, "parl.launch: group %I is neither a list nor a number", (LUAI_UACINT)i);
    if (type == LUA_TTABLE) copy_list(L);
    make_assign(L, name);
    lua_rawseti(L, calls, i);
  }
  return 1;
}

/* --- makespan: n jobs on m workers, each job whole on one of them --- */

typedef struct plan {
  lua_State *L; /* whose limits hold */
  int n, m;
  int64_t cost[MAX_COSTS];
  int order[MAX_COSTS];       /* jobs, the largest first */
  int64_t load[MAX_COSTS];    /* of each worker, now */
  int worker[MAX_COSTS];      /* of each job, now */
  int best_worker[MAX_COSTS]; /* in the best plan so far */
  int64_t best, bound;        /* makespan of that plan, and what none can be below */
  int n_nodes;
} plan;

static void read_costs(lua_State *L, plan *p) {
  const lua_Integer n = get_length(L, 1), m = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n <= MAX_COSTS, 1, "more than 256 jobs");
  luaL_argcheck(L, m >= 1, 2, "at least one worker is needed");
  p->n = (int)n;
  p->m = m < n ? (int)m : p->n;
  for (int i = 0; i < p->n; i++) {
    int is_integer;
    lua_geti(L, 1, i + 1);
    p->cost[i] = lua_tointegerx(L, -1, &is_integer);
    lua_pop(L, 1);
    if (!is_integer || p->cost[i] < 0 || p->cost[i] > MAX_COST)
      luaL_error(L, "parl.makespan: cost %d must be an integer, 0 to %d", i + 1, MAX_COST);
  }
}

/* The order of the jobs, and the two bounds: the largest job, and equal loads. */
static void sort_jobs(plan *p) {
  int64_t total = 0;
  for (int i = 0; i < p->n; i++) {
    int k = i;
    for (; k > 0 && p->cost[p->order[k - 1]] < p->cost[i]; k--) p->order[k] = p->order[k - 1];
    p->order[k] = i;
    total += p->cost[i];
  }
  const int64_t equal = (total + p->m - 1) / p->m, largest = p->cost[p->order[0]];
  p->bound = equal > largest ? equal : largest;
}

/* Longest processing time first: each job to the worker that is free first. */
static void plan_greedily(plan *p) {
  memset(p->load, 0, sizeof p->load);
  p->best = 0;
  for (int i = 0; i < p->n; i++) {
    const int job = p->order[i];
    int least = 0;
    for (int k = 1; k < p->m; k++)
      if (p->load[k] < p->load[least]) least = k;
    p->load[least] += p->cost[job];
    p->best_worker[job] = least;
    if (p->load[least] > p->best) p->best = p->load[least];
  }
  memset(p->load, 0, sizeof p->load);
}

/* Whether a worker before k is loaded as k is: giving it the job is the same choice. */
static bool is_tried(const plan *p, int k) {
  for (int i = 0; i < k; i++)
    if (p->load[i] == p->load[k]) return true;
  return false;
}

/* Branch and bound over the jobs from order[i] on; `highest` is the largest load. */
static void place(plan *p, int i, int64_t highest) {
  p->n_nodes++;
  if (p->best == p->bound || p->n_nodes > MAX_NODES) return;
  parl_sandbox_charge(p->L, p->m);
  if (i == p->n) {
    p->best = highest;
    memcpy(p->best_worker, p->worker, sizeof p->worker);
    return;
  }
  const int job = p->order[i];
  for (int k = 0; k < p->m; k++) {
    const int64_t sum = p->load[k] + p->cost[job];
    if (sum >= p->best || is_tried(p, k)) continue;
    p->load[k] = sum;
    p->worker[job] = k;
    place(p, i + 1, sum > highest ? sum : highest);
    p->load[k] = sum - p->cost[job];
  }
}

/* Pushes the jobs of each worker that has any, in the order of their first jobs. */
static void push_groups(lua_State *L, const plan *p) {
  int group[MAX_COSTS] = {0}, size[MAX_COSTS] = {0}, n_groups = 0;
  lua_createtable(L, p->m, 0);
  const int groups = lua_gettop(L);
  for (int job = 0; job < p->n; job++) {
    const int k = p->best_worker[job];
    if (size[k]++ == 0) {
      group[k] = ++n_groups;
      lua_newtable(L);
      lua_pushvalue(L, -1);
      lua_rawseti(L, groups, group[k]);
    } else {
      lua_rawgeti(L, groups, group[k]);
    }
    lua_pushinteger(L, job + 1);
    lua_rawseti(L, -2, size[k]);
    lua_pop(L, 1);
  }
}

/* parl.makespan(costs, workers) */
static int kit_makespan(lua_State *L) {
  plan p = {.L = L};
  read_costs(L, &p);
  if (p.n > 0) {
    sort_jobs(&p);
    plan_greedily(&p);
    place(&p, 0, 0);
  }
  const bool is_exact = p.best == p.bound || p.n_nodes <= MAX_NODES;
  lua_pushinteger(L, is_exact ? p.best : p.bound);
  push_groups(L, &p);
  lua_pushboolean(L, is_exact);
  return 3;
}

/* --- images --- */

#define kit_image parl_env_make_image
#define kit_clip parl_env_make_clip
#define kit_transform parl_env_make_transform

/* --- scores of what was read off an image --- */

#define kit_box_f1 parl_env_visual_box_f1
#define kit_point_f1 parl_env_visual_point_f1
#define kit_polygon_iou parl_env_visual_polygon_iou
#define kit_text_score parl_env_visual_text_score
#define kit_count_score parl_env_visual_count_score

/* --- helpers that are scripts --- */

/* [spec, ..., what the chunk is given] -> [spec, ..., what it returns]: compiled for the file that
 * asks, with the globals of scripts. */
static void run_chunk(lua_State *L, const char *text, const char *name, int n_given,
                      int n_results) {
  if (parl_sandbox_compile(L, text, strlen(text), name) != LUA_OK) lua_error(L);
  lua_insert(L, -1 - n_given);
  lua_call(L, n_given, n_results);
}

/* [spec] -> [spec, check] */
static void begin_script(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  run_chunk(L, parl_env_kit_check, "parl.kit_check", 0, 1);
}

/* A helper of one chunk that takes `check`. */
static int run_script(lua_State *L, const char *text, const char *name) {
  begin_script(L);
  run_chunk(L, text, name, 1, 1);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* parl.worklist(spec) */
static int kit_worklist(lua_State *L) {
  return run_script(L, parl_env_worklist, "parl.worklist");
}

/* parl.viewing(spec) */
static int kit_viewing(lua_State *L) {
  return run_script(L, parl_env_viewing, "parl.viewing");
}

/* parl.project(spec) */
static int kit_project(lua_State *L) {
  begin_script(L);
  run_chunk(L, parl_env_project_plan, "parl.project_plan", 0, 2);
  run_chunk(L, parl_env_project, "parl.project", 3, 1);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

void parl_env_open_kit(lua_State *L) {
  parl_env_open_images(L);
  parl_env_open_transforms(L);
  static const luaL_Reg functions[] = {
#define X(name, type, doc) {#name, kit_##name},
      PARL_KIT_LIST(X)
#undef X
          {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
