/*
 * A cellular link, or a cable, in user space: two TUN devices in two network namespaces, and between them delay, loss, a rate and a queue.
 * For kernels without netem.
 *
 *     tun-shim NAMESPACE-A DEVICE-A NAMESPACE-B DEVICE-B
 *
 * Standard input, one change a line: "shape DELAY_MS LOSS_PERCENT KBIT_PER_S" (rate 0: none), "dead 0|1" (everything is lost and nobody is
 * told), "carrier 0|1". Each is answered with "ok". It ends when standard input does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES 2048
#define MOST_PACKETS 1000

typedef struct { uint64_t due; int size; unsigned char bytes[MOST_BYTES]; } packet;
typedef struct { packet packets[MOST_PACKETS]; int first, count; uint64_t free_at; } queue;

static queue queues[2];
static int devices[2];
static uint64_t delay_us;
static double loss;
static uint64_t bits_per_s;
static int dead;

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what) {
  fprintf(stderr, "tun-shim: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_device(const char *ns, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", ns);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) fail(path);
  close(fd);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) fail("/dev/net/tun");
  struct ifreq request = {0};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(device, TUNSETIFF, &request) < 0) fail(name);
  return device;
}

static void take_in(int from) {
  queue *q = &queues[from];
  unsigned char bytes[MOST_BYTES];
  for (;;) {
    ssize_t size = read(devices[from], bytes, sizeof bytes);
    if (size <= 0) return;
    if (dead || q->count == MOST_PACKETS || drand48() * 100 < loss) continue;
    uint64_t now = now_us();
    uint64_t start = q->free_at > now ? q->free_at : now;
    uint64_t takes = bits_per_s == 0 ? 0 : (uint64_t)size * 8 * 1000000 / bits_per_s;
    q->free_at = start + takes;
    packet *p = &q->packets[(q->first + q->count) % MOST_PACKETS];
    p->due = q->free_at + delay_us;
    p->size = (int)size;
    memcpy(p->bytes, bytes, size);
    q->count += 1;
  }
}

/* Returns microseconds until the next one is due, or -1. */
static int64_t let_out(int from) {
  queue *q = &queues[from];
  while (q->count > 0) {
    packet *p = &q->packets[q->first];
    uint64_t now = now_us();
    if (p->due > now) return (int64_t)(p->due - now);
    if (!dead && write(devices[1 - from], p->bytes, p->size) < 0 && errno == EAGAIN) return 1000;
    q->first = (q->first + 1) % MOST_PACKETS;
    q->count -= 1;
  }
  return -1;
}

static void obey(char *line) {
  double delay_ms, percent, kbit;
  int value;
  if (sscanf(line, "shape %lf %lf %lf", &delay_ms, &percent, &kbit) == 3) {
    delay_us = (uint64_t)(delay_ms * 1000);
    loss = percent;
    bits_per_s = (uint64_t)(kbit * 1000);
  } else if (sscanf(line, "dead %d", &value) == 1) {
    dead = value;
  } else if (sscanf(line, "carrier %d", &value) == 1) {
    for (int i = 0; i < 2; i++) if (ioctl(devices[i], TUNSETCARRIER, &value) < 0) fail("TUNSETCARRIER");
  } else {
    printf("unknown: %s\n", line);
    fflush(stdout);
    return;
  }
  printf("ok\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: tun-shim NAMESPACE-A DEVICE-A NAMESPACE-B DEVICE-B\n");
    return 2;
  }
  srand48(1);
  for (int i = 0; i < 2; i++) devices[i] = open_device(argv[1 + 2 * i], argv[2 + 2 * i]);
  printf("ready\n");
  fflush(stdout);
  char text[512];
  size_t length = 0;
  for (;;) {
    struct pollfd waiting[3] = {{devices[0], POLLIN, 0}, {devices[1], POLLIN, 0}, {0, POLLIN, 0}};
    int64_t soonest = -1;
    for (int i = 0; i < 2; i++) {
      int64_t wait = let_out(i);
      if (wait >= 0 && (soonest < 0 || wait < soonest)) soonest = wait;
    }
    struct timespec timeout = {soonest / 1000000, (soonest % 1000000) * 1000};
    if (ppoll(waiting, 3, soonest < 0 ? NULL : &timeout, NULL) < 0 && errno != EINTR) fail("ppoll");
    for (int i = 0; i < 2; i++) if (waiting[i].revents & POLLIN) take_in(i);
    if (waiting[2].revents & (POLLIN | POLLHUP)) {
      ssize_t size = read(0, text + length, sizeof text - 1 - length);
      if (size <= 0) return 0;
      length += (size_t)size;
      text[length] = 0;
      char *start = text;
      for (char *end; (end = strchr(start, '\n')) != NULL; start = end + 1) {
        *end = 0;
        obey(start);
      }
      length = strlen(start);
      memmove(text, start, length + 1);
    }
  }
}
