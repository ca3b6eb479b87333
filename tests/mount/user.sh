# A mount by somebody who is not root, in a mount namespace of its own whose /dev/fuse everybody may open.
# Arguments: the program, the package's folder, a folder to work in. Prints what the user and root see.
set -eu
cp "$1" "$3/edxfs"
cp -r "$2/data" "$3/data"
mknod -m 666 "$3/fuse" c 10 229
mount --bind "$3/fuse" /dev/fuse
home="$3/home"
mnt="$home/mnt"
mkdir -m 700 "$home" "$mnt"
cp "$2/keys/czar-secret.asc" "$2/keys/passphrase.txt" "$home"
chmod 600 "$home"/*.*
chmod -R go+rX "$3/data" "$3/edxfs"
chown -R 65534:65534 "$home"
as_user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" HOME="$home" "$@"
}
trap 'for m in "$mnt" "$3/rootmnt"; do umount -l "$m" 2>/dev/null || true; done' EXIT
as_user "$3/edxfs" mount --org unix --folder "$3/data" --secret-key "$home/czar-secret.asc" \
    --passphrase-file "$home/passphrase.txt" --index off "$mnt"
as_user stat -c 'owned by %u:%g, mode %a' "$mnt/README.txt"
as_user sha256sum "$mnt/courses/UniX-CHEM-R1/events/2015-03-04.log" | cut -d ' ' -f 1
if cat "$mnt/README.txt" >/dev/null 2>&1; then echo "root may read it"; else echo "root may not read it"; fi
if as_user touch "$mnt/x" 2>/dev/null; then echo "it can be changed"; else echo "it cannot be changed"; fi
as_user "$3/edxfs" status --json "$mnt" | grep -o '"problems":[0-9]*'

# Root mounts the same package with a cache of its own beside it.
root_mount="--org unix --folder $3/data --secret-key $home/czar-secret.asc --cache-dir $3/rootcache"
mkdir "$3/rootmnt"
"$3/edxfs" mount $root_mount --passphrase-file "$home/passphrase.txt" --index off "$3/rootmnt"
sha256sum "$3/rootmnt/courses/UniX-CHEM-R1/events/2015-03-04.log" | cut -d ' ' -f 1
echo "the user sees $(as_user "$3/edxfs" status --json | wc -l) mount"
echo "root sees the user's mount: $("$3/edxfs" status --json | grep -c "$mnt" || true)"
code=0
as_user "$3/edxfs" cat --org unix --folder "$3/data" --cache-dir "$3/rootcache" README.txt 2>/dev/null || code=$?
echo "the user through root's cache: $code"
code=0
"$3/edxfs" cat --org unix --folder "$3/data" --cache-dir "$home/.cache/edxfs/unix" README.txt 2>/dev/null || code=$?
echo "root through the user's cache: $code"
# Somebody else listens on sockets with our name and takes up no connection.
python3 - "$3" <<'END' &
import os, socket, sys, time
os.setgroups([]); os.setgid(65533)
held = []
for name, mode in [("deaf", 0o700), ("open", 0o755)]:
    folder = os.path.join(sys.argv[1], name)
    os.mkdir(folder, mode)
    open(folder + "/lock", "w").write("1\n")
    os.chown(folder, 65533, 65533)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder + "/control.sock")
    os.chown(folder + "/control.sock", 65533, 65533)
    held.append(listener)
os.setuid(65533)
for listener in held[:]:
    listener.listen(0)
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        held.append(client)
        try:
            client.connect(listener.getsockname())
        except BlockingIOError:
            break
open(sys.argv[1] + "/deaf/full", "w").close()
time.sleep(600)
END
deaf=$!
reader=
trap 'kill $deaf $reader 2>/dev/null || true; for m in "$mnt" "$3/rootmnt"; do umount -l "$m" 2>/dev/null || true; done' EXIT
while [ ! -e "$3/deaf/full" ]; do kill -0 $deaf; sleep 0.05; done
echo "root sees its own mount: $(timeout 60 "$3/edxfs" status --json | grep -c "$3/rootmnt" || true)"

# Root may ask how the user's mount is, and end it, with files open too.
pid=$(cat "$home/.cache/edxfs/unix/lock")
timeout 60 "$3/edxfs" status --json "$mnt" | grep -q "\"pid\":$pid," && echo "root asks how the user's mount is"
setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'exec sleep 600 <"$0"' "$mnt/README.txt" >/dev/null 2>&1 &
reader=$!
until [ "$(readlink "/proc/$reader/fd/0")" = "$mnt/README.txt" ]; do kill -0 $reader; sleep 0.05; done
timeout 60 "$3/edxfs" unmount "$mnt" && echo "root unmounts it"
kill $reader
if grep -q '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null; then echo "its process goes on"; else echo "its process has ended"; fi
if grep -q " $mnt " /proc/self/mounts; then echo "still mounted"; else echo "unmounted"; fi
sha256sum "$3/rootmnt/courses/UniX-CHEM-R1/events/2015-03-04.log" | cut -d ' ' -f 1
timeout 60 "$3/edxfs" unmount "$3/rootmnt"
stat -c 'cache of %u, mode %a' "$home/.cache/edxfs/unix"
test -s "$home/.local/state/edxfs/unix.log" && echo "log written"
