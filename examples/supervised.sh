#!/usr/bin/env bash
# What `make demo-supervised` shows: services come up, are looked at, scaled, hurt, and taken down with balanced books.
# The orchestrator and a Python are named by ORCHESTRATOR and PYTHON.
set -euo pipefail

file=examples/services.yaml
bold=""
plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m'
	plain=$'\033[0m'
fi

show() { # COMMAND ...: say what is called, and call it
	printf '\n%s$ %s%s\n' "$bold" "${*/#$ORCHESTRATOR/orchestrator}" "$plain"
	"$@"
}

of() { # PROCESS KEY: what `ps --json` says of a process of the pattern request_reply
	"$ORCHESTRATOR" ps "$file" --pattern request_reply --json | "$PYTHON" -c '
import json, sys
(run,) = json.load(sys.stdin)["runs"]
print(next(process[sys.argv[2]] for process in run["processes"] if process["name"] == sys.argv[1]))' "$1" "$2"
}

trap '"$ORCHESTRATOR" down "$file" > /dev/null 2>&1' EXIT # where something below fails

show "$ORCHESTRATOR" up "$file" --quiet
show "$ORCHESTRATOR" ps "$file"
show "$ORCHESTRATOR" scale worker=6 --file "$file" --pattern pipeline
show "$ORCHESTRATOR" ps "$file" --pattern pipeline
show kill -KILL "$(of server-1 pid)" # server-1
until [ "$(of server-1 state) $(of server-1 restarts)" = "running 1" ]; do :; done
show "$ORCHESTRATOR" ps "$file" --pattern request_reply
trap - EXIT
show "$ORCHESTRATOR" down "$file"
