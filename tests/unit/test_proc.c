/* test_proc.c - what is read from /proc: the parsers on hand-made text, the rest on ourselves and a child. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fake_loop.h"
#include "tracer/record/proc.h"

Test(proc, stat_with_a_nasty_name)
{
    char state = 0;
    uint64_t majflt = 0;
    cr_expect_eq(proc_parse_stat("12 (a) R (b c) S 1 2 3 4 5 6 7 8 318 9 10", &state, &majflt), 0);
    cr_expect_eq(state, 'S');
    cr_expect_eq(majflt, 318);
    cr_expect_neq(proc_parse_stat("12 (x", &state, &majflt), 0);
    cr_expect_neq(proc_parse_stat("", &state, &majflt), 0);
    cr_expect_neq(proc_parse_stat("12 (x) R 1 2", &state, &majflt), 0);
}

Test(proc, schedstat)
{
    ns_t cpu = 0, runq = 0;
    cr_expect_eq(proc_parse_schedstat("68060 50220 2\n", &cpu, &runq), 0);
    cr_expect_eq(cpu, 68060);
    cr_expect_eq(runq, 50220);
    cr_expect_neq(proc_parse_schedstat("", &cpu, &runq), 0);
    cr_expect_neq(proc_parse_schedstat("17", &cpu, &runq), 0);
    cr_expect_neq(proc_parse_schedstat("x y z", &cpu, &runq), 0);
}

Test(proc, syscall)
{
    struct proc_syscall s;
    cr_expect_eq(proc_parse_syscall("running\n", &s), 0);
    cr_expect_eq(s.where, PROC_RUNNING);
    cr_expect_eq(proc_parse_syscall("-1 0x7ffd10 0x7f22\n", &s), 0);
    cr_expect_eq(s.where, PROC_BLOCKED);
    cr_expect_eq(s.sp, 0x7ffd10);
    cr_expect_eq(s.pc, 0x7f22);
    cr_expect_eq(proc_parse_syscall("0 0x3 0x1 0x2 0x4 0x5 0x6 0xaa 0xbb\n", &s), 0);
    cr_expect_eq(s.where, PROC_IN_SYSCALL);
    cr_expect_eq(s.nr, 0);
    cr_expect_eq(s.arg[0], 3);
    cr_expect_eq(s.arg[5], 6);
    cr_expect_eq(s.sp, 0xaa);
    cr_expect_neq(proc_parse_syscall("0 0x3 0x1", &s), 0);
    cr_expect_neq(proc_parse_syscall("", &s), 0);
}

Test(proc, status)
{
    struct proc_status s;
    const char *text = "Name:\tSigIgn:\nTracerPid:\t77\nSigPnd:\t0000000000000002\nShdPnd:\t0000000008010400\n"
                       "SigBlk:\t0000000000000400\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000002\n";
    cr_expect_eq(proc_parse_status(text, &s), 0);
    cr_expect_eq(s.tracer, 77);
    /* pending: 2, 11 (blocked), 17 SIGCHLD and 28 SIGWINCH (ignored by default) */
    cr_expect_eq(s.deliverable, 2);
    cr_expect_neq(proc_parse_status("Name:\tx\n", &s), 0);
    pid_t pid = 0;
    cr_expect_eq(proc_parse_nspid("Pid:\t9\nNSpid:\t4123\t17\t3\nNSpgid:\t1\n", &pid), 0);
    cr_expect_eq(pid, 3);
    cr_expect_neq(proc_parse_nspid("Pid:\t9\n", &pid), 0);
}

Test(proc, maps_lines)
{
    uint64_t start, end;
    struct proc_file f;
    cr_expect(proc_parse_maps_line("7f450b5aa000-7f450b5af000 rw-s 00000000 00:1a 1108   /dev/shm/x y (deleted)\n",
                                   &start, &end, &f));
    cr_expect_eq(start, 0x7f450b5aa000);
    cr_expect_eq(end, 0x7f450b5af000);
    cr_expect_eq(f.minor, 0x1a);
    cr_expect_eq(f.inode, 1108);
    cr_expect_not(proc_parse_maps_line("rubbish", &start, &end, &f));
}

Test(proc, who_maps_a_file)
{
    struct ls_arena *a = fake_arena(1), *other = fake_arena(1);
    struct proc_file f, g;
    cr_assert_eq(proc_file_at(a, &f), 0);
    cr_assert_eq(proc_file_at((char *)a + 5000, &g), 0);
    cr_expect_eq(f.inode, g.inode);
    cr_assert_eq(proc_file_at(other, &g), 0);
    cr_expect_neq(f.inode, g.inode, "two arenas are told apart");
    cr_expect_neq(proc_file_at((void *)16, &g), 0);
    cr_expect_eq(proc_maps_file(getpid(), &f), 1);
    cr_expect_neq(proc_maps_file(1, &f), 1);
    cr_expect_lt(proc_maps_file(0x7fffffff, &f), 0);
    pid_t p, t;
    cr_expect_neq(proc_find_in_namespace(0x7ffffff0, 0x7ffffff0, &f, &p, &t), 0);
}

Test(proc, a_thread_that_is_found_by_its_inner_number)
{
    struct ls_arena *a = fake_arena(1);
    struct proc_file f;
    cr_assert_eq(proc_file_at(a, &f), 0);
    int sync[2];
    cr_assert_eq(pipe(sync), 0);
    pid_t outer = fork();
    if (outer == 0) { /* a child in a pid namespace of its own: number 1 there */
        if (unshare(CLONE_NEWPID)) {
            if (write(sync[1], "n", 1) != 1)
                _exit(1);
            _exit(0);
        }
        pid_t inner = fork();
        if (inner == 0)
            for (;;)
                pause();
        if (write(sync[1], "y", 1) != 1 || write(sync[1], &inner, sizeof inner) != sizeof inner)
            _exit(1);
        for (;;)
            pause();
    }
    char c = 0;
    cr_assert_eq(read(sync[0], &c, 1), 1);
    if (c == 'n')
        cr_skip_test("may not make a pid namespace");
    pid_t inner, p = 0, t = 0;
    cr_assert_eq(read(sync[0], &inner, sizeof inner), (ssize_t)sizeof inner);
    int e = -1;
    for (int i = 0; e && i < 100; i++, usleep(1000))
        e = proc_find_in_namespace(1, 1, &f, &p, &t);
    cr_assert_eq(e, 0);
    cr_expect_eq(p, inner);
    cr_expect_eq(t, inner);
    kill(p, SIGKILL);
    fake_kill(outer);
}

Test(proc, readings_of_a_thread)
{
    pid_t p = fork();
    if (p == 0) {
        fake_spin(60);
        for (;;)
            pause();
    }
    struct proc_thread t;
    struct proc_reading a, b;
    cr_assert_eq(proc_thread_open(p, p, &t), 0);
    cr_assert_eq(proc_thread_read(&t, &a), 0);
    for (int i = 0; i < 3000; i++, usleep(1000))
        if (proc_thread_read(&t, &b) || b.state == 'S')
            break;
    cr_expect_eq(b.state, 'S');
    cr_expect(b.sched_known);
    cr_expect_geq(b.cpu + b.runq, 50000000);
    cr_expect_leq(a.cpu, b.cpu);
    struct proc_status st;
    cr_expect_eq(proc_thread_status(&t, &st), 0);
    cr_expect_eq(st.tracer, 0);
    char wchan[32] = "x";
    proc_thread_wchan(&t, wchan, sizeof wchan);
    fake_kill(p);
    cr_expect_eq(proc_thread_read(&t, &a), -ESRCH, "a dead thread is never taken for another one");
    proc_thread_close(&t);
    cr_expect_neq(proc_thread_open(0x7fffffff, 0x7fffffff, &t), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

Test(proc, throttling_in_both_cgroup_versions)
{
    char path[] = "/tmp/loopscope-test-XXXXXX";
    ns_t throttled = 0;
    bool quota = false;
    close(mkstemp(path));
    write_file(path, "usage_usec 5\nnr_periods 7\nnr_throttled 2\nthrottled_usec 1500\n");
    cr_expect_eq(proc_throttled(path, &throttled, &quota), 0);
    cr_expect_eq(throttled, 1500000);
    cr_expect(quota);
    write_file(path, "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n");
    cr_expect_eq(proc_throttled(path, &throttled, &quota), 0);
    cr_expect_eq(throttled, 0);
    cr_expect_not(quota);
    write_file(path, "nr_periods 3\nthrottled_time 4711\n");
    cr_expect_eq(proc_throttled(path, &throttled, &quota), 0);
    cr_expect_eq(throttled, 4711);
    write_file(path, "usage_usec 5\n"); /* the controller is not on */
    cr_expect_neq(proc_throttled(path, &throttled, &quota), 0);
    unlink(path);
}
