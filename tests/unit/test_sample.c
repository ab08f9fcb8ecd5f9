/* test_sample.c - one stack from outside: of a thread that runs, that sleeps, that is stopped, that dies, that another
 * tracer holds.  (EINTR exactness is tests/race/eintr_*.c.) */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fake_loop.h"
#include "tracer/record/sample.h"

static pid_t fork_body(void (*body)(void))
{
    int fd[2];
    char c;
    cr_assert_eq(pipe(fd), 0);
    pid_t p = fork();
    if (p == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody spinning */
        if (write(fd[1], "x", 1) == 1)
            body();
        _exit(0);
    }
    cr_assert_eq(read(fd[0], &c, 1), 1);
    usleep(30000); /* it is on its way into the body; a test that needs more waits for it itself */
    close(fd[0]);
    close(fd[1]);
    return p;
}

static void spins(void)
{
    for (volatile unsigned i = 0;; i++) /* no calls: its stack pointer stays where it is */
        ;
}

static void sleeps(void)
{
    for (;;)
        sleep(1000);
}

static struct sample_request request(pid_t p, struct proc_thread *t)
{
    cr_assert_eq(proc_thread_open(p, p, t), 0);
    return (struct sample_request){
        .pid = p, .tid = p, .proc = t, .clock = LS_CLOCK_MONOTONIC, .ticks_per_sec = 1000000000, .size = SAMPLE_SMALL
    };
}

static void finish(struct sample_job *job, int e)
{
    for (int i = 0; e && i < 5000; i++, usleep(1000))
        e = sample_continue(job);
    cr_assert_eq(e, 0);
}

static char state_of(struct proc_thread *t)
{
    struct proc_reading r;
    return proc_thread_read(t, &r) ? '?' : r.state;
}

Test(sample, a_running_thread)
{
    pid_t p = fork_body(spins);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct sample_job job;
    for (int i = 0; i < 100; i++) {
        finish(&job, sample_begin(&job, &rq));
        cr_assert_not_null(job.copy, "%s", job.refused ? job.refused : "gone");
        cr_expect_eq(job.copy->pid, p);
        cr_expect_gt(job.copy->size, 512);
        cr_expect_leq(job.copy->size, SAMPLE_SMALL);
        /* sp less the red zone, rounded down */
        cr_expect_eq(job.copy->sp, (job.copy->regs.r[LS_REG_SP] - 128) & ~7ull);
        free(job.copy);
    }
    struct proc_status st;
    cr_expect_eq(proc_thread_status(&t, &st), 0);
    cr_expect_eq(st.tracer, 0, "it was let go");
    cr_expect_eq(state_of(&t), 'R');
    proc_thread_close(&t);
    fake_kill(p);
}

Test(sample, the_copy_ends_where_the_stack_ends)
{
    pid_t p = fork_body(spins);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct ls_arena *a = fake_arena(1);
    struct sample_job job;
    finish(&job, sample_begin(&job, &rq));
    cr_assert_not_null(job.copy);
    uint64_t sp = job.copy->regs.r[LS_REG_SP];
    free(job.copy);

    rq.slot = ls_arena_slot(a, 0);
    rq.slot->stack_lo = sp - 65536;
    rq.slot->stack_hi = (sp + 2048) & ~7ull;
    finish(&job, sample_begin(&job, &rq));
    cr_assert_not_null(job.copy);
    cr_expect_eq(job.copy->sp + job.copy->size, rq.slot->stack_hi);
    cr_expect_not(job.copy->cut);
    free(job.copy);

    rq.slot->stack_hi = sp + (1 << 20); /* said to be larger than what is copied */
    finish(&job, sample_begin(&job, &rq));
    cr_assert_not_null(job.copy);
    cr_expect(job.copy->cut);
    free(job.copy);

    atomic_store(&rq.slot->coro_lo, sp - 4096); /* the coroutine's stack wins */
    atomic_store(&rq.slot->coro_hi, (sp + 512) & ~7ull);
    finish(&job, sample_begin(&job, &rq));
    cr_assert_not_null(job.copy);
    cr_expect_eq(job.copy->sp + job.copy->size, atomic_load(&rq.slot->coro_hi));
    cr_expect_not(job.copy->cut);
    free(job.copy);
    proc_thread_close(&t);
    fake_kill(p);
}

Test(sample, a_sleeping_thread_is_read_where_it_lies)
{
    pid_t p = fork_body(sleeps);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct proc_syscall sc = { 0 };
    for (int i = 0; i < 3000 && sc.where != PROC_IN_SYSCALL; i++, usleep(1000))
        cr_assert_eq(proc_thread_syscall(&t, &sc), 0);
    cr_expect_eq(sc.where, PROC_IN_SYSCALL);
    cr_expect(sc.nr == SYS_clock_nanosleep || sc.nr == SYS_nanosleep);
    struct stack_copy *c = sample_asleep(&rq, &sc);
    cr_assert_not_null(c);
    cr_expect(c->only_ip_sp);
    cr_expect_eq(c->regs.r[LS_REG_IP], sc.pc);
    cr_expect_eq(c->sp, sc.sp & ~7ull);
    cr_expect_gt(c->size, 256);
    free(c);
    sc.sp += 64; /* as if it had woken up meanwhile */
    cr_expect_null(sample_asleep(&rq, &sc));
    proc_thread_close(&t);
    fake_kill(p);
}

Test(sample, a_stopped_process_stays_stopped)
{
    pid_t p = fork_body(spins);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct sample_job job;
    int status;
    kill(p, SIGSTOP);
    cr_assert_eq(waitpid(p, &status, WUNTRACED), p);
    finish(&job, sample_begin(&job, &rq));
    cr_expect_not_null(job.copy);
    free(job.copy);
    for (int i = 0; i < 100 && state_of(&t) != 'T'; i++)
        usleep(1000);
    cr_expect_eq(state_of(&t), 'T');
    kill(p, SIGCONT);
    for (int i = 0; i < 1000 && state_of(&t) != 'R'; i++)
        usleep(1000);
    cr_expect_eq(state_of(&t), 'R');
    proc_thread_close(&t);
    fake_kill(p);
}

Test(sample, a_thread_that_has_gone)
{
    pid_t p = fork_body(spins);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct sample_job job;
    fake_kill(p);
    finish(&job, sample_begin(&job, &rq));
    cr_expect_null(job.copy);
    cr_expect_null(job.refused);
    proc_thread_close(&t);
}

static void kill_soon(pid_t victim, unsigned us)
{
    pid_t p = fork();
    if (p == 0) {
        usleep(us);
        kill(victim, SIGKILL);
        _exit(0);
    }
    waitpid(p, NULL, us ? WNOHANG : 0);
}

Test(sample, killed_at_any_moment)
{
    for (unsigned i = 0; i < 40; i++) {
        pid_t p = fork();
        if (p == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            spins();
        }
        usleep(1000);
        struct proc_thread t;
        struct sample_request rq = request(p, &t);
        struct sample_job job;
        kill_soon(p, 100 + i * 10);
        for (int k = 0; k < 100; k++) {
            finish(&job, sample_begin(&job, &rq));
            cr_expect_null(job.refused, "%s", job.refused);
            bool gone = !job.copy;
            free(job.copy);
            if (gone)
                break;
        }
        proc_thread_close(&t);
        kill(p, SIGKILL);
        waitpid(p, NULL, 0);
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

Test(sample, another_tracer_is_respected)
{
    pid_t p = fork_body(spins);
    int fd[2];
    cr_assert_eq(pipe(fd), 0);
    pid_t tracer = fork();
    if (tracer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char c = ptrace(PTRACE_SEIZE, p, NULL, NULL) ? 'n' : 'y';
        if (write(fd[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    char c = 0;
    cr_assert_eq(read(fd[0], &c, 1), 1);
    cr_assert_eq(c, 'y');
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct sample_job job;
    finish(&job, sample_begin(&job, &rq));
    cr_expect_null(job.copy);
    cr_assert_not_null(job.refused);
    cr_expect_not_null(strstr(job.refused, "another tracer"));
    proc_thread_close(&t);
    fake_kill(tracer);
    fake_kill(p);
}

/* The stack pointer of a thread may be anything: no crash, an empty copy. */
static void wild_stack(void)
{
#if defined __x86_64__
    __asm__ volatile("xor %%rsp, %%rsp\n1: jmp 1b" ::: "memory");
#else
    __asm__ volatile("mov sp, xzr\n1: b 1b" ::: "memory");
#endif
}

Test(sample, a_wild_stack_pointer)
{
    pid_t p = fork_body(wild_stack);
    struct proc_thread t;
    struct sample_request rq = request(p, &t);
    struct sample_job job;
    finish(&job, sample_begin(&job, &rq));
    cr_assert_not_null(job.copy);
    cr_expect_eq(job.copy->size, 0);
    free(job.copy);
    proc_thread_close(&t);
    fake_kill(p);
}
