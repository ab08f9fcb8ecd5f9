# what `make install` puts somewhere is enough: pkg-config, C and C++ that compile with it, a recording, the man pages;
# and an array that is too large for a stack meets its guard page.
. tests/lib/e2e.sh
need pkg-config cc c++ man

make -s install "B=$B" "DESTDIR=$dir/root" PREFIX=/usr > "$dir/log" 2>&1 || { cat "$dir/log"; fail "make install"; }
export PKG_CONFIG_SYSROOT_DIR="$dir/root" PKG_CONFIG_PATH="$dir/root/usr/lib/pkgconfig" LD_LIBRARY_PATH="$dir/root/usr/lib"
flags=$(pkg-config --cflags --libs loopscope) || fail "pkg-config"

cat > "$dir/p.c" << 'EOF'
#include <loopscope/runtime.h>
#include <stdio.h>
static intptr_t greedy(void *arg)
{
    char line[200000]; /* the stack has 64 KiB */
    ls_sleep(LS_MS);
    return snprintf(line, sizeof line, "%p", arg);
}
static intptr_t app(void *arg)
{
    return arg ? ls_await(ls_spawn(greedy, arg, NULL), NULL, LS_NEVER) : ls_sleep(LS_MS);
}
int main(int argc, char **argv)
{
    return (int)ls_run(app, argc > 1 ? argv : NULL, NULL);
}
EOF
cc -O1 "$dir/p.c" -o "$dir/p" $flags || fail "cc"
cp "$dir/p.c" "$dir/p.cc" && c++ "$dir/p.cc" -o "$dir/pp" $flags || fail "c++"
"$dir/p" && "$dir/pp" || fail "the programs failed"

said=$(LOOPSCOPE_DEBUG=1 sh -c "ulimit -c 0; exec '$dir/p' greedy" 2>&1)
[ $? = 139 ] || fail "an array larger than the stack went unnoticed: $said"
case $said in *"task 'greedy' has used up its stack of 64 KiB"*) ;; *) fail "it said: $said" ;; esac

"$dir/root/usr/bin/loopscope" record -q -o "$dir/t.db" -- "$dir/p" || fail "record"
[ "$("$dir/root/usr/bin/loopscope" sql "$dir/t.db" "SELECT group_concat(name) FROM task")" = main ] || fail "the trace"
for page in 1/loopscope.1 3/loopscope-runtime.3; do
    man -l "$dir/root/usr/share/man/man$page" > "$dir/page" 2> "$dir/err" && [ ! -s "$dir/err" ] || fail "man $page"
done
make -s uninstall "DESTDIR=$dir/root" PREFIX=/usr > /dev/null
[ -z "$(find "$dir/root" -type f)" ] || fail "left behind: $(find "$dir/root" -type f)"
