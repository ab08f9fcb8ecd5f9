/* peers.h - State Threads beside us, in one program: its threads run while the benchmark's own task lends it the CPU. */
#ifndef LOOPSCOPE_BENCH_PEERS_H
#define LOOPSCOPE_BENCH_PEERS_H

#include <st.h>

static struct {
    st_cond_t *turn;
    int n;
} ring;

static void *ring_member(void *arg)
{
    long i = (long)arg;
    while (!st_cond_wait(ring.turn[i]))
        st_cond_signal(ring.turn[(i + 1) % ring.n]);
    return NULL;
}
/* A ring of n threads, the caller being one of them; each wakes the next and waits. */
static inline void st_ring_init(int n)
{
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init())
        exit(77);
    ring.n = n;
    ring.turn = malloc((size_t)n * sizeof *ring.turn);
    for (int i = 0; i < n; i++)
        ring.turn[i] = st_cond_new();
    for (long i = 1; i < n; i++)
        st_thread_create(ring_member, (void *)i, 0, 0);
    st_usleep(0); /* each waits now */
}
static inline void st_ring_go(void) /* n switches */
{
    st_cond_signal(ring.turn[1 % ring.n]);
    st_cond_wait(ring.turn[0]);
}

static void *st_nothing(void *arg)
{
    return arg;
}
static inline void st_spawn_join(void)
{
    st_thread_join(st_thread_create(st_nothing, NULL, 1, 0), NULL);
}

#endif
