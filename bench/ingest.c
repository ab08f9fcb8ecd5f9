/* ingest.c - from ring to file: `step` rows of a busy runtime through drain, assemble and store, against a bare loop that
 * puts the same rows into the same table in the best way SQLite has (several rows a statement, or from a virtual
 * table).  Producer on core 0, all of the recorder on core 1.
 *
 * usage: ingest [STEPS] [DIRECTORY]      prints: name, peer, us, ratio - interleaved rounds, medians.
 * Rows a second of CPU time (ours: both threads of the recorder), which is what one core can sustain. */
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loopscope/probe.h"
#include "tracer/record/assemble.h"
#include "tracer/record/drain.h"
#include "tracer/record/store.h"
#include "tracer/record/store_batch.h"

#define TASKS  2000u
#define ROUNDS 5
#define RING   (1u << 18) /* records: 8 MiB */

struct producer {
    struct ls_arena *arena;
    uint64_t steps;
    double rate; /* events a second, 0 = as fast as the ring allows */
    int wait_when_full;
    uint64_t events, dropped;
    uint64_t head, x;
    ticks_t next, pace;
};

struct rows { /* what the assembler made of it, for the peer */
    int64_t (*v)[11];
    size_t n, room;
};

struct recorder {
    struct store *store;
    struct assembler *assembler;
    struct rows *keep;
    uint64_t steps;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* --- the producer: a runtime's events, written as a probe does ---------------------------------------------------- */

static void push(struct producer *p, struct ls_event e)
{
    struct ls_slot *s = ls_arena_slot(p->arena, 0);
    p->events++;
    while (p->pace && clock_now((enum ls_clock)p->arena->clock) < p->next)
        ;
    p->next += p->pace;
    while (p->head - atomic_load_explicit(&s->tail, memory_order_acquire) >= RING) {
        struct timespec nap = { 0, 200000 };
        if (!p->wait_when_full) {
            p->dropped++;
            return;
        }
        nanosleep(&nap, NULL);
    }
    e.time = clock_now((enum ls_clock)p->arena->clock);
    if (e.kind == EV_POLL)
        e.a = e.time - 50;
    ls_arena_ring(p->arena, 0)[p->head & (RING - 1)] = e;
    atomic_store_explicit(&s->head, ++p->head, memory_order_release);
}

static void *produce(void *arg)
{
    struct producer *p = arg;
    struct ls_slot *s = ls_arena_slot(p->arena, 0);
    pin(0);
    s->pid = getpid();
    s->tid = gettid();
    s->generation = 1;
    atomic_store(&s->state, SLOT_LIVE);
    p->next = clock_now((enum ls_clock)p->arena->clock);
    push(p, (struct ls_event){ .kind = EV_LOOP, .flags = LOOP_RUNTIME });
    for (uint32_t i = 1; i <= TASKS; i++)
        push(p, (struct ls_event){ .kind = EV_TASK_NEW, .id = i, .a = (uint64_t)7 << 32 });
    uint32_t running = 0;
    for (uint64_t i = 0; i < p->steps; i++) {
        uint32_t to = (uint32_t)(i % TASKS) + 1;
        p->x ^= p->x << 13, p->x ^= p->x >> 7, p->x ^= p->x << 17;
        /* Odd tasks yield, even ones wait for their socket, and the loop wakes those. */
        if (to % 2 == 0)
            push(p, (struct ls_event){ .kind = EV_WAKE, .id = to });
        push(p, (struct ls_event){ .kind = EV_SWITCH,
                                   .id = to,
                                   .a = running | (uint64_t)(1 + p->x % 40) << 32,
                                   .flags = running % 2 ? LS_WHY_YIELD : LS_WHY_FD,
                                   .b = running % 2 ? 0 : 5 + running % 400 });
        running = to;
        if (i % 64 == 63)
            push(p, (struct ls_event){ .kind = EV_POLL, .flags = LOOP_RUNTIME, .id = 256, .aux = 32 });
    }
    push(p, (struct ls_event){ .kind = EV_SWITCH, .a = running, .flags = LS_WHY_YIELD });
    atomic_store(&s->state, SLOT_ENDED);
    return NULL;
}

/* --- our side ------------------------------------------------------------------------------------------------------ */

static void on_loop(void *c, const struct row_loop *r, int64_t t)
{
    (void)t;
    store_loop(((struct recorder *)c)->store, r);
}
static void on_iteration(void *c, const struct row_iteration *r, int64_t t, ticks_t since, bool gap)
{
    (void)t, (void)since, (void)gap;
    store_iteration(((struct recorder *)c)->store, r);
}
static void on_step(void *c, const struct row_step *r)
{
    struct recorder *rec = c;
    rec->steps++;
    if (rec->keep && rec->keep->n < rec->keep->room)
        memcpy(rec->keep->v[rec->keep->n++], r, sizeof *r);
    store_step(rec->store, r);
}
static void on_task(void *c, const struct row_task *r)
{
    store_task(((struct recorder *)c)->store, r);
}
static void on_gap(void *c, const struct row_gap *r)
{
    store_gap(((struct recorder *)c)->store, r);
}

struct result {
    double seconds, cpu, produce_seconds, bytes;
    uint64_t steps, events, dropped, spilled;
};

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_size;
}

static struct result record(const char *path, const char *dir, struct producer p, size_t memory, struct rows *keep)
{
    struct recorder rec = { .keep = keep };
    struct clock_map clock;
    struct result r = { 0 };
    size_t size = ls_arena_size(1, RING);
    struct ls_arena *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    clock_start(&clock, clock_choose());
    *a = (struct ls_arena){ .slots = 1, .ring_records = RING, .clock = clock.kind };
    a->ring_offset = size - (size_t)RING * sizeof(struct ls_event);
    if (p.rate > 0)
        p.pace = (ticks_t)((double)clock_ticks_per_sec(&clock) / p.rate);
    p.arena = a;
    p.x = 88172645463325252ull;
    if (store_create(path, &rec.store) < 0)
        exit(1);
    struct assemble_sink sink = { .ctx = &rec,
                                  .loop = on_loop,
                                  .iteration = on_iteration,
                                  .step = on_step,
                                  .task_begin = on_task,
                                  .task_end = on_task,
                                  .gap = on_gap };
    rec.assembler = assembler_new(&sink, &clock);
    pthread_t producer;
    struct drain *d = drain_start(a, dir, memory);
    double t0 = seconds(CLOCK_MONOTONIC), c0 = seconds(CLOCK_THREAD_CPUTIME_ID);
    pthread_create(&producer, NULL, produce, &p);
    struct batch b;
    for (bool over = false; !over;) {
        if (drain_next(d, 100, &b) == 1) {
            if (b.kind == BATCH_THREAD_BEGIN)
                assembler_thread(rec.assembler, 1, 1);
            else if (b.kind == BATCH_EVENTS)
                assembler_feed(rec.assembler, 1, b.events, b.n);
            else if (b.kind == BATCH_THREAD_END)
                over = true;
            drain_release(d, &b);
        }
        store_commit(rec.store, false);
    }
    store_commit(rec.store, true);
    r.seconds = seconds(CLOCK_MONOTONIC) - t0;
    pthread_join(producer, NULL);
    drain_stop(d);
    r.cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - c0 + (double)drain_stats(d).cpu * 1e-9;
    r.spilled = drain_stats(d).spilled;
    drain_free(d);
    assembler_free(rec.assembler);
    /* The rows' own size: what a commit has put into the file, without indexes. */
    store_close(rec.store);
    r.bytes = (double)size_of(path);
    r.steps = rec.steps;
    r.events = p.events;
    r.dropped = p.dropped;
    munmap(a, size);
    return r;
}

/* --- the peer: a bare loop ------------------------------------------------------------------------------------------ */

static const char table[] = "CREATE TABLE step(id INTEGER PRIMARY KEY, task INT, loop INT, t INT, wait INT, queue INT,"
                            "run INT, why INT, target INT, site INT, waker INT)";
static const char columns[] = "id,task,loop,t,wait,queue,run,why,target,site,waker";

static double bare(const char *path, const struct rows *rows, bool virtual)
{
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    struct store_batch batch;
    char sql[4096];
    unlink(path);
    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_exec(db,
                 "PRAGMA page_size=65536; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000",
                 NULL, NULL, NULL);
    sqlite3_exec(db, table, NULL, NULL, NULL);
    size_t n = (size_t)snprintf(sql, sizeof sql, "INSERT INTO step(%s) VALUES", strchr(columns, ',') + 1);
    for (int i = 0; i < 50; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%s(?,?,?,?,?,?,?,?,?,?)", i ? "," : "");
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
    store_batch_open(&batch, db, "step", columns, 11, 1);

    double t0 = seconds(CLOCK_THREAD_CPUTIME_ID), committed = seconds(CLOCK_MONOTONIC);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    for (size_t i = 0; i + 50 <= rows->n; i += 50) {
        for (size_t k = i, p = 1; k < i + 50; k++) {
            int rc;
            if (virtual) {
                memcpy(store_batch_row(&batch, rows->v[k][0], &rc), rows->v[k], sizeof rows->v[k]);
                continue;
            }
            for (int c = 1; c < 11; c++, p++) {
                if (rows->v[k][c] == ROW_NULL)
                    sqlite3_bind_null(s, (int)p);
                else
                    sqlite3_bind_int64(s, (int)p, rows->v[k][c]);
            }
        }
        if (!virtual && (sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK))
            exit(1);
        if (i % 4000 == 0 && seconds(CLOCK_MONOTONIC) - committed > 0.2) {
            store_batch_flush(&batch);
            sqlite3_exec(db, "COMMIT; BEGIN", NULL, NULL, NULL);
            committed = seconds(CLOCK_MONOTONIC);
        }
    }
    store_batch_flush(&batch);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    double t = seconds(CLOCK_THREAD_CPUTIME_ID) - t0;
    sqlite3_finalize(s);
    store_batch_close(&batch);
    sqlite3_close(db);
    unlink(path);
    return (double)rows->n / t;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    const char *dir = argc > 2 ? argv[2] : "/tmp";
    char path[512];
    struct rows rows = { .v = malloc(steps * sizeof *rows.v), .room = steps };
    double peer[ROUNDS], us[ROUNDS], ratio[ROUNDS];
    struct result r = { 0 };

    pin(1);
    snprintf(path, sizeof path, "%s/ingest-%d.db", dir, (int)getpid());
    record(path, dir, (struct producer){ .steps = steps, .wait_when_full = 1 }, 64 << 20, &rows);
    for (int i = 0; i < ROUNDS; i++) {
        double values = bare(path, &rows, false), array = bare(path, &rows, true);
        r = record(path, dir, (struct producer){ .steps = steps, .wait_when_full = 1 }, 64 << 20, NULL);
        peer[i] = values > array ? values : array;
        us[i] = (double)r.steps / r.cpu;
        ratio[i] = us[i] / peer[i];
    }
    printf("ingest rows/s            peer %7.2f M   us %7.2f M   ratio %.2f   (goal >= 0.80)\n", median(peer) / 1e6,
           median(us) / 1e6, median(ratio));
    printf("ingest bytes a step      %.1f   (goal <= 34; %.2f events a step; summaries and turns included)\n",
           r.bytes / (double)r.steps, (double)r.events / (double)r.steps);

    r = record(path, dir, (struct producer){ .steps = steps * 2, .rate = 2e6 }, 64 << 20, NULL);
    printf("ingest 2 M events/s      %.2f of a core, %llu lost   (goal <= 0.55, 0; offered %.2f M/s)\n",
           r.cpu / r.seconds, (unsigned long long)r.dropped, (double)r.events / r.seconds / 1e6);
    r = record(path, dir, (struct producer){ .steps = steps * 2, .rate = 8e6 }, 16 << 20, NULL);
    printf("ingest burst 8 M/s       %llu lost, %llu of %llu records spilled   (goal 0 lost)\n",
           (unsigned long long)r.dropped, (unsigned long long)r.spilled, (unsigned long long)r.events);
    snprintf(path + strlen(path), 8, ".old");
    unlink(path);
    path[strlen(path) - 4] = 0;
    unlink(path);
    free(rows.v);
    return 0;
}
