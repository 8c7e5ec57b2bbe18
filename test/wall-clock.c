/*
 * Preloaded into a server under test: its clock on the wall is ahead of the real one by the nanoseconds in the file that
 * WALL_CLOCK_AHEAD names, which the test may change at any time. What measures durations goes on as before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile int64_t *ahead;

__attribute__((constructor)) static void open_file(void) {
  const char *path = getenv("WALL_CLOCK_AHEAD");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) _exit(97);
  void *mapped = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) _exit(98);
  ahead = mapped;
  close(fd);
}

static void shift(int64_t *seconds, int64_t *nanos) {
  int64_t total = *seconds * SECOND + *nanos + (ahead ? *ahead : 0);
  *seconds = total / SECOND;
  *nanos = total % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(clock, time);
  if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t seconds = time->tv_sec, nanos = time->tv_nsec;
    shift(&seconds, &nanos);
    time->tv_sec = seconds;
    time->tv_nsec = nanos;
  }
  return status;
}

int gettimeofday(struct timeval *time, void *zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
