# Completion of interim's command line for bash.
# shellcheck shell=bash

# Whom `interim reload` can ask: a parent has workers, which have the same name.
_interim_parents() {
    local id
    for id in $(pgrep -x interim 2>/dev/null); do
        pgrep -x -P "$id" interim >/dev/null && echo "$id"
    done
}

_interim() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="run check reload upgrade status top try test types help"
    local running="--workers --allow --log-level --listen --upstream --help --version"
    COMPREPLY=()

    case $before in
    --log-level) mapfile -t COMPREPLY < <(compgen -W "debug info warning error" -- "$word"); return ;;
    --allow) mapfile -t COMPREPLY < <(compgen -W "io os ffi jit debug load" -- "$word"); return ;;
    --timeout)
        mapfile -t COMPREPLY < <(
            compgen -W "body connect send response processing exchange" -- "$word")
        return ;;
    --error)
        mapfile -t COMPREPLY < <(
            compgen -W "refused unreachable closed bad_response no_upstream" -- "$word")
        return ;;
    --workers | --listen | --upstream | --body-size | --client | --response | -H | -R) return ;;
    esac

    local options=$running
    case ${COMP_WORDS[1]} in
    check) options="--allow --log-level --help" ;;
    try)
        options="-H --body-size --client --response -R --timeout --error --allow --json --help"
        if ((COMP_CWORD == 3)); then
            mapfile -t COMPREPLY < <(compgen -W "GET HEAD POST PUT PATCH DELETE OPTIONS" -- "$word")
            return
        fi ;;
    test) options="--allow --json --tap --help" ;;
    types) options="--output --help" ;;
    reload | upgrade)
        mapfile -t COMPREPLY < <(compgen -W "$(_interim_parents)" -- "$word")
        return ;;
    status)
        mapfile -t COMPREPLY < <(compgen -W "$(_interim_parents) --json --help" -- "$word")
        return ;;
    top)
        mapfile -t COMPREPLY < <(compgen -W "$(_interim_parents) --help" -- "$word")
        return ;;
    help) return ;;
    esac

    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    if ((COMP_CWORD == 1)); then
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$commands" -- "$word")
    fi
}

complete -F _interim interim
