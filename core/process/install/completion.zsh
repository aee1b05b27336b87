#compdef interim
# Completion of interim's command line for zsh.

# Whom `interim reload` can ask: a parent has workers, which have the same name.
_interim_parents() {
    local expl
    _wanted processes expl 'process id' compadd -- $(
        for id in $(pgrep -x interim 2>/dev/null); do
            pgrep -x -P $id interim >/dev/null && print $id
        done)
}

local allowed='(io os ffi jit debug load)'
local levels='(debug info warning error)'
local -a running=(
    '--workers[worker processes]:number'
    '--allow[what a policy may use beside the usual]:names:'$allowed
    '--log-level[least important messages to write]:level:'$levels
    '--help[print a short help]'
    '--version[print the version]'
)

if ((CURRENT == 2)); then
    # Not both: where there are options, zsh shows nothing else.
    if [[ $PREFIX == -* ]]; then
        compadd -- --listen --upstream --workers --allow --log-level --help --version
    else
        _alternative \
            'commands:command:(run check reload upgrade status top try test types help)' \
            'policies:policy:_files -g "*.lua"'
    fi
    return
fi

case $words[2] in
run) shift words; ((CURRENT--)); _arguments $running '1:policy:_files -g "*.lua"' ;;
check)
    shift words; ((CURRENT--))
    _arguments '--allow[what a policy may use]:names:'$allowed \
        '--log-level[least important messages]:level:'$levels \
        '--help[print a short help]' '1:policy:_files -g "*.lua"' ;;
try)
    shift words; ((CURRENT--))
    _arguments '*-H[a field of the request]:field' '--body-size[bytes of a body]:number' \
        '--client[who asks]:address' '--response[the origin answers]:status' \
        '*-R[a field of the response]:field' \
        '--timeout[it is too slow]:kind:(body connect send response processing exchange)' \
        '--error[it fails]:kind:(refused unreachable closed bad_response no_upstream)' \
        '--allow[what the policy may use]:names:'$allowed \
        '--json[print one JSON object]' '--help[print a short help]' \
        '1:policy:_files -g "*.lua"' '2:method:(GET HEAD POST PUT PATCH DELETE OPTIONS)' '3:path' ;;
test)
    shift words; ((CURRENT--))
    _arguments '--allow[what policies may use]:names:'$allowed '--json[an object per test]' \
        '--tap[Test Anything Protocol]' \
        '--help[print a short help]' '*:file:_files' ;;
types)
    shift words; ((CURRENT--))
    _arguments '--output[write there]:file:_files' '--help[print a short help]' ;;
status)
    shift words; ((CURRENT--))
    _arguments '--json[what the listener has at /status]' '--help[print a short help]' \
        '1:process id or address:_interim_parents' ;;
top)
    shift words; ((CURRENT--))
    _arguments '--help[print a short help]' '1:process id or address:_interim_parents' ;;
reload | upgrade) shift words; ((CURRENT--)); _arguments '1:process id:_interim_parents' ;;
*)
    _arguments '*--listen[accept clients here]:address' '*--upstream[pass requests on]:address' \
        $running '*:policy:_files -g "*.lua"' ;;
esac
