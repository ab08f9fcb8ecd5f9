# Every allocation that tasks, groups, timeouts, futures and locals make may fail.
. tests/lib/e2e.sh
timeout 60 "$B/tests/targets/tasks_nomem" > "$dir/out" || fail "status $?: $(cat "$dir/out")"
cat "$dir/out"
