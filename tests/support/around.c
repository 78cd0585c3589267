// What surrounds the operator: its clocks, its waits and its sockets. Preloaded by tests (around.rs); without a variable
// everything is as it is.
//
//   AROUND_AHEAD    a file of eight bytes: by so many seconds the wall clock is ahead
//   AROUND_FASTER   so many times faster time goes, for clocks and for waits
//   AROUND_SOCKETS  a file: a line for each address that is listened at or dialled by TCP, and each name looked up
//   AROUND_NAMES    an address that every name leads to; then nobody but this host is dialled

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead;
static int64_t faster = 1;
static struct timespec wall, monotonic;
static int sockets = -1;
static const char *names;

__attribute__((constructor)) static void prepare(void) {
  const char *file = getenv("AROUND_AHEAD");
  int opened = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (opened >= 0) {
    void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, opened, 0);
    if (mapped != MAP_FAILED) ahead = mapped;
    close(opened);
  }
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &wall);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &monotonic);
  const char *times = getenv("AROUND_FASTER");
  if (times && atoi(times) > 1) faster = atoi(times);
  file = getenv("AROUND_SOCKETS");
  if (file) sockets = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  names = getenv("AROUND_NAMES");
}

// The time as it would be if it had gone faster since `from`.
static void stretch(struct timespec *at, const struct timespec *from) {
  const int64_t second = 1000000000;
  int64_t since = (at->tv_sec - from->tv_sec) * second + (at->tv_nsec - from->tv_nsec);
  int64_t then = from->tv_nsec + since * faster;
  at->tv_sec = from->tv_sec + then / second;
  at->tv_nsec = then % second;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  if (syscall(SYS_clock_gettime, clock, at) != 0) return -1;
  if (faster > 1 && clock == CLOCK_REALTIME) stretch(at, &wall);
  if (faster > 1 && clock == CLOCK_MONOTONIC) stretch(at, &monotonic);
  if (ahead && clock == CLOCK_REALTIME) at->tv_sec += *ahead;
  return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
  if (milliseconds > 0) milliseconds = (int)((milliseconds + faster - 1) / faster);
  return (int)syscall(SYS_epoll_pwait, epoll, events, most, milliseconds, NULL, 8);
}

static int is_loopback(const struct sockaddr *address) {
  if (address->sa_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
  if (address->sa_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
  return 1;
}

static void note(const char *what, const char *whom) {
  char line[512];
  int length = snprintf(line, sizeof line, "%s %s\n", what, whom);
  if (sockets >= 0 && length > 0 && length < (int)sizeof line && write(sockets, line, length) < 0) abort();
}

static void note_address(int socket, const char *what, const struct sockaddr *address) {
  char host[INET6_ADDRSTRLEN] = "", both[INET6_ADDRSTRLEN + 16];
  int kind = 0, port = 0;
  socklen_t length = sizeof kind;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &kind, &length) != 0 || kind != SOCK_STREAM) return;
  if (address->sa_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
    port = ntohs(four->sin_port);
    snprintf(both, sizeof both, "%s:%d", host, port);
  } else if (address->sa_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
    port = ntohs(six->sin6_port);
    snprintf(both, sizeof both, "[%s]:%d", host, port);
  } else {
    return;
  }
  note(what, both);
}

int listen(int socket, int backlog) {
  struct sockaddr_storage own;
  socklen_t length = sizeof own;
  if (getsockname(socket, (struct sockaddr *)&own, &length) == 0)
    note_address(socket, "listens", (struct sockaddr *)&own);
  return (int)syscall(SYS_listen, socket, backlog);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
  note_address(socket, "dials", address);
  if (names && !is_loopback(address)) {
    errno = ECONNREFUSED;
    return -1;
  }
  return (int)syscall(SYS_connect, socket, address, length);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node) note("asks", node);
  return real(node && names ? names : node, service, hints, found);
}
