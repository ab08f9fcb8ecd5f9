# same - programs that look at what they were given print the same, byte for byte, bare and under record.
. tests/lib/e2e.sh
need gcc python3 perl bash

# same NAME COMMAND...: output, error output and status.
same() {
    name=$1
    shift
    (cd "$dir" && "$@" < /dev/null > bare.out 2> bare.err)
    bare=$?
    (cd "$dir" && "$loopscope" record -q -o trace.db -- "$@" < /dev/null > rec.out 2> rec.err)
    recorded=$?
    for f in out err; do
        cmp -s "$dir/bare.$f" "$dir/rec.$f" || { diff "$dir/bare.$f" "$dir/rec.$f"; fail "$name: other std$f"; }
    done
    [ $bare = $recorded ] || fail "$name: status $bare bare, $recorded under record"
}

same 'open descriptors' sh -c 'ls /proc/self/fd; grep -E "Threads|SigBlk|SigIgn|NoNewPrivs|Seccomp" /proc/self/status'
same 'jobs, traps, pipes' bash -c 'set -m; sleep 0.1 & wait; echo $?; yes | head -2; echo ${PIPESTATUS[@]}
    trap "echo usr1" USR1; kill -USR1 $$; (exit 7); echo $?; coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x
    sleep 9 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?; trap "echo term; exit 9" TERM; kill -TERM $$; sleep 1'
same 'alarm and wait' perl -e '$SIG{ALRM} = sub { print "alarm\n" }; alarm 1; sleep 5; my $p = fork; exit 3 if !$p;
    waitpid $p, 0; print $? >> 8, "\n"; exec "/nonexistent"; '
same 'exec and its errors' python3 -c '
import os, subprocess
print(subprocess.run(["sh", "-c", "kill -9 $$"]).returncode, os.waitstatus_to_exitcode(os.system("exit 3")), flush=True)
for f in (lambda: os.execv("/nonexistent", ["x"]), lambda: os.execvp("nonexistent", ["x"]),
          lambda: os.posix_spawn("/nonexistent", ["x"], {}), lambda: os.execv("/etc/passwd", ["x"])):
    try: f()
    except OSError as e: print(e.errno, flush=True)
os.execlp("sh", "sh", "-c", "echo $#; exit 4", "a", "b")'
same 'all descriptors closed' python3 -c '
import os, select
os.closerange(3, 1000)
e = select.epoll()
print(e.fileno(), [e.poll(0.001) for i in range(5)], flush=True)
os.execv("/bin/ls", ["ls", "/proc/self/fd"])'
same 'a script without #!' sh -c 'printf "echo script; exit 3" > s; chmod 755 s; ./s; echo $?; env ./s'
same 'little address space' bash -c 'ulimit -v 400000; ls /; perl -e "print 1"'
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
    same 'another user' setpriv --reuid 65534 --clear-groups sh -c 'id -u; ls /; perl -e "print 7"'
fi
unshare -r -p -f --mount-proc true 2> /dev/null && same 'namespaces' unshare -r -p -f --mount-proc sh -c 'id -u; echo $$; ls /proc/self/fd'

cat > "$dir/strict.c" << 'C'
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    int p[2], ok = pipe(p) == 0 && prctl(PR_SET_SECCOMP, 1) == 0;
    char c;
    for (int i = 0; ok && i < 100; i++)
        ok = write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1;
    syscall(SYS_exit, ok ? 4 : 5);
}
C
gcc -o "$dir/strict" "$dir/strict.c" && same 'strict seccomp' "$dir/strict"
