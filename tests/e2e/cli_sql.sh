# loopscope sql: rows for people and for programs, and never a change to the file.
. tests/lib/e2e.sh
need sqlite3 script
fixture redis
f=$dir/redis.db
before=$(cksum < "$f")

run sql "$f" 'SELECT id, cause FROM stall ORDER BY id LIMIT 2'
expect_status 0
expect_no_err
[ "$out" = "$(sqlite3 -separator "$(printf '\t')" "$f" 'SELECT id, cause FROM stall ORDER BY id LIMIT 2')" ] ||
    { show; fail "tab-separated rows, as sqlite3 has them, were expected"; }
run sql --header "$f" 'SELECT 1 AS one, NULL AS two'
[ "$out" = "$(printf 'one\ttwo\n1\t')" ] || { show; fail "header"; }
run sql "$f" "SELECT 'a' || char(9) || 'b' || char(10) || char(27) || '\\'"
[ "$out" = 'a\tb\n\x1b\\' ] || { show; fail "a cell must stay one line"; }
run sql "$f" 'SELECT 1; SELECT 2'
[ "$out" = "$(printf '1\n2')" ] || { show; fail "two statements"; }

# one argument: a query when it can be no file
(cd "$dir" && cp redis.db loopscope.db && "$loopscope" sql 'SELECT count(*) FROM loop') > "$dir/out" || fail "query alone"
[ "$(cat "$dir/out")" = "$(ask "$f" 'SELECT count(*) FROM loop')" ] || fail "query alone: $(cat "$dir/out")"

# aligned on a terminal: numbers to the right
script -qec "'$loopscope' sql '$f' \"SELECT 7 AS seven, 'x' AS t UNION ALL SELECT 12345, 'yy'\"" /dev/null < /dev/null |
    tr -d '\r' > "$dir/out"
[ "$(cat "$dir/out")" = "$(printf 'seven  t\n    7  x\n12345  yy')" ] || { cat "$dir/out"; fail "not aligned"; }

# without a query: the real shell, read-only
echo 'SELECT 40 + 2;' | "$loopscope" sql "$f" > "$dir/out" || fail "the shell"
[ "$(cat "$dir/out")" = 42 ] || fail "the shell said: $(cat "$dir/out")"
echo 'DELETE FROM stall;' | "$loopscope" sql "$f" > "$dir/out" 2>&1
grep -q -i readonly "$dir/out" || fail "the shell could write: $(cat "$dir/out")"

refuses "syntax error" sql "$f" 'SELEC 1'
for change in 'DELETE FROM stall' 'CREATE TABLE x(a)' "ATTACH '$dir/new.db' AS n; CREATE TABLE n.x(a)" \
    'PRAGMA user_version = 7' "VACUUM INTO '$dir/copy.db'"; do
    run sql "$f" "$change"
done
[ "$(cksum < "$f")" = "$before" ] || fail "the file was changed"
[ ! -s "$dir/new.db" ] && [ ! -s "$dir/copy.db" ] || fail "a file was written"
