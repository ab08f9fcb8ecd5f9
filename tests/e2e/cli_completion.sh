# The completion scripts: each shell that is here can read its own, and bash's gives the right words.
. tests/lib/e2e.sh
need bash
for shell in bash zsh fish; do
    run completion $shell
    expect_status 0
    expect_no_err
    command -v $shell > /dev/null || continue
    $shell -n "$dir/out" || fail "$shell cannot parse it"
done

# complete WORD...: what bash would offer for the last word
"$loopscope" completion bash > "$dir/bash" || fail "completion bash"
complete() {
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _loopscope; echo "${COMPREPLY[*]}"' \
        bash "$dir/bash" "$@"
}
offers() {
    want=$1
    shift
    [ "$(complete "$@")" = "$want" ] || fail "$*: offers '$(complete "$@")', not '$want'"
}
offers "record report repair" loopscope re
offers "place task loop" loopscope report --by ""
offers "place" loopscope report --by = p
offers "--json" loopscope report --js
offers "bash" loopscope completion b
offers "completion" loopscope help comp
touch "$dir/mine.db" "$dir/mine.txt"
offers "$dir/mine.db" loopscope info "$dir/mi"
