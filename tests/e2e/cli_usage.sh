# Wrong usage: exit 2 (record: 125), one line that says what and what next, nothing on stdout.
. tests/lib/e2e.sh

refuses "report: --by: 'x' is none of place, task, loop; see 'loopscope help report'" report --by x
refuses "report: --fail-if: 'call.nosuch>0': no call that is recorded has this name" report --fail-if 'call.nosuch>0'
refuses "view: -s: 'x' is not timeline" view -s x
refuses "report: --jsn: no such option (--json?)" report --jsn
refuses "sql: -z: no such option" sql -z
refuses "'b' is one argument too many" info a b
refuses "repair: needs FILE" repair
refuses "did you mean 'report'?" reprot
refuses "did you mean 'record'?" help rcord
refuses "see 'loopscope help'" frobnicate
refuses "see 'loopscope help'" --frobnicate
refuses "'tcsh' is none of bash, zsh, fish" completion tcsh
refuses '\x1b[31mred' "$(printf '\033[31mred')"

run
expect_status 2
expect_no_out
expect_err "usage: loopscope COMMAND"

run record --no-such-option true
expect_status 125
expect_err "record: --no-such-option: no such option"

# not even root moves what is no file out of the way
mkfifo "$dir/fifo"
run record -o "$dir/fifo" -- true
expect_status 125
expect_err "fifo: Not a regular file"
[ -p "$dir/fifo" ] || fail "record moved a fifo away"

run record --selftest "$dir/nosuch"
expect_status 1
expect_out "FAIL the command can be seen into: No such file or directory"
