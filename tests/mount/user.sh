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
as_user "$3/edxfs" unmount "$mnt"
if grep -q " $mnt " /proc/self/mounts; then echo "still mounted"; else echo "unmounted"; fi
sha256sum "$3/rootmnt/courses/UniX-CHEM-R1/events/2015-03-04.log" | cut -d ' ' -f 1
"$3/edxfs" unmount "$3/rootmnt"
stat -c 'cache of %u, mode %a' "$home/.cache/edxfs/unix"
test -s "$home/.local/state/edxfs/unix.log" && echo "log written"
