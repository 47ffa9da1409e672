/* core/store.c - the connection: opening, journal, transactions. */
#include "core/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/store_internal.h"
#include "core/text.h"

enum { BUSY_MS = 10000, RETRY_MS = 10 };

static parl_status map_code(int code) {
  switch (code & 0xFF) {
    case SQLITE_NOMEM:
      return PARL_STATUS_ENOMEM;
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return PARL_STATUS_EIO;
    case SQLITE_IOERR:
      return code == SQLITE_IOERR_NOMEM ? PARL_STATUS_ENOMEM : PARL_STATUS_EIO;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return PARL_STATUS_EFORMAT;
    default:
      return PARL_STATUS_ESTORE;
  }
}

/* A database needs files beside it. */
static bool is_folder_closed(const char *path) {
  parl_text folder = {0};
  const char *slash = strrchr(path, '/');
  if (slash == NULL)
    parl_text_append(&folder, ".");
  else
    parl_text_append_bytes(&folder, path, (size_t)(slash - path) + 1);
  const bool closed =
      !folder.failed && access(parl_text_get(&folder), W_OK) != 0 && errno == EACCES;
  parl_text_deinit(&folder);
  return closed;
}

/* What SQLite's text does not say of a file that it could not open or write: "" or ": why". */
static const char *find_reason(const parl_store *store, int base) {
  if (base != SQLITE_CANTOPEN && base != SQLITE_READONLY && base != SQLITE_PERM) return "";
  const int kept = store->db != NULL ? sqlite3_system_errno(store->db) : 0;
  if (kept == EROFS) return " (read-only file system)";
  if (kept == EACCES || kept == EPERM) return " (permission denied)";
  if (access(store->path, W_OK) != 0 && errno == EACCES) return " (permission denied)";
  return is_folder_closed(store->path) ? " (permission denied for its folder)" : "";
}

parl_status parl_store_fail(const parl_store *store, int code, const char *verb) {
  const int extended = store->db == NULL ? code : sqlite3_extended_errcode(store->db);
  const bool same = (extended & 0xFF) == (code & 0xFF); /* else the text is of another call */
  const int base = code & 0xFF;
  const char *hint = find_reason(store, base);
  if (base == SQLITE_BUSY || base == SQLITE_LOCKED) hint = " for more than 10 s by another process";
  if (base == SQLITE_FULL) hint = " (no space left on the disk?)";
  return parl_fail(map_code(same ? extended : code), "%s: cannot %s: %s%s", store->path, verb,
                   same && store->db != NULL ? sqlite3_errmsg(store->db) : sqlite3_errstr(code),
                   hint);
}

parl_status parl_store_run_sql(parl_store *store, const char *sql, const char *verb) {
  const int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, verb);
}

parl_status parl_store_read_integer(parl_store *store, const char *sql, int64_t *out) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
  if (code != SQLITE_OK) return parl_store_fail(store, code, "read");
  code = sqlite3_step(statement);
  const int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  const parl_status s = code == SQLITE_ROW ? PARL_STATUS_OK : parl_store_fail(store, code, "read");
  sqlite3_finalize(statement);
  if (s == PARL_STATUS_OK) *out = value;
  return s;
}

bool parl_store_is_network(long f_type) {
  static const unsigned long known[] = {
      0x6969ul,     /* NFS */
      0x0BD00BD0ul, /* Lustre */
      0x47504653ul, /* GPFS */
      0x517Bul,     /* SMB */
      0xFF534D42ul, /* CIFS */
      0xFE534D42ul, /* SMB2 */
      0x00C36400ul, /* Ceph */
      0x5346414Ful, /* AFS */
      0x19830326ul, /* BeeGFS */
      0x01021997ul, /* 9P */
      0xAAD7AAEAul, /* PanFS */
      0x7461636Ful, /* OCFS2 */
      0x01161970ul, /* GFS2 */
      0x65735546ul, /* FUSE: sshfs, GlusterFS and many more */
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i] == ((unsigned long)f_type & 0xFFFFFFFFul)) return true;
  return false;
}

/* Where nothing can be learnt, the journal that works everywhere. */
static bool is_on_network(const char *path) {
  struct statfs fs;
  return statfs(path, &fs) != 0 || parl_store_is_network((long)fs.f_type);
}

/* Two processes that change the journal at once answer each other "busy" without waiting. */
static parl_status set_journal(parl_store *store, bool is_network) {
  const char *sql = is_network ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL";
  int code = SQLITE_BUSY;
  for (int waited = 0; code == SQLITE_BUSY && waited <= BUSY_MS; waited += RETRY_MS) {
    if (waited > 0) sqlite3_sleep(RETRY_MS);
    code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
  }
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, "set the journal");
}

static parl_status set_up(parl_store *store, bool is_network) {
  int64_t version = 0;
  PARL_TRY(parl_store_read_version(store, &version));
  PARL_TRY(set_journal(store, is_network));
  if (version < parl_store_get_schema()) PARL_TRY(parl_store_add_missing(store));
  return parl_store_run_sql(store,
                            is_network ? "PRAGMA synchronous=EXTRA; PRAGMA foreign_keys=ON"
                                       : "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
                            "open");
}

/* A connection to `name`, which is `path` or a URI of it; nothing has been read yet. */
static parl_status connect_to(const char *name, const char *path, int flags, parl_store **out) {
  parl_store *store = calloc(1, sizeof *store);
  const size_t n = strlen(path) + 1;
  char *copy = malloc(n);
  if (store == NULL || copy == NULL) {
    free(store);
    free(copy);
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for a connection", path);
  }
  memcpy(copy, path, n);
  store->path = copy;
  const int code = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
  if (code != SQLITE_OK) {
    const parl_status s = parl_store_fail(store, code, "open");
    parl_store_close(store);
    return s;
  }
  sqlite3_extended_result_codes(store->db, 1);
  sqlite3_busy_timeout(store->db, BUSY_MS);
  *out = store;
  return PARL_STATUS_OK;
}

static parl_status open_writable(const char *path, const bool *is_network, parl_store **out) {
  PARL_REQUIRE(path != NULL && path[0] != '\0');
  parl_store *store = NULL;
  PARL_TRY(connect_to(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &store));
  const parl_status s = set_up(store, is_network ? *is_network : is_on_network(path));
  if (s != PARL_STATUS_OK) {
    parl_store_close(store);
    return s;
  }
  *out = store;
  return PARL_STATUS_OK;
}

parl_status parl_store_open(const char *path, parl_store **out) {
  return open_writable(path, NULL, out);
}

parl_status parl_store_open_journal(const char *path, bool is_network, parl_store **out) {
  return open_writable(path, &is_network, out);
}

static parl_status open_and_check(const char *name, const char *path, int flags, parl_store **out) {
  parl_store *store = NULL;
  PARL_TRY(connect_to(name, path, SQLITE_OPEN_READONLY | flags, &store));
  store->is_readonly = true;
  int64_t version = 0;
  parl_status s = parl_store_read_version(store, &version);
  if (s == PARL_STATUS_OK && version == 0)
    s = parl_fail(PARL_STATUS_EFORMAT, "%s: is empty, no run database", path);
  if (s == PARL_STATUS_OK && version < parl_store_get_schema())
    s = parl_store_shadow_missing(store, version);
  if (s != PARL_STATUS_OK) {
    parl_store_close(store);
    return s;
  }
  *out = store;
  return PARL_STATUS_OK;
}

/* Reading a WAL database needs a -shm file beside it. In a folder that nobody here can write there
 * is none; if no -wal waits either, the file is whole and still, and may be read as such. */
static parl_status open_still(const char *path, parl_store **out) {
  parl_text uri = {0};
  parl_text_append(&uri, "file:");
  for (const char *c = path; *c != '\0'; c++)
    parl_text_appendf(&uri, strchr("%?#", *c) ? "%%%02X" : "%c", (unsigned)(unsigned char)*c);
  parl_text_append(&uri, "?immutable=1");
  parl_status s = parl_text_status(&uri);
  if (s == PARL_STATUS_OK) s = open_and_check(uri.bytes, path, SQLITE_OPEN_URI, out);
  parl_text_deinit(&uri);
  return s;
}

static bool has_wal(const char *path) {
  parl_text wal = {0};
  struct stat st;
  parl_text_appendf(&wal, "%s-wal", path);
  const bool has = wal.failed || stat(parl_text_get(&wal), &st) == 0;
  parl_text_deinit(&wal);
  return has;
}

parl_status parl_store_open_readonly(const char *path, parl_store **out) {
  PARL_REQUIRE(path != NULL && path[0] != '\0');
  struct stat st;
  if (stat(path, &st) != 0)
    return parl_fail(PARL_STATUS_EIO, "%s: cannot open: %s", path, strerror(errno));
  const parl_status s = open_and_check(path, path, 0, out);
  if (s != PARL_STATUS_EIO || has_wal(path)) return s;
  return open_still(path, out);
}

void parl_store_close(parl_store *store) {
  if (store == NULL) return;
  for (size_t i = 0; i < PARL_STORE_N_STATEMENTS; i++) sqlite3_finalize(store->kept[i]);
  for (size_t i = 0; i < PARL_STORE_MAX_TABLES; i++) {
    sqlite3_finalize(store->kept_rows[i][0]);
    sqlite3_finalize(store->kept_rows[i][1]);
    parl_text_deinit(&store->digest_columns[i]);
  }
  parl_text_deinit(&store->missing);
  const int code = sqlite3_close(store->db);
  PARL_CHECK(code == SQLITE_OK);
  free(store->path);
  free(store);
}

parl_status parl_store_begin(parl_store *store) {
  if (store->is_readonly)
    return parl_fail(PARL_STATUS_ESTATE, "%s: was opened for reading", store->path);
  if (!sqlite3_get_autocommit(store->db))
    return parl_fail(PARL_STATUS_ESTATE, "%s: a transaction is open already", store->path);
  sqlite3_stmt **rollback = &store->kept[PARL_STORE_ROLLBACK];
  if (*rollback == NULL) { /* so that undoing needs no memory that may be gone by then */
    const int code =
        sqlite3_prepare_v3(store->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, rollback, NULL);
    if (code != SQLITE_OK) return parl_store_fail(store, code, "begin");
  }
  PARL_TRY(parl_store_run_sql(store, "BEGIN IMMEDIATE", "begin"));
  const parl_status s = parl_store_check_fence(store);
  if (s != PARL_STATUS_OK) parl_store_rollback(store);
  return s;
}

parl_status parl_store_commit(parl_store *store) {
  if (sqlite3_get_autocommit(store->db))
    return parl_fail(PARL_STATUS_ESTATE, "%s: no transaction is open", store->path);
  parl_status s = parl_store_finish_count(store);
  if (s == PARL_STATUS_OK) s = parl_store_run_sql(store, "COMMIT", "commit");
  if (s != PARL_STATUS_OK) parl_store_rollback(store);
  return s;
}

void parl_store_rollback(parl_store *store) {
  store->is_counting = false;
  if (sqlite3_get_autocommit(store->db)) return;
  (void)sqlite3_step(store->kept[PARL_STORE_ROLLBACK]); /* what it cannot undo, closing does */
  (void)sqlite3_reset(store->kept[PARL_STORE_ROLLBACK]);
}

parl_status parl_store_end(parl_store *store, parl_status s) {
  if (s == PARL_STATUS_OK) s = parl_store_commit(store);
  if (s != PARL_STATUS_OK) parl_store_rollback(store);
  return s;
}

/* Of a rollback journal every commit is on the disk: synchronous=EXTRA. */
parl_status parl_store_sync(parl_store *store) {
  sqlite3_file *wal = NULL;
  int code = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (code == SQLITE_OK && wal != NULL && wal->pMethods != NULL)
    code = wal->pMethods->xSync(wal, SQLITE_SYNC_FULL);
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, "sync");
}

parl_status parl_store_hold(parl_store *store) {
  PARL_REQUIRE(store->is_readonly);
  return parl_store_run_sql(store, "BEGIN", "read");
}

const char *parl_store_sqlite_version(void) {
  return sqlite3_libversion();
}
