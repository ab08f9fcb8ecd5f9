# e2e.sh - for tests/e2e/*.sh: source it first.  Gives $loopscope, a private $dir (removed at the end, with what was
# started) and the checks below.  A check that fails ends the test and says what was expected and what was there.
B=${B:-build}
case $B in /*) ;; *) B=$PWD/$B ;; esac
loopscope=$B/loopscope
dir=$(mktemp -d) || exit 1
started=
trap 'for p in $started; do kill "$p" 2> /dev/null; done; rm -rf "$dir"' EXIT
unset PAGER LS_COLORS NO_COLOR

fail() { printf 'FAIL: %s\n' "$*"; exit 1; }
skip() { printf '%s\n' "$*"; exit 77; }
need() { for p in "$@"; do command -v "$p" > /dev/null || skip "$p is not installed"; done; }

# run ARG...: loopscope ARG..., with $status, and its output in $out and $err.
run() {
    "$loopscope" "$@" > "$dir/out" 2> "$dir/err" < /dev/null
    status=$?
    out=$(cat "$dir/out") err=$(cat "$dir/err")
}
show() { printf 'status %s\nstdout:\n%s\nstderr:\n%s\n' "$status" "$out" "$err"; }

expect_status() { [ "$status" = "$1" ] || { show; fail "status $1 was expected"; }; }
expect_out() { case $out in *"$1"*) ;; *) show; fail "stdout was expected to hold: $1" ;; esac; }
expect_err() { case $err in *"$1"*) ;; *) show; fail "stderr was expected to hold: $1" ;; esac; }
expect_no_out() { [ -z "$out" ] || { show; fail "nothing was expected on stdout"; }; }
expect_no_err() { [ -z "$err" ] || { show; fail "nothing was expected on stderr"; }; }

# refuses WORDS ARG...: exit 2, one line on stderr that holds WORDS, nothing on stdout.
refuses() {
    words=$1
    shift
    run "$@"
    expect_status 2
    expect_err "$words"
    expect_no_out
    case $err in
    "loopscope: "*) ;;
    *) show; fail "a message begins with 'loopscope: '" ;;
    esac
    [ "$(wc -l < "$dir/err")" = 1 ] || { show; fail "one line was expected on stderr"; }
}

# fixture NAME: the trace $dir/NAME.db from tests/fixtures/NAME.sql.
fixture() {
    cat tracer/record/schema.sql "tests/fixtures/$1.sql" | sqlite3 -bail "$dir/$1.db" > /dev/null ||
        fail "fixture $1 cannot be built"
}
# ask FILE SQL: by sqlite3, not by us.
ask() { sqlite3 -readonly "$1" "$2"; }
expect_sql() {
    was=$(ask "$1" "$2")
    [ "$was" = "$3" ] || fail "$2: '$3' was expected, it is '$was'"
}

# until COMMAND...: polls; a test never sleeps and hopes.  20 s at most.
until_true() {
    for _ in $(seq 400); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.05
    done
    fail "not true within 20 s: $*"
}
# start COMMAND...: in the background; its pid in $pid.
start() {
    "$@" < /dev/null > "$dir/started.out" 2>&1 &
    pid=$!
    started="$started $pid"
}
