/* test_judge.c - the verdict from made-up evidence: every cause, mixes, and what is missing.  Pure. */
#include <criterion/criterion.h>
#include <sys/syscall.h>

#include "tracer/record/judge.h"
#include "tracer/record/rows.h"

#define MS 1000000ull

/* A stall of 96 ms at 1 s; the note's clock ticks in ns and its window is the stall. */
static struct judge_input stall(struct watch_note *n)
{
    if (n) {
        n->since = n->first = 5000 * MS;
        n->last = n->first + 96 * MS;
        n->sched_known = true;
        n->looks = 10;
        n->sleep_syscall = n->sleep_syscall ? n->sleep_syscall : -1;
    }
    return (struct judge_input){ .t = 1000 * MS, .dur = 96 * MS, .note = n, .ticks_per_ns = 1 };
}

static struct judge_call call(unsigned nr, ns_t dur, int fd, const char *detail, int64_t id)
{
    return (struct judge_call){ .call = nr, .t = 1000 * MS, .dur = dur, .fd = fd, .detail = detail, .id = id };
}

static void expect(const struct judge_input *in, const char *cause, const char *detail)
{
    struct judge_verdict v;
    judge(in, &v);
    cr_expect_str_eq(v.cause, cause);
    if (detail)
        cr_expect_str_eq(v.detail, detail, "detail is: %s", v.detail);
}

Test(judge, one_long_call)
{
    struct watch_note n = { .cpu = MS };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(CALL_fsync, 95 * MS, 7, "/var/lib/x.db", 42) };
    in.calls = c, in.n_calls = 1;
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_str_eq(v.cause, "call");
    cr_expect_str_eq(v.detail, "fsync(fd 7 -> /var/lib/x.db)");
    cr_expect_eq(v.call, 42);
    cr_expect_eq(v.cpu, (int64_t)MS);
    cr_expect_eq(v.runq, 0);
    cr_expect_eq(v.blocked, (int64_t)(95 * MS));
    cr_expect_eq(v.majflt, 0);
}

Test(judge, arguments_that_tell_calls_apart)
{
    struct judge_input in = stall(NULL);
    struct judge_call c[] = { call(CALL_getaddrinfo, 96 * MS, -1, "db.internal", 1) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "call", "getaddrinfo(\"db.internal\")");
    c[0] = call(CALL_open, 96 * MS, -1, "/etc/passwd", 1);
    expect(&in, "call", "open(/etc/passwd)");
    c[0] = call(CALL_read, 60 * MS, 3, NULL, 1);
    expect(&in, "call", "read(fd 3), 60 ms of 96 ms");
    c[0] = call(CALL_nanosleep, 96 * MS, -1, NULL, 1);
    expect(&in, "call", "nanosleep");
}

Test(judge, several_calls_of_one_name)
{
    struct judge_input in = stall(NULL);
    struct judge_call c[] = { call(CALL_nanosleep, 20 * MS, -1, NULL, 1), call(CALL_nanosleep, 40 * MS, -1, NULL, 2),
                              call(CALL_nanosleep, 20 * MS, -1, NULL, 3) };
    in.calls = c, in.n_calls = 3;
    expect(&in, "call", "nanosleep 3 times, 80 ms of 96 ms");
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_eq(v.call, 2, "the longest of them");
}

Test(judge, several_names_together)
{
    struct judge_input in = stall(NULL);
    struct judge_call c[] = { call(CALL_read, 20 * MS, 4, "a", 1), call(CALL_read, 20 * MS, 5, "b", 2),
                              call(CALL_open, 10 * MS, -1, NULL, 3), call(CALL_fsync, 15 * MS, 5, NULL, 4) };
    in.calls = c, in.n_calls = 4;
    expect(&in, "call", "read 2 times, 40 ms of 96 ms, and 2 others");
}

Test(judge, locks)
{
    struct judge_input in = stall(NULL);
    struct judge_call c[] = { call(CALL_pthread_mutex_lock, 94 * MS, -1, "0x55d0 held by thread 4123", 9) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "lock", "pthread_mutex_lock(0x55d0) held by thread 4123");
    c[0] = call(CALL_flock, 94 * MS, 3, "/run/x.lock", 9);
    expect(&in, "lock", "flock(fd 3 -> /run/x.lock)");
    struct judge_call mixed[] = { call(CALL_read, 20 * MS, 3, NULL, 1),
                                  call(CALL_pthread_mutex_lock, 60 * MS, -1, NULL, 2) };
    in.calls = mixed, in.n_calls = 2;
    expect(&in, "lock", "pthread_mutex_lock, 60 ms of 96 ms");
}

Test(judge, computing)
{
    struct watch_note n = { .cpu = 95 * MS, .looks_running = 10 };
    struct judge_input in = stall(&n);
    in.place = "json_encode", in.place_percent = 97, in.n_samples = 4;
    expect(&in, "cpu", "json_encode (97 % of 4 samples)");
    in.n_samples = 1;
    expect(&in, "cpu", "json_encode (1 sample)");
    in.place = NULL, in.n_samples = 0;
    expect(&in, "cpu", "on a CPU 99 % of the time");
    n.no_stack = "another tracer (gdb, strace) holds it";
    expect(&in, "cpu", "on a CPU 99 % of the time; no stack: another tracer (gdb, strace) holds it");
}

Test(judge, a_call_that_burns_cpu_is_a_call)
{
    struct watch_note n = { .cpu = 96 * MS, .looks_in_call = 10 };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(CALL_read, 90 * MS, 3, NULL, 1) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "call", NULL);
}

Test(judge, mixed_work_goes_to_the_larger_part)
{
    struct watch_note n = { .cpu = 56 * MS };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(CALL_nanosleep, 20 * MS, -1, NULL, 1), call(CALL_nanosleep, 20 * MS, -1, NULL, 2) };
    in.calls = c, in.n_calls = 2;
    expect(&in, "cpu", NULL);
    n.cpu = 36 * MS;
    c[0].dur = 40 * MS;
    expect(&in, "call", "nanosleep 2 times, 60 ms of 96 ms");
}

Test(judge, no_half_but_a_largest_part)
{
    struct watch_note n = { .cpu = 40 * MS, .runq = 26 * MS };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(CALL_read, 30 * MS, 3, NULL, 1) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "cpu", NULL);
}

Test(judge, waiting_for_a_cpu)
{
    struct watch_note n = { .cpu = 19 * MS, .runq = 77 * MS };
    struct judge_input in = stall(&n);
    expect(&in, "preempted", "waiting for a CPU 80 % of the time");
    struct judge_call c[] = { call(CALL_write, 90 * MS, 3, NULL, 1) }; /* what made the call long */
    in.calls = c, in.n_calls = 1;
    expect(&in, "preempted", NULL);
}

Test(judge, a_stall_even_without_waiting_for_a_cpu)
{
    struct watch_note n = { .cpu = 40 * MS, .runq = 54 * MS };
    struct judge_input in = stall(&n);
    in.threshold = 20 * MS;
    expect(&in, "cpu", NULL);
    struct judge_call c[] = { call(CALL_fsync, 90 * MS, 3, NULL, 1) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "call", NULL);
    in.threshold = 50 * MS; /* 42 ms alone would not have been one */
    expect(&in, "preempted", NULL);
}

Test(judge, never_found_asleep_is_not_asleep)
{
    struct watch_note n = { .cpu = 40 * MS, .looks_running = 3 };
    struct judge_input in = stall(&n);
    expect(&in, "cpu", NULL);
    n.looks_running = 2, n.looks_sleeping = 1;
    expect(&in, "unknown", NULL);
}

Test(judge, out_of_quota)
{
    struct watch_note n = { .cpu = 16 * MS, .runq = 78 * MS, .throttled = 75 * MS };
    struct judge_input in = stall(&n);
    expect(&in, "throttled", NULL);
    n.runq = 0; /* newer kernels keep a throttled thread in no queue */
    expect(&in, "throttled", "out of its cgroup's CPU quota 78 % of the time");
    n.throttled = 10 * MS, n.runq = 80 * MS;
    expect(&in, "preempted", NULL);
}

Test(judge, stopped_or_suspended)
{
    struct watch_note n = { .cpu = 2 * MS, .stopped = 90 * MS };
    struct judge_input in = stall(&n);
    expect(&in, "stopped", "90 ms of 96 ms: stopped by a signal or a debugger");
    struct judge_call c[] = { call(CALL_read, 95 * MS, 3, NULL, 1) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "stopped", NULL);
    in.n_calls = 0, n.stopped = 0, n.suspended = 500 * MS;
    expect(&in, "stopped", "96 ms of 96 ms: the machine was suspended");
}

Test(judge, page_faults)
{
    struct watch_note n = { .cpu = 10 * MS, .majflt = 318, .looks_fault = 7, .looks_running = 3 };
    struct judge_input in = stall(&n);
    expect(&in, "fault", "318 major page faults, 86 ms asleep");
    n.majflt = 0; /* waits in minor faults too: a lock on the address space */
    expect(&in, "fault", "page faults, 86 ms asleep");
    n.majflt = 1, n.looks_fault = 0, n.looks_running = 10, n.cpu = 90 * MS;
    expect(&in, "cpu", NULL);
    n.cpu = 10 * MS, n.looks_sleeping = 9, n.sleep_syscall = SYS_fsync;
    expect(&in, "call", NULL);
}

Test(judge, asleep_in_a_call_that_is_not_wrapped)
{
    struct watch_note n = { .cpu = MS, .looks_sleeping = 9, .sleep_syscall = SYS_ioctl };
    struct judge_input in = stall(&n);
    expect(&in, "call", "ioctl, asleep 95 ms of 96 ms");
    n.sleep_syscall = SYS_futex;
    expect(&in, "lock", "futex, asleep 95 ms of 96 ms");
    n.sleep_syscall = 99999;
    expect(&in, "call", "system call 99999, asleep 95 ms of 96 ms");
}

Test(judge, still_in_a_call)
{
    struct watch_note n = { .cpu = MS, .hang_call = CALL_read, .hang_arg = 5, .looks_in_call = 9 };
    struct judge_input in = stall(&n);
    n.hang_since = n.since + 2 * MS;
    expect(&in, "call", "read(fd 5)");
    struct judge_call c[] = { call(CALL_read, 94 * MS, 5, "pipe", 7) }; /* it returned: not counted twice */
    in.calls = c, in.n_calls = 1;
    expect(&in, "call", "read(fd 5 -> pipe)");
}

Test(judge, nothing_known)
{
    struct judge_input in = stall(NULL);
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_str_eq(v.cause, "unknown");
    cr_expect_eq(v.cpu, ROW_NULL);
    cr_expect_eq(v.runq, ROW_NULL);
    cr_expect_eq(v.blocked, ROW_NULL);
    cr_expect_eq(v.majflt, ROW_NULL);
    cr_expect_eq(v.call, ROW_NULL);
    cr_expect(v.detail[0]);
}

Test(judge, less_than_half_is_unknown)
{
    struct watch_note n = { .cpu = 20 * MS, .wchan = "do_thing" };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(CALL_read, 20 * MS, 5, NULL, 7) };
    in.calls = c, in.n_calls = 1;
    expect(&in, "unknown", "asleep 79 % of the time, in no call we know; in the kernel: do_thing");
    struct judge_input bare = stall(NULL);
    bare.calls = c, bare.n_calls = 1;
    expect(&bare, "unknown", NULL);
}

Test(judge, evidence_never_exceeds_the_stall)
{
    struct watch_note n = { .cpu = 500 * MS, .runq = 500 * MS, .stopped = 0, .throttled = 0 };
    struct judge_input in = stall(&n);
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_eq(v.cpu + v.runq + v.blocked, (int64_t)in.dur);
    cr_expect(v.cpu >= 0 && v.runq >= 0 && v.blocked >= 0);
}

Test(judge, a_longer_window_is_scaled_down)
{
    struct watch_note n = { .cpu = 60 * MS, .runq = 60 * MS };
    struct judge_input in = stall(&n);
    n.last = n.first + 192 * MS;
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_eq(v.cpu, (int64_t)(30 * MS));
    cr_expect_eq(v.runq, (int64_t)(30 * MS));
}

Test(judge, no_schedstat_goes_by_the_looks)
{
    struct watch_note n = { .looks_running = 9, .looks_sleeping = 1 };
    struct judge_input in = stall(&n);
    n.sched_known = false;
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect_str_eq(v.cause, "cpu");
    cr_expect_eq(v.cpu, ROW_NULL, "a guess is not evidence");
}

Test(judge, hostile_numbers)
{
    struct watch_note n = { .cpu = UINT64_MAX,
                            .runq = UINT64_MAX,
                            .stopped = UINT64_MAX / 2,
                            .throttled = UINT64_MAX,
                            .hang_call = 65535,
                            .hang_since = UINT64_MAX,
                            .sleep_syscall = -7 };
    struct judge_input in = stall(&n);
    struct judge_call c[] = { call(60000, UINT64_MAX, INT32_MAX, "x", 1),
                              call(CALL_read, 0, -1, NULL, 2),
                              { .call = CALL_read, .t = UINT64_MAX, .dur = UINT64_MAX, .fd = -1 } };
    struct judge_verdict v;
    in.calls = c, in.n_calls = 3;
    n.last = 0;
    judge(&in, &v);
    in.dur = 0;
    judge(&in, &v);
    cr_expect_str_eq(v.cause, "unknown");
    in.ticks_per_ns = 0, in.dur = UINT64_MAX;
    judge(&in, &v);
}

Test(judge, a_long_path_is_cut_not_overrun)
{
    char path[1024];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    struct judge_input in = stall(NULL);
    struct judge_call c[] = { call(CALL_fsync, 96 * MS, 7, path, 1) };
    in.calls = c, in.n_calls = 1;
    struct judge_verdict v;
    judge(&in, &v);
    cr_expect(strlen(v.detail) < sizeof v.detail);
    cr_expect_eq(v.detail[strlen(v.detail) - 1], ')');
}
