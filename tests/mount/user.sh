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
trap 'umount -l "$mnt" 2>/dev/null || true' EXIT
as_user "$3/edxfs" mount --org unix --folder "$3/data" --secret-key "$home/czar-secret.asc" \
    --passphrase-file "$home/passphrase.txt" --index off "$mnt"
as_user stat -c 'owned by %u:%g, mode %a' "$mnt/README.txt"
as_user sha256sum "$mnt/courses/UniX-CHEM-R1/events/2015-03-04.log" | cut -d ' ' -f 1
if cat "$mnt/README.txt" >/dev/null 2>&1; then echo "root may read it"; else echo "root may not read it"; fi
if as_user touch "$mnt/x" 2>/dev/null; then echo "it can be changed"; else echo "it cannot be changed"; fi
as_user "$3/edxfs" status --json "$mnt" | grep -o '"problems":[0-9]*'
as_user "$3/edxfs" unmount "$mnt"
if grep -q " $mnt " /proc/self/mounts; then echo "still mounted"; else echo "unmounted"; fi
stat -c 'cache of %u, mode %a' "$home/.cache/edxfs/unix"
test -s "$home/.local/state/edxfs/unix.log" && echo "log written"
