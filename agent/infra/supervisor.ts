/**
 * The parent of a run's command: one small POSIX shell, so that the run outlives the agent. It is the leader of the run's
 * process group, and does four things:
 * - it starts the command only when the agent has written down this process (`go` on standard input; a closed pipe means that
 *   the agent died before that, and that nothing was executed);
 * - it writes the command's status and a newline to `exit`, where also an agent started later finds it; nobody reads it before
 *   the supervisor is gone;
 * - it ends whatever the command leaves behind in the group;
 * - it fences the run: without a renewed lease the group gets SIGTERM, and SIGKILL when the grace is over.
 *
 * The signals that reach the whole group are caught, not ignored: a caught signal is back at its default in the command.
 * `command -p` finds the system's own tools whatever `PATH` the run has.
 *
 * Arguments: the run's folder, then the command and its words.
 */
export const SUPERVISOR_SCRIPT = String.raw`
set -u
folder=$1
shift
trap : HUP INT QUIT TERM

# Seconds on the clock that the agent stamps leases with (host-clock.ts).
read_clock() {
  if [ -r /proc/uptime ]; then
    read -r now rest </proc/uptime
    now=${'${now%%.*}'}
  else
    now=$(command -p date +%s)
  fi
}

# Leases hold two whole numbers: the stamp of the last renewal, and how many seconds it lasts.
guard() {
  trap : HUP INT QUIT TERM
  stamp=0 lasts=0 ending=
  while :; do
    if read -r new_stamp new_lasts <"$folder/lease"; then
      stamp=$new_stamp lasts=$new_lasts
    fi 2>/dev/null
    read_clock
    age=$((now - stamp))
    # The last tenth, ten seconds at most, is the command's time to end by itself.
    grace=$((lasts / 10 + 1))
    [ "$grace" -le 10 ] || grace=10
    if [ "$age" -ge "$lasts" ]; then
      : >"$folder/fenced"
      kill -KILL 0
    fi
    if [ "$age" -ge $((lasts - grace)) ]; then
      if [ -z "$ending" ]; then
        : >"$folder/fenced"
        ending=1
        kill -TERM 0
      fi
    elif [ -z "$ending" ]; then
      pause=$((lasts / 20))
      [ "$pause" -le 5 ] || pause=5
    fi
    if [ -n "$ending" ] || [ "$pause" -lt 1 ]; then
      pause=1
    fi
    command -p sleep "$pause"
  done
}

read -r word || exit 1
[ "$word" = go ] || exit 1
exec </dev/null

: >"$folder/started"
guard &
"$@" >>"$folder/output.log" 2>&1
status=$?
printf '%s\n' "$status" >"$folder/exit"
kill -KILL 0
`
