# A file manager on a screen of its own, looking at folders of a mount with a thumbnailer at hand.
# Arguments: the mount's log (written to at every request), a picture to make ("" for none), folders. Prints the folders
# that it showed. Everything ends with this script, at the latest after two minutes.
set -eu
log=$1 picture=$2
shift 2
scratch=$(mktemp -d)
mkdir "$scratch/home"
export HOME="$scratch/home" XDG_RUNTIME_DIR="$scratch" GTK_THEME=Adwaita
started=""
trap 'for pid in $started; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$scratch"' EXIT

# Waits until a command succeeds.
until_it() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || { echo "no end of: $*" >&2; exit 1; }
        sleep 0.1
    done
}

# Whether nothing has been asked of the mount for two seconds.
is_calm() {
    size=$(stat -c %s "$log")
    sleep 2
    [ "$size" -eq "$(stat -c %s "$log")" ]
}

Xvfb -displayfd 3 -screen 0 900x640x24 -nolisten tcp 3>"$scratch/display" >/dev/null 2>&1 &
started=$!
until_it test -s "$scratch/display"
DISPLAY=:$(cat "$scratch/display")
export DISPLAY
for folder; do
    # dbus-run-session ends its bus with the program it runs.
    timeout 120 dbus-run-session -- thunar "$folder" >"$scratch/output" 2>&1 &
    thunar=$!
    started="$started $thunar"
    name=$(basename "$folder")
    until_it sh -c "xwininfo -root -tree | grep -q '\"$name - Thunar\"'"
    until_it is_calm
    [ -z "$picture" ] || import -window "$name - Thunar" "$picture"
    echo "$name"
    kill "$thunar"
    wait "$thunar" || true
done
