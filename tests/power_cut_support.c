/* tests/power_cut_support.c - the file layer: a VFS in front of SQLite's own. */
#include "tests/power_cut_support.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "tests/support.h"

enum { MAX_FILES = 16, MAX_PATH_BYTES = 512 };

typedef struct change { /* since the last sync */
  int64_t offset, n;    /* n < 0: the file was cut to `offset` bytes */
  char *bytes;
} change;

typedef struct node {
  char path[MAX_PATH_BYTES];
  bool on_disk;    /* its name is */
  bool is_removed; /* but the folder was not synced since */
  char *bytes;     /* [n] as of the last sync */
  int64_t n;
  change *changes; /* [n_changes] */
  size_t n_changes, capacity;
} node;

static struct {
  sqlite3_vfs vfs, *real;
  sqlite3_io_methods methods;
  pthread_mutex_t lock;
  node nodes[MAX_FILES];
  size_t n_nodes;
  power_cut_hook hook;
  void *context;
  int64_t n_calls;
} layer;

typedef struct file {
  sqlite3_file base;
  node *node;        /* NULL: a temporary without a name */
  bool syncs_folder; /* with its first sync, as SQLite's own layer does for a journal or WAL */
} file;

static sqlite3_file *real_of(sqlite3_file *f) {
  return (sqlite3_file *)(void *)((char *)f + sizeof(file));
}

static node *node_of(sqlite3_file *f) {
  return ((file *)(void *)f)->node;
}

static node *find_node(const char *path) {
  for (size_t i = 0; i < layer.n_nodes; i++)
    if (strcmp(layer.nodes[i].path, path) == 0) return &layer.nodes[i];
  assert_true(layer.n_nodes < MAX_FILES && strlen(path) < MAX_PATH_BYTES);
  node *fresh = &layer.nodes[layer.n_nodes++];
  snprintf(fresh->path, sizeof fresh->path, "%s", path);
  return fresh;
}

static void announce(void) {
  if (layer.hook != NULL) layer.hook(layer.context, layer.n_calls++);
}

static void forget_changes(node *x) {
  for (size_t i = 0; i < x->n_changes; i++) free(x->changes[i].bytes);
  x->n_changes = 0;
}

static void add_change(node *x, int64_t offset, const void *bytes, int64_t n) {
  if (x == NULL) return;
  if (x->n_changes == x->capacity) {
    x->capacity = 2 * x->capacity + 64;
    x->changes = realloc(x->changes, x->capacity * sizeof *x->changes);
    assert_non_null(x->changes);
  }
  change *c = &x->changes[x->n_changes++];
  *c = (change){.offset = offset, .n = n};
  if (n <= 0) return;
  c->bytes = malloc((size_t)n);
  assert_non_null(c->bytes);
  memcpy(c->bytes, bytes, (size_t)n);
}

static void apply(const change *c, char **bytes, int64_t *n) {
  const int64_t end = c->n < 0 ? c->offset : c->offset + c->n;
  if (end > *n) {
    *bytes = realloc(*bytes, (size_t)end + 1);
    assert_non_null(*bytes);
    memset(*bytes + *n, 0, (size_t)(end - *n));
  }
  if (c->n < 0 || end > *n) *n = end;
  if (c->n > 0) memcpy(*bytes + c->offset, c->bytes, (size_t)c->n);
}

/* --- files --- */

static int file_close(sqlite3_file *f) {
  return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 offset) {
  return real_of(f)->pMethods->xRead(real_of(f), to, n, offset);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 offset) {
  pthread_mutex_lock(&layer.lock);
  announce();
  const int code = real_of(f)->pMethods->xWrite(real_of(f), from, n, offset);
  if (code == SQLITE_OK) add_change(node_of(f), offset, from, n);
  pthread_mutex_unlock(&layer.lock);
  return code;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
  pthread_mutex_lock(&layer.lock);
  announce();
  const int code = real_of(f)->pMethods->xTruncate(real_of(f), size);
  if (code == SQLITE_OK) add_change(node_of(f), size, NULL, -1);
  pthread_mutex_unlock(&layer.lock);
  return code;
}

/* What was removed stays so, once the folder is on the disk. */
static void sync_folder(file *f) {
  if (!f->syncs_folder) return;
  f->syncs_folder = false;
  for (size_t i = 0; i < layer.n_nodes; i++) {
    node *x = &layer.nodes[i];
    if (x->is_removed) x->on_disk = x->is_removed = false;
  }
}

static int file_sync(sqlite3_file *f, int flags) {
  node *x = node_of(f);
  pthread_mutex_lock(&layer.lock);
  announce();
  const int code = real_of(f)->pMethods->xSync(real_of(f), flags);
  if (code == SQLITE_OK && x != NULL) {
    for (size_t i = 0; i < x->n_changes; i++) apply(&x->changes[i], &x->bytes, &x->n);
    forget_changes(x);
    x->on_disk = true;
    sync_folder((file *)(void *)f);
  }
  pthread_mutex_unlock(&layer.lock);
  return code;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out) {
  return real_of(f)->pMethods->xFileSize(real_of(f), out);
}
static int file_lock(sqlite3_file *f, int level) {
  return real_of(f)->pMethods->xLock(real_of(f), level);
}
static int file_unlock(sqlite3_file *f, int level) {
  return real_of(f)->pMethods->xUnlock(real_of(f), level);
}
static int file_is_reserved(sqlite3_file *f, int *out) {
  return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int file_control(sqlite3_file *f, int operation, void *argument) {
  return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}
static int file_sector(sqlite3_file *f) {
  return real_of(f)->pMethods->xSectorSize(real_of(f));
}
/* None of the promises of a kind disk. */
static int file_device(sqlite3_file *f) {
  (void)f;
  return 0;
}
static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f) {
  real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int file_shm_unmap(sqlite3_file *f, int remove) {
  return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

/* --- the layer --- */

/* A new file under the name of a removed one. Its removal counts as synced: what would come back is
 * a journal whose every page is in the database. */
static void start_anew(node *x) {
  forget_changes(x);
  x->on_disk = x->is_removed = false;
  x->n = 0;
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out) {
  (void)vfs;
  const int code = layer.real->xOpen(layer.real, path, real_of(f), flags, out);
  if (code != SQLITE_OK) return code;
  f->pMethods = &layer.methods;
  pthread_mutex_lock(&layer.lock);
  file *x = (file *)(void *)f;
  x->node = path != NULL ? find_node(path) : NULL;
  x->syncs_folder = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  if (x->node != NULL && x->node->is_removed && x->syncs_folder) start_anew(x->node);
  pthread_mutex_unlock(&layer.lock);
  return code;
}

/* A removal that is not synced may come undone; what was not on the disk is gone for good. */
static int delete_file(sqlite3_vfs *vfs, const char *path, int is_synced) {
  (void)vfs;
  pthread_mutex_lock(&layer.lock);
  announce();
  const int code = layer.real->xDelete(layer.real, path, is_synced);
  if (code == SQLITE_OK) {
    node *x = find_node(path);
    forget_changes(x);
    x->is_removed = true;
    if (is_synced) x->on_disk = x->is_removed = false;
  }
  pthread_mutex_unlock(&layer.lock);
  return code;
}

void power_cut_start(power_cut_hook hook, void *context) {
  memset(&layer, 0, sizeof layer);
  pthread_mutex_init(&layer.lock, NULL);
  layer.hook = hook;
  layer.context = context;
  layer.real = sqlite3_vfs_find(NULL);
  assert_non_null(layer.real);
  layer.vfs = *layer.real; /* all but the two below take no file, or only its name */
  layer.vfs.zName = "power-cut";
  layer.vfs.szOsFile = (int)sizeof(file) + layer.real->szOsFile;
  layer.vfs.pNext = NULL;
  layer.vfs.xOpen = open_file;
  layer.vfs.xDelete = delete_file;
  layer.methods = (sqlite3_io_methods){.iVersion = 2,
                                       .xClose = file_close,
                                       .xRead = file_read,
                                       .xWrite = file_write,
                                       .xTruncate = file_truncate,
                                       .xSync = file_sync,
                                       .xFileSize = file_size,
                                       .xLock = file_lock,
                                       .xUnlock = file_unlock,
                                       .xCheckReservedLock = file_is_reserved,
                                       .xFileControl = file_control,
                                       .xSectorSize = file_sector,
                                       .xDeviceCharacteristics = file_device,
                                       .xShmMap = file_shm_map,
                                       .xShmLock = file_shm_lock,
                                       .xShmBarrier = file_shm_barrier,
                                       .xShmUnmap = file_shm_unmap};
  assert_int_equal(sqlite3_vfs_register(&layer.vfs, 1), SQLITE_OK);
}

void power_cut_leave(const char *to, power_cut_loss loss, uint64_t seed) {
  uint64_t n_drawn = 0;
  for (size_t i = 0; i < layer.n_nodes; i++) {
    const node *x = &layer.nodes[i];
    if (!x->on_disk && loss == POWER_CUT_ALL) continue;
    int64_t n = x->on_disk ? x->n : 0;
    char *bytes = malloc((size_t)n + 1);
    assert_non_null(bytes);
    if (n > 0) memcpy(bytes, x->bytes, (size_t)n);
    for (size_t k = 0; loss == POWER_CUT_SOME && k < x->n_changes; k++)
      if (parl_rng(seed, i, n_drawn++) % 2 == 0) apply(&x->changes[k], &bytes, &n);
    char path[2 * MAX_PATH_BYTES];
    assert_ok(parl_file_join(path, sizeof path, to, strrchr(x->path, '/') + 1));
    if (x->on_disk || n > 0) assert_ok(parl_file_write(path, bytes, (size_t)n));
    free(bytes);
  }
}

void power_cut_stop(void) {
  assert_int_equal(sqlite3_vfs_unregister(&layer.vfs), SQLITE_OK);
  assert_int_equal(sqlite3_vfs_register(layer.real, 1), SQLITE_OK);
  for (size_t i = 0; i < layer.n_nodes; i++) {
    forget_changes(&layer.nodes[i]);
    free(layer.nodes[i].changes);
    free(layer.nodes[i].bytes);
  }
  layer.n_nodes = 0;
  pthread_mutex_destroy(&layer.lock);
}
