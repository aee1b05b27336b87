# lib.sh: what every example's `run` does. Sourced by it; it then defines `start`, which starts what
# the example needs, and calls `example "$@"`.
#
# The commands to try are those of the example's README.md, and so is what they print: --check runs
# them and compares. Where things are elsewhere than the README says (a free port, another folder
# than /tmp/interim, another program than build/release/interim), its lines are fitted.
# shellcheck shell=bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
root=$(cd "$here/../.." && pwd)
name=$(basename "$here")
# shellcheck source=tests/packages
source "$root/tests/packages"

packages=("${packages_build[@]}" "${packages_show[@]}")
check=no
install=yes
ports=same
place=/tmp/interim
fit=()

help() {
    cat <<HELP
examples/$name/run - one of interim's examples; its README.md explains it

Usage:
  examples/$name/run [--no-install] [--free-ports]   start it, print what to try; Ctrl-C stops all
  examples/$name/run --check                         try it all, compare, exit 0 or 1

Options:
  --no-install   install nothing; whatever is missing must then be there already
  --free-ports   listen on ports that are free, not on those of the README
  --help         this text

Environment:
  INTERIM        run this binary instead of building one
HELP
}

read_arguments() {
    while (($#)); do
        case $1 in
        --check) check=yes ports=free ;;
        --free-ports) ports=free ;;
        --no-install) install=no ;;
        --help | -h) help; exit 0 ;;
        *) echo "unknown argument: $1" >&2; help >&2; exit 2 ;;
        esac
        shift
    done
}

build() {
    local out
    out=$(mktemp)
    echo "Building build/release/interim"
    if ! {
        { [[ -f build/release/build.ninja ]] || cmake --preset release -DINTERIM_TESTS=OFF; } &&
            cmake --build --preset release --target interim
    } >"$out" 2>&1; then
        cat "$out" >&2
        exit 1
    fi
    rm -f "$out"
}

# Everything that is started leaves its process id in $place/NAME.pid, what it says in NAME.log, and
# a proxy its access log in NAME.access. A process that takes over from another writes its id there.
prepare() {
    if [[ -z ${INTERIM:-} ]]; then
        [[ $install == no ]] || packages_install "${packages[@]}"
        cd "$root"
        build
        INTERIM=$root/build/release/interim
    fi
    INTERIM=$(realpath "$INTERIM")
    export INTERIM
    cd "$root"
    if [[ $check == yes ]]; then
        place=$(mktemp -d)
    elif ! mkdir -m 700 "$place"; then
        echo "Is another example running? If not, remove $place" >&2
        exit 1
    fi
    export PLACE=$place
    fit+=(-e "s#/tmp/interim/#$place/#g" -e "s#build/release/interim#$INTERIM#g")
    trap stop EXIT
    trap 'exit 0' INT TERM
}

stop() {
    trap - EXIT INT TERM
    local ids patience=100
    mapfile -t ids < <(cat "$place"/*.pid 2>/dev/null)
    if ((${#ids[@]})); then
        kill "${ids[@]}" 2>/dev/null || :
        while kill -0 "${ids[@]}" 2>/dev/null; do
            ((patience-- > 0)) || kill -KILL "${ids[@]}" 2>/dev/null || :
            sleep 0.05
        done
    fi
    rm -rf "$place"
}

# Waits until a file has a line that matches, and prints what matched. Fails when the process ends.
await() {
    local file=$1 pattern=$2 pid=$3
    until grep -soE -m 1 "$pattern" "$file"; do
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
}

# Waits for what $1 says when it listens, a pattern that ends in the port. Sets `port`.
await_port() {
    local what=$1 pattern=$2 said
    said=$(await "$place/$what.log" "$pattern" "$(cat "$place/$what.pid")") || {
        cat "$place/$what.log" >&2
        exit 1
    }
    port=${said##*[!0-9]}
}

# Where to listen, if the README says $1.
port_for() {
    if [[ $ports == free ]]; then echo 0; else echo "$1"; fi
}

# Where the README has the port $1, it is $2.
fit_port() {
    fit+=(-e "s/\b$1\b/$2/g")
}

# A demo origin: its port in the README, and what it calls itself. Sets `port`.
start_origin() {
    local at=$1 title=${2:-origin}
    python3 -B examples/origin.py "$(port_for "$at")" "$title" >"$place/$title.log" 2>&1 &
    echo $! >"$place/$title.pid"
    await_port "$title" '^[0-9]+$'
    fit_port "$at" "$port"
}

# The proxy: its port in the README, and a name. The policy is a copy that may be spoilt. Sets `port`.
start_proxy() {
    local at=$1 title=${2:-proxy}
    cp "$here/policy.lua" "$place/policy.lua"
    NODE=$title PORT=$(port_for "$at") "$INTERIM" run "$place/policy.lua" \
        >"$place/$title.access" 2>"$place/$title.log" &
    echo $! >"$place/$title.pid"
    await_port "$title" 'ready: listening on 127.0.0.1:[0-9]+'
    fit_port "$at" "$port"
}

# The lines of README.md that are to be tried, fitted to where things really are.
lines_to_try() {
    awk '/^```console$/ { on = 1; next } /^```$/ { if (on) print ""; on = 0 } on' "$here/README.md" |
        sed "${fit[@]}"
}

# Whether $1 is what $2 says; a line "..." there stands for any lines.
is_like() {
    local pattern='' line
    while IFS= read -r line; do
        if [[ $line == ... ]]; then
            pattern+='*'
        else
            # shellcheck disable=SC2001  # what is replaced is put back, behind a backslash
            pattern+=$(sed 's/[][\\*?]/\\&/g' <<<"$line")$'\n'
        fi
    done <<<"$2"
    # shellcheck disable=SC2053  # a pattern is what it is meant to be
    [[ $1$'\n' == $pattern ]]
}

tried=0
well=0
try() {
    local command=$1 expected got
    expected=$(printf '%s' "$2") # without the empty lines at its end, as `got` is
    # A line may fail by design (a refused upload): its status is not judged, what it printed is, below.
    got=$(bash -c "$command" 2>"$place/errors" </dev/null | tr -d '\r') || true
    tried=$((tried + 1))
    if is_like "$got" "$expected"; then
        well=$((well + 1))
        echo "ok    $command"
    else
        printf 'FAIL  %s\n--- expected\n%s\n--- got\n%s\n%s\n---\n' "$command" "$expected" "$got" \
            "$(cat "$place/errors")"
    fi
}

try_all() {
    local line command='' expected=''
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            [[ -z $command ]] || try "$command" "$expected"
            command=${line#'$ '}
            expected=''
        else
            expected+=$line$'\n'
        fi
    done < <(lines_to_try)
    [[ -z $command ]] || try "$command" "$expected"
    echo "$well of $tried lines of examples/$name/README.md do what it says"
    ((tried > 0 && well == tried))
}

show() {
    cat <<TEXT

Everything runs. The policy in use is $place/policy.lua, a copy of examples/$name/policy.lua:
edit it, then $INTERIM reload PID, with the process id of
$(cd "$place" && for each in *.access; do echo "    ${each%.access}: $(cat "${each%.access}.pid")"; done)
Try, in another terminal, in $root; what the proxy says appears
here. Ctrl-C stops everything.

TEXT
    lines_to_try
    tail -q -n 0 -f "$place"/*.access "$place"/*.log &
    echo $! >"$place/tail.pid"
    wait $!
}

example() {
    read_arguments "$@"
    prepare
    start
    if [[ $check == yes ]]; then try_all; else show; fi
}
