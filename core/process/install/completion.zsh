#compdef interim
# Completion of interim's command line for zsh.

local -a running=(
    '--workers[worker processes]:number'
    '--allow[what a policy may use beside the usual]:names:(io os ffi jit debug load)'
    '--log-level[least important messages to write]:level:(debug info warning error)'
    '--help[print a short help]'
    '--version[print the version]'
)

if ((CURRENT == 2)); then
    _alternative \
        'commands:command:(run check reload upgrade status top try test types help)' \
        'options:option:(--listen --upstream --workers --allow --log-level --help --version)' \
        'policies:policy:_files -g "*.lua"'
    return
fi

case $words[2] in
run) shift words; ((CURRENT--)); _arguments $running '1:policy:_files -g "*.lua"' ;;
check)
    shift words; ((CURRENT--))
    _arguments '--allow[what a policy may use]:names' '--log-level[least important messages]:level' \
        '--help[print a short help]' '1:policy:_files -g "*.lua"' ;;
try)
    shift words; ((CURRENT--))
    _arguments '*-H[a field of the request]:field' '--body-size[bytes of a body]:number' \
        '--client[who asks]:address' '--response[the origin answers]:status' \
        '*-R[a field of the response]:field' \
        '--timeout[it is too slow]:kind:(body connect send response processing exchange)' \
        '--error[it fails]:kind:(refused unreachable closed bad_response no_upstream)' \
        '--allow[what the policy may use]:names' \
        '--json[print one JSON object]' '--help[print a short help]' \
        '1:policy:_files -g "*.lua"' '2:method:(GET HEAD POST PUT PATCH DELETE OPTIONS)' '3:path' ;;
test)
    shift words; ((CURRENT--))
    _arguments '--allow[what policies may use]:names' '--json[an object per test]' '--tap[Test Anything Protocol]' \
        '--help[print a short help]' '*:file:_files' ;;
types)
    shift words; ((CURRENT--))
    _arguments '--output[write there]:file:_files' '--help[print a short help]' ;;
status | top)
    shift words; ((CURRENT--))
    _arguments '--json[what the listener has at /status]' '--help[print a short help]' \
        '1:process id or address:_pids -m interim' ;;
reload | upgrade) _pids -m interim 2>/dev/null || _message 'process id' ;;
*)
    _arguments '*--listen[accept clients here]:address' '*--upstream[pass requests on]:address' \
        $running '*:policy:_files -g "*.lua"' ;;
esac
