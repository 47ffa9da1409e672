/* experiments/serve.c - listening, refusing, routing, and the stream that says when the store
 * changed. */
#include "experiments/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "core/file.h"
#include "core/json.h"
#include "experiments/report_internal.h"
#include "experiments/serve_internal.h"

enum { MAX_CONNECTIONS = 48, MAX_STREAMS = 16, TIMEOUT_S = 30, MEMORY = 32768 };
enum { PATH_BYTES = 4096, HEARTBEAT = 40 /* of TICK_NS */ };
static const long TICK_NS = 250000000;

struct parl_server {
  char folder[PATH_BYTES], path[PATH_BYTES], wal[PATH_BYTES];
  struct MHD_Daemon *daemon;
  int port;
  atomic_int n_streams;
  atomic_bool is_over;
};

/* --- answers --- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned code, const char *type,
                             const void *bytes, size_t n) {
  static const char *const heads[][2] = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
       "data:; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cache-Control", "no-store"},
  };
  struct MHD_Response *r =
      MHD_create_response_from_buffer(n, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
  if (r == NULL) return MHD_NO;
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
    MHD_add_response_header(r, heads[i][0], heads[i][1]);
  MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (code == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(r, "Allow", "GET, HEAD");
  const enum MHD_Result result = MHD_queue_response(c, code, r);
  MHD_destroy_response(r);
  return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned code, const char *why) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "error");
  parl_json_string(&w, why);
  parl_json_end_object(&w);
  const enum MHD_Result result = reply(c, code, "application/json", parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  return result;
}

/* A number of the address; -1 where it is absent, -2 where it is none. */
static int64_t get_number(struct MHD_Connection *c, const char *name) {
  const char *text = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
  char *end = NULL;
  if (text == NULL) return -1;
  errno = 0;
  const long long x = strtoll(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && x >= 0 ? x : -2;
}

static enum MHD_Result answer(parl_server *server, struct MHD_Connection *c, const char *type,
                              parl_status (*make)(const parl_serve_question *q, parl_text *out)) {
  parl_text text = {0};
  parl_serve_question q = {.folder = server->folder,
                           .run = get_number(c, "run"),
                           .row = get_number(c, "row"),
                           .key = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "key")};
  if (q.run < -1 || q.row < -1)
    return refuse(c, MHD_HTTP_BAD_REQUEST, "run and row are whole numbers, 0 or more");
  parl_status s = parl_rows_open_readonly(server->path, &q.store);
  if (s == PARL_STATUS_OK) s = parl_store_hold(q.store);
  if (s == PARL_STATUS_OK) s = make(&q, &text);
  parl_store_close(q.store);
  if (s == PARL_STATUS_OK) s = parl_text_status(&text);
  const enum MHD_Result result =
      s == PARL_STATUS_OK       ? reply(c, MHD_HTTP_OK, type, parl_text_get(&text), text.n)
      : s == PARL_STATUS_EINVAL ? refuse(c, MHD_HTTP_NOT_FOUND, parl_error_text())
                                : refuse(c, MHD_HTTP_INTERNAL_SERVER_ERROR, parl_error_text());
  parl_text_deinit(&text);
  return result;
}

/* --- the stream --- */

typedef struct stream {
  parl_server *server;
  uint64_t seen; /* mark of the store that was told last */
  int idle;      /* ticks since anything was sent */
} stream;

static uint64_t mix(uint64_t h, const struct stat *s) {
  const uint64_t parts[] = {(uint64_t)s->st_size, (uint64_t)s->st_mtim.tv_sec,
                            (uint64_t)s->st_mtim.tv_nsec, (uint64_t)s->st_ino};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    h = (h ^ parts[i]) * UINT64_C(0x9E3779B97F4A7C15);
  return h;
}

/* Changes whenever the store or its journal does. */
static uint64_t get_mark(const parl_server *server) {
  struct stat s;
  uint64_t h = 1;
  if (stat(server->path, &s) == 0) h = mix(h, &s);
  if (stat(server->wal, &s) == 0) h = mix(h, &s);
  return h;
}

/* Waits for a change and says it; a word now and then, so that who went away is noticed. */
static ssize_t read_stream(void *context, uint64_t at, char *out, size_t most) {
  stream *st = context;
  const struct timespec tick = {.tv_nsec = TICK_NS};
  (void)at;
  for (;;) {
    if (st->server->is_over) return MHD_CONTENT_READER_END_OF_STREAM;
    const uint64_t mark = get_mark(st->server);
    if (mark != st->seen || ++st->idle >= HEARTBEAT) {
      const bool is_new = mark != st->seen;
      st->seen = mark;
      st->idle = 0;
      const int n = snprintf(out, most, is_new ? "data: %016llx\n\n" : ": %016llx\n\n",
                             (unsigned long long)mark);
      return n > 0 && (size_t)n < most ? n : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    nanosleep(&tick, NULL);
  }
}

static void free_stream(void *context) {
  stream *st = context;
  st->server->n_streams--;
  free(st);
}

static enum MHD_Result answer_stream(parl_server *server, struct MHD_Connection *c) {
  if (++server->n_streams > MAX_STREAMS) {
    server->n_streams--;
    return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many pages are open");
  }
  stream *st = calloc(1, sizeof *st);
  if (st == NULL) {
    server->n_streams--;
    return MHD_NO;
  }
  st->server = server;
  struct MHD_Response *r =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, read_stream, st, free_stream);
  if (r == NULL) {
    free_stream(st);
    return MHD_NO;
  }
  MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
  MHD_add_response_header(r, "Cache-Control", "no-store");
  MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
  const enum MHD_Result result = MHD_queue_response(c, MHD_HTTP_OK, r);
  MHD_destroy_response(r);
  return result;
}

/* --- questions --- */

/* 127.0.0.1, localhost or [::1], with any port: a tunnel may have another. */
static bool is_host_ours(const char *host) {
  static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
  for (size_t i = 0; host != NULL && i < sizeof names / sizeof names[0]; i++) {
    const size_t n = strlen(names[i]);
    if (strncmp(host, names[i], n) != 0) continue;
    if (host[n] == '\0') return true;
    if (host[n] == ':' && host[n + 1] != '\0')
      return host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0';
  }
  return false;
}

static const struct {
  const char *url, *type;
  const char *text; /* or: */
  parl_status (*make)(const parl_serve_question *q, parl_text *out);
} routes[] = {
    {"/", "text/html; charset=utf-8", parl_serve_html, NULL},
    {"/serve.js", "text/javascript; charset=utf-8", parl_serve_js, NULL},
    {"/serve.css", "text/css; charset=utf-8", parl_serve_css, NULL},
    {"/report.css", "text/css; charset=utf-8", parl_report_style, NULL},
    {"/api/runs", "application/json", NULL, parl_serve_runs},
    {"/api/keys", "application/json", NULL, parl_serve_keys},
    {"/api/curve", "application/json", NULL, parl_serve_curve},
    {"/api/arms", "application/json", NULL, parl_serve_arms},
    {"/api/episodes", "application/json", NULL, parl_serve_episodes},
    {"/api/episode", "image/svg+xml; charset=utf-8", NULL, parl_serve_episode},
};

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_bytes, void **state) {
  parl_server *server = context;
  (void)version;
  (void)body;
  (void)state;
  if (!is_host_ours(MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
    return refuse(c, MHD_HTTP_FORBIDDEN, "ask for 127.0.0.1 or localhost");
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
    *body_bytes = 0;
    return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "this page only reads");
  }
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
    if (strcmp(url, routes[i].url) != 0) continue;
    if (routes[i].text != NULL)
      return reply(c, MHD_HTTP_OK, routes[i].type, routes[i].text, strlen(routes[i].text));
    return answer(server, c, routes[i].type, routes[i].make);
  }
  if (strcmp(url, "/events") == 0) return answer_stream(server, c);
  return refuse(c, MHD_HTTP_NOT_FOUND, "there is no such page");
}

/* --- beginning and end --- */

static parl_status listen_on(parl_server *server, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  errno = 0;
  server->daemon = MHD_start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, (uint16_t)port, NULL, NULL,
      on_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
  if (server->daemon == NULL)
    return parl_fail(PARL_STATUS_EIO, "port %d of 127.0.0.1: %s", port,
                     errno != 0 ? strerror(errno) : "cannot be listened on");
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
  server->port = info != NULL ? info->port : port;
  return PARL_STATUS_OK;
}

static parl_status start(parl_server *server, const char *folder, int port) {
  parl_store *store = NULL;
  snprintf(server->folder, sizeof server->folder, "%s", folder);
  PARL_TRY(parl_file_join(server->path, sizeof server->path, folder, "store.db"));
  PARL_TRY(parl_file_join(server->wal, sizeof server->wal, folder, "store.db-wal"));
  PARL_TRY(parl_rows_open_readonly(server->path, &store));
  parl_store_close(store);
  return listen_on(server, port);
}

parl_status parl_server_start(const char *folder, int port, parl_server **out) {
  parl_server *server = calloc(1, sizeof *server);
  if (server == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a server");
  const parl_status s = start(server, folder, port);
  if (s == PARL_STATUS_OK)
    *out = server;
  else
    parl_server_stop(server);
  return s;
}

int parl_server_get_port(const parl_server *server) {
  return server->port;
}

const char *parl_server_library_version(void) {
  return MHD_get_version();
}

void parl_server_stop(parl_server *server) {
  if (server == NULL) return;
  server->is_over = true;
  if (server->daemon != NULL) MHD_stop_daemon(server->daemon);
  free(server);
}
