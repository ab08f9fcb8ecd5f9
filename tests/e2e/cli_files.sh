# Files that are no trace, damaged, newer, empty, unreadable: each command that reads one says so in one line, exit 2.
. tests/lib/e2e.sh
need sqlite3

echo "not a database, but long enough to look like one if nobody looks" > "$dir/text.db"
: > "$dir/empty.db"
sqlite3 "$dir/other.db" 'CREATE TABLE t(a)'
fixture redis
cp "$dir/redis.db" "$dir/newer.db"
sqlite3 "$dir/newer.db" 'PRAGMA user_version = 99'
head -c 3000 "$dir/redis.db" > "$dir/cut.db"

for c in info report sql view; do
    query=
    [ $c = sql ] && query='SELECT count(*) FROM stall'
    refuses "no such file" $c "$dir/missing.db" ${query:+"$query"}
    refuses "text.db: not a loopscope trace" $c "$dir/text.db" ${query:+"$query"}
    refuses "empty.db" $c "$dir/empty.db" ${query:+"$query"}
    refuses "not a loopscope trace" $c "$dir/other.db" ${query:+"$query"}
    refuses "newer loopscope (format 99" $c "$dir/newer.db" ${query:+"$query"}
    refuses "cut.db" $c "$dir/cut.db" ${query:+"$query"}
    refuses "regular file" $c "$dir" ${query:+"$query"}
done
refuses "missing.db" repair "$dir/missing.db"
refuses "text.db" repair "$dir/text.db"

# times that are not in the trace, and a gate over nothing
refuses "report: --from is after the end" report --from 9h "$dir/redis.db"

# the default file
cd "$dir" || exit 1
refuses "loopscope.db: no such file" info
cp redis.db loopscope.db
run info
expect_status 0
