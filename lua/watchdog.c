/* lua/watchdog.c - the monitor thread and the signal that stops a script. */
#define _GNU_SOURCE
#include "lua/watchdog.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What the calling thread runs now; only this thread and its signal handler touch it. */
static _Thread_local parl_watchdog *volatile running;
static _Thread_local struct {
  pid_t id;
  clockid_t clock; /* of its processor time */
} own_thread;

/* Between two looks where someone may ask to stop: two of them are less than 0.1 s. */
static const double STOP_TICK_S = 0.03;

/* So long an entry may last after that before it counts as stuck. */
static const double STUCK_S = 0.7;

static void arm(parl_watchdog *w) {
  lua_sethook(w->L, w->hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void on_signal(int number) {
  (void)number;
  const int saved = errno;
  for (parl_watchdog *w = running; w != NULL; w = w->outer)
    if (parl_watchdog_is_stopped(w)) arm(w);
  errno = saved;
}

static parl_status install_handler(void) {
  struct sigaction old, ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&ours.sa_mask);
  if (sigaction(SIGURG, NULL, &old) != 0 ||
      (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN && old.sa_handler != on_signal))
    return parl_fail(PARL_STATUS_ESTATE, "SIGURG, which stops scripts, has another handler");
  if (sigaction(SIGURG, &ours, NULL) != 0)
    return parl_fail(PARL_STATUS_ESTATE, "SIGURG: %s", strerror(errno));
  return PARL_STATUS_OK;
}

static void stop_entry(parl_watchdog *w, uint64_t entry, parl_stop reason) {
  atomic_store(&w->reason, (int)reason);
  atomic_store(&w->stopped, entry);
#ifdef __SANITIZE_THREAD__
  arm(w); /* the thread sanitizer holds signals back while a script runs */
#else
  tgkill(getpid(), atomic_load(&w->thread_id), SIGURG);
#endif
}

static struct timespec get_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t;
}

/* Processor time of the thread that runs an entry, seconds. */
static double get_used_s(const parl_watchdog *w) {
  struct timespec t = {0};
  clock_gettime(atomic_load_explicit(&w->clock, memory_order_relaxed), &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct timespec add_seconds(struct timespec t, double s) {
  const long whole = (long)s;
  t.tv_sec += whole;
  t.tv_nsec += (long)((s - (double)whole) * 1e9);
  if (t.tv_nsec >= 1000000000L) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000L;
  }
  return t;
}

static double seconds_since(struct timespec start) {
  const struct timespec now = get_now();
  return (double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec);
}

/* A barrier in every thread of the process: with it `enter` needs none of its own, which would be a
 * twentieth of a short callback's time. */
static bool fence_all_threads(int command) {
  return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* Under the mutex: sleeps until enter wakes us, unless something runs already. */
static void sleep_until_woken(parl_watchdog *w) {
  atomic_store(&w->asleep, true); /* before the counter is read; enter is the mirror */
  const bool fenced = !w->has_fence || fence_all_threads(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  if (!fenced || atomic_load(&w->entry) % 2 == 1) atomic_store(&w->asleep, false);
  while (atomic_load(&w->asleep) && !w->quit) pthread_cond_wait(&w->wake, &w->mutex);
  atomic_store(&w->asleep, false);
}

/* What *host->stop says; -1 if nobody ever asks. */
static int get_request(const parl_watchdog *w) {
  return w->host != NULL && w->host->stop != NULL ? *w->host->stop : -1;
}

/* Asks an entry, which has lasted for a tick at least, to stop; says once that it does not: `told`
 * is the entry that was asked last, since `asked`. */
static void insist(parl_watchdog *w, uint64_t entry, uint64_t *told, struct timespec *asked) {
  if (entry != *told) {
    *told = entry;
    *asked = get_now();
    stop_entry(w, entry, PARL_STOP_REQUEST);
  } else if (w->host->stuck != NULL && seconds_since(*asked) >= STUCK_S) {
    w->host->stuck(w->host->context, get_request(w));
    *asked = add_seconds(get_now(), 86400);
  }
}

static void *monitor_main(void *argument) {
  enum { IDLE_LOOKS = 8 };
  parl_watchdog *w = argument;
  double tick_s = w->limit_s / 8;
  if (tick_s > 0.1) tick_s = 0.1;
  if (tick_s > STOP_TICK_S && get_request(w) >= 0) tick_s = STOP_TICK_S;
  if (tick_s < 1e-3) tick_s = 1e-3;
  uint64_t seen = 0, told = 0; /* the entries that run, and that was asked to stop */
  struct timespec asked = get_now();
  double used_s = 0; /* when `seen` was first seen */
  int n_idle = 0;
  pthread_mutex_lock(&w->mutex);
  while (!w->quit) {
    const uint64_t entry = atomic_load(&w->entry);
    if (entry % 2 == 0) {
      if (++n_idle >= IDLE_LOOKS) {
        sleep_until_woken(w);
        n_idle = 0;
        continue;
      }
    } else if (entry != seen) {
      seen = entry;
      used_s = get_used_s(w);
      n_idle = 0;
    } else if (get_request(w) > 0) {
      insist(w, entry, &told, &asked);
    } else if (get_used_s(w) - used_s >= w->limit_s) {
      stop_entry(w, entry, PARL_STOP_TIME);
    }
    const struct timespec until = add_seconds(get_now(), tick_s);
    pthread_cond_timedwait(&w->wake, &w->mutex, &until);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

/* Once a thread, and again when it makes a watchdog (after a fork its id is another): its kernel
 * id and its clock, and SIGURG let through, which worker threads block. */
static void prepare_thread(void) {
  sigset_t urgent;
  sigemptyset(&urgent);
  sigaddset(&urgent, SIGURG);
  pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
  own_thread.id = gettid();
  pthread_getcpuclockid(pthread_self(), &own_thread.clock);
}

static int start_monitor(parl_watchdog *w) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old); /* the monitor takes no signals */
  const int rc = pthread_create(&w->monitor, NULL, monitor_main, w);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return rc;
}

parl_status parl_watchdog_init(parl_watchdog *w, lua_State *L, lua_Hook hook, double limit_s,
                               const parl_script_host *host) {
  PARL_REQUIRE(limit_s > 0 && limit_s <= 86400);
  memset(w, 0, sizeof *w);
  PARL_TRY(install_handler());
  prepare_thread();
  w->L = L;
  w->hook = hook;
  w->limit_s = limit_s;
  w->host = host;
#ifndef __SANITIZE_THREAD__ /* it knows nothing of such barriers */
  w->has_fence = fence_all_threads(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
#endif
  pthread_mutex_init(&w->mutex, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&w->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  if (start_monitor(w) != 0) {
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    return parl_fail(PARL_STATUS_ENOMEM, "no thread for the script watchdog");
  }
  w->started = true;
  return PARL_STATUS_OK;
}

void parl_watchdog_deinit(parl_watchdog *w) {
  if (!w->started) return;
  pthread_mutex_lock(&w->mutex);
  w->quit = true;
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->mutex);
  pthread_join(w->monitor, NULL);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->mutex);
  memset(w, 0, sizeof *w);
}

static void wake_monitor(parl_watchdog *w) {
  pthread_mutex_lock(&w->mutex);
  atomic_store(&w->asleep, false);
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->mutex);
}

void parl_watchdog_enter(parl_watchdog *w) {
  if (own_thread.id == 0) prepare_thread();
  w->outer = running;
  atomic_store_explicit(&w->thread_id, own_thread.id, memory_order_relaxed);
  atomic_store_explicit(&w->clock, own_thread.clock, memory_order_relaxed);
  running = w;
  const uint64_t entry = atomic_load_explicit(&w->entry, memory_order_relaxed);
  /* The store comes before the load of asleep, if need be by the monitor's barrier. */
  if (w->has_fence)
    atomic_store_explicit(&w->entry, entry + 1, memory_order_release);
  else
    atomic_exchange(&w->entry, entry + 1);
  atomic_signal_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&w->asleep, memory_order_relaxed)) wake_monitor(w);
}

void parl_watchdog_leave(parl_watchdog *w) {
  running = w->outer;
  const uint64_t entry = atomic_load_explicit(&w->entry, memory_order_relaxed);
  atomic_store_explicit(&w->entry, entry + 1, memory_order_release);
  if (atomic_load_explicit(&w->stopped, memory_order_acquire) == entry)
    lua_sethook(w->L, NULL, 0, 0);
}

bool parl_watchdog_is_stopped(const parl_watchdog *w) {
  const uint64_t entry = atomic_load_explicit(&w->entry, memory_order_relaxed);
  return entry % 2 == 1 && atomic_load_explicit(&w->stopped, memory_order_acquire) == entry;
}

parl_stop parl_watchdog_get_reason(const parl_watchdog *w) {
  return (parl_stop)atomic_load(&w->reason);
}

void parl_watchdog_stop_here(parl_watchdog *w, parl_stop reason) {
  atomic_store(&w->reason, (int)reason);
  atomic_store(&w->stopped, atomic_load(&w->entry));
  arm(w);
}

void parl_watchdog_interrupt(parl_watchdog *w) {
  const uint64_t entry = atomic_load(&w->entry);
  if (entry % 2 == 1) stop_entry(w, entry, PARL_STOP_REQUEST);
}
