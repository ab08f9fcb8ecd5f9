# help of every command, on stdout, the same by `help NAME` and `NAME --help`; it fits a terminal.
. tests/lib/e2e.sh

run help
expect_status 0
expect_no_err
commands=$(sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$dir/out")
for c in record report view info sql stop repair help version completion; do
    case " $(echo $commands) " in *" $c "*) ;; *) fail "help does not list $c" ;; esac
done
case $out in *record-into* | *record_into*) fail "help shows an internal command" ;; esac

for c in $commands; do
    run help "$c"
    expect_status 0
    expect_no_err
    expect_out "usage: loopscope $c"
    expect_out "-h, --help"
    by_name=$out
    for form in -h --help; do
        run "$c" "$form"
        expect_status 0
        [ "$out" = "$by_name" ] || { show; fail "$c $form differs from help $c"; }
    done
    [ "$(awk 'length > m { m = length } END { print m }' "$dir/out")" -le 120 ] || fail "help $c: lines over 120 columns"
done

run --version
expect_status 0
expect_out "trace format 1"

# an output that cannot be written is a failure; a reader that has gone is none
"$loopscope" help record > /dev/full 2> "$dir/err" && fail "a full disk went unnoticed"
grep -q 'standard output: No space left' "$dir/err" || fail "a full disk was not named: $(cat "$dir/err")"
"$loopscope" help 2> "$dir/err" | true
[ ! -s "$dir/err" ] || fail "SIGPIPE was not quiet: $(cat "$dir/err")"
