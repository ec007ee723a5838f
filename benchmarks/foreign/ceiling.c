/* A pipeline in C on the same libzmq: what is left when there is no Python.

   ceiling LIBRARY ventilator ADDRESS COUNT | worker TASKS RESULTS | sink ADDRESS COUNT

   As the plain scripts do, it says "ready", waits for a line, and tells its figures on one line. The library is
   opened by its path, so that no header need be installed and the version is the one that pyzmq brings. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PULL = 7, PUSH = 8 };

static void *(*new_context)(void);
static void *(*new_socket)(void *, int);
static int (*bind_to)(void *, const char *);
static int (*connect_to)(void *, const char *);
static int (*send_bytes)(void *, const void *, size_t, int);
static int (*receive_bytes)(void *, void *, size_t, int);

static void fail(const char *what) {
    fprintf(stderr, "cannot %s\n", what);
    exit(1);
}

static void *found(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) fail(name);
    return symbol;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double wait_for_go(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
    return now_s();
}

int main(int count, char **words) {
    char task[64];
    if (count != 5) fail("run without library, role and two more words");
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) fail(dlerror());
    *(void **)&new_context = found(library, "zmq_ctx_new");
    *(void **)&new_socket = found(library, "zmq_socket");
    *(void **)&bind_to = found(library, "zmq_bind");
    *(void **)&connect_to = found(library, "zmq_connect");
    *(void **)&send_bytes = found(library, "zmq_send");
    *(void **)&receive_bytes = found(library, "zmq_recv");

    void *context = new_context();
    long messages = atol(words[4]);
    if (!strcmp(words[2], "ventilator")) {
        void *tasks = new_socket(context, PUSH);
        if (bind_to(tasks, words[3])) fail("bind");
        double began_s = wait_for_go();
        for (long sent = 0; sent < messages; sent++) send_bytes(tasks, "12345678", 8, 0);
        printf("{\"began_s\": %.6f}\n", began_s);
    } else if (!strcmp(words[2], "sink")) {
        void *results = new_socket(context, PULL);
        if (bind_to(results, words[3])) fail("bind");
        wait_for_go();
        for (long received = 0; received < messages; received++) receive_bytes(results, task, sizeof task, 0);
        printf("{\"ended_s\": %.6f}\n", now_s());
    } else {
        void *tasks = new_socket(context, PULL), *results = new_socket(context, PUSH);
        if (connect_to(tasks, words[3]) || connect_to(results, words[4])) fail("connect");
        wait_for_go();
        for (;;) send_bytes(results, task, receive_bytes(tasks, task, sizeof task, 0), 0);
    }
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}
