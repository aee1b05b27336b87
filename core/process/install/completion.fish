# Completion of interim's command line for fish.

# Whom `interim reload` can ask: a parent has workers, which have the same name.
function __interim_parents
    for id in (pgrep -x interim)
        pgrep -x -P $id interim >/dev/null; and echo $id
    end
end

set -l commands run check reload upgrade status top try test types help
complete -c interim -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c interim -n "not __fish_seen_subcommand_from $commands" -l listen -x -d "accept clients here"
complete -c interim -n "not __fish_seen_subcommand_from $commands" -l upstream -x -d "pass requests on"
complete -c interim -n "not __fish_seen_subcommand_from $commands" -l version -d "print the version"
complete -c interim -l help -d "print a short help"
complete -c interim -n "not __fish_seen_subcommand_from check reload upgrade status top try test types" -l workers -x -d "worker processes"
complete -c interim -n "not __fish_seen_subcommand_from reload upgrade status top types" -l allow -x -a "io os ffi jit debug load"
complete -c interim -n "not __fish_seen_subcommand_from status top try test types" -l log-level -x -a "debug info warning error"
complete -c interim -n "__fish_seen_subcommand_from reload upgrade status top" -x -a "(__interim_parents)"
complete -c interim -n "__fish_seen_subcommand_from try" -s H -x -d "a field of the request"
complete -c interim -n "__fish_seen_subcommand_from try" -s R -x -d "a field of the response"
complete -c interim -n "__fish_seen_subcommand_from try" -l body-size -x
complete -c interim -n "__fish_seen_subcommand_from try" -l client -x
complete -c interim -n "__fish_seen_subcommand_from try" -l response -x
complete -c interim -n "__fish_seen_subcommand_from try" -l timeout -x -a "body connect send response processing exchange"
complete -c interim -n "__fish_seen_subcommand_from try" -l error -x -a "refused unreachable closed bad_response no_upstream"
complete -c interim -n "__fish_seen_subcommand_from status try test" -l json -d "print JSON"
complete -c interim -n "__fish_seen_subcommand_from test" -l tap -d "print TAP"
complete -c interim -n "__fish_seen_subcommand_from types" -l output -r -d "write there"
