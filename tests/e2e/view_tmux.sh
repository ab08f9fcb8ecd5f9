# view in a real terminal: it starts, resizes, suspends, and gives the terminal back on every way out.
# Always waits for what is on the screen, never for a time.
. tests/lib/e2e.sh
need tmux sqlite3
fixture view_shop
[ -x "$loopscope" ] || fail "$loopscope is not built"

tm() { tmux -L "loopscope$$" -f /dev/null "$@"; }
started_tmux() { tm kill-server 2> /dev/null; rm -rf "$dir"; }
trap started_tmux EXIT
screen() { tm capture-pane -p; }
shows() { screen | grep -qF -- "$1"; }
shows_not() { ! shows "$1"; }
see() { until_true shows "$1"; }
keys() { tm send-keys "$@"; }

# The pane runs a shell, so that the terminal can be looked at before and after.
env -u TMUX LC_ALL=C.UTF-8 PS1='' tmux -L "loopscope$$" -f /dev/null new-session -d -x 120 -y 35 \
    "env -u NO_COLOR LC_ALL=C.UTF-8 PS1='sh> ' sh" || skip "tmux cannot start here"
see 'sh>'
keys "stty -g > $dir/before; echo saved" Enter
see saved
modes_are_back() { # MARK
    keys "stty -g > $dir/after; echo $1=\$?" Enter
    see "$1=0"
    cmp -s "$dir/before" "$dir/after" || fail "$1: the terminal's modes are not as they were"
}
view() { keys "clear; $1 $loopscope view $2 $dir/view_shop.db; echo left=\$?" Enter; see "$3"; }
viewer_pid() { pid=$(tm list-panes -F '#{pane_pid}' | head -1); pgrep -P "$pid" -f "view .*view_shop.db" | head -1; }

# starts at the worst stall; q leaves
view "" "" "STALL"
see "0 lost"
see ">#412 checkout"
keys '?'
see "help: the keys of this screen"
keys q
until_true shows_not "help: the keys"
keys q
see "left=0"
modes_are_back quit

# resize: small, too small, and back; time and lane are kept
view "" "" "whole trace"
keys j j
see ">#3 accept-loop"
tm resize-window -x 80 -y 24
until_true shows_not "whole trace"
see ">#3 accept-loop"
tm resize-window -x 33 -y 8
see "this is 33x8. q quits."
tm resize-window -x 120 -y 35
see "whole trace"
see ">#3 accept-loop"
see "12.447 631 s"

# ^Z and fg
keys C-z
see "sh>"
keys "clear" Enter
keys "fg; echo again=\$?" Enter
see "whole trace"
keys q
see "again=0"
modes_are_back fg

# signals: the status is the signal's, the terminal is back
for each in TERM=143 HUP=129 SEGV=139 ABRT=134; do
    signal=${each%=*}
    view "ulimit -c 0;" "" "whole trace"
    kill -$signal "$(viewer_pid)"
    see "left=${each#*=}"
    modes_are_back "$signal"
done

# ^C; the shell gives up its line when a command dies of it
view "" "" "whole trace"
keys C-c
until_true shows_not "whole trace"
modes_are_back INT

# no colour when asked for none, colour otherwise
coloured() { tm capture-pane -pe | grep -q "$(printf '\033\\[[0-9;]*[34]8;5')"; }
view "NO_COLOR=1" "" "whole trace"
coloured && fail "NO_COLOR=1, and there is colour"
keys q
see "left=0"
view "" "" "whole trace"
coloured || fail "no colour on a terminal that has it"
keys q
see "left=0"

# old terminals
for type in linux vt100 screen; do
    view "TERM=$type" "--ascii" ">#412 checkout"
    keys q
    see "left=0"
    modes_are_back "$type"
done
keys "clear; TERM=dumb $loopscope view $dir/view_shop.db; echo left=\$?" Enter
see "left=2"
see "TERM=dumb"

# not a terminal at all
refuses "not a terminal" view "$dir/view_shop.db"
exit 0
