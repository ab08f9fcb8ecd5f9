# loopscope info: the facts of a trace, and honesty about one that was not finished.
. tests/lib/e2e.sh
need sqlite3
fixture redis
TZ=UTC run info "$dir/redis.db"
expect_status 0
expect_no_err
expect_out "redis-server --port 7000"
expect_out "2023-11-14 22:13:20 +0000"
expect_out "1 process, 2 threads, 1 loop, 0 tasks"
expect_out "stalls from 20 ms, calls from 1 ms"
expect_out ", finished"
expect_out "iteration 6,000"
expect_out "0 lost"

sqlite3 "$dir/redis.db" "UPDATE meta SET value = 0 WHERE key = 'finalized'; DELETE FROM meta WHERE key = 'duration_ns'"
run info "$dir/redis.db"
expect_status 0
expect_out "not finished"

# what is in the file cannot talk to the terminal
sqlite3 "$dir/redis.db" "UPDATE meta SET value = char(27) || '[2Jx' WHERE key = 'argv'"
run info "$dir/redis.db"
case $out in *"$(printf '\033')"*) fail "an escape sequence came through" ;; esac

# a program without a loop has its own name, too, however short its life; and a shell's is what it became
run record -q -o "$dir/short.db" -- true
expect_sql "$dir/short.db" "SELECT cmdline FROM process" true
run record -q -o "$dir/exec.db" -- sh -c 'read x; exec sleep 0.5'
expect_sql "$dir/exec.db" "SELECT cmdline FROM process" "sleep 0.5"
