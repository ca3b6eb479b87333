# Installs the package in a fresh Debian root as root would, uses it, and takes it off again.
# Arguments: the package, a folder to work in. Runs in mount and process namespaces of its own, which end with it.
set -eu
package=$1
root=$2/root
log=$2/log
trap 'code=$?; [ $code -eq 0 ] || tail -n 40 "$log"; exit $code' EXIT

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\).*/\2/p' /etc/apt/sources.list.d/debian.sources \
    /etc/apt/sources.list 2>/dev/null | head -n 1)
# With what the demo and a desktop have, and what the package depends on: it must leave all of that as it was.
debootstrap --variant=minbase --include=ca-certificates,fuse3,gnupg,libglib2.0-bin,shared-mime-info,zip \
    "$release" "$root" "${mirror:-http://deb.debian.org/debian}" >"$log" 2>&1
# The machine's own way to packages, whatever it is.
rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d"
cp -r /etc/apt/sources.list.d "$root/etc/apt/"
cp /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || true
apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/99machine" || true
cp /etc/resolv.conf /etc/hosts "$root/etc/"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
touch "$root/dev/fuse"
mount --bind /dev/fuse "$root/dev/fuse"
cp "$package" "$root/root/edxfs.deb"

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}
# Every file but what apt and dpkg keep for themselves, logs, what runs, and what root has at home.
names() {
    inside find / -xdev \( -path /proc -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
        -o -path /run -o -path /root -o -path /tmp \) -prune -o -print | sort
}
fail() {
    echo "$*"
    exit 1
}

inside apt-get update -q >>"$log" 2>&1 || fail "the root has no way to packages"
names >"$2/before"
(cd "$root" && find etc -type f -exec sha256sum {} +) | sort >"$2/settings-before"

inside apt-get install -q -y --no-install-recommends /root/edxfs.deb >>"$log" 2>&1 || fail "it cannot be installed"
for file in /usr/bin/edxfs /sbin/mount.edxfs '/usr/lib/systemd/system/edxfs@.service' '/usr/lib/systemd/user/edxfs@.service' \
    /usr/share/man/man1/edxfs-mount.1.gz /usr/share/man/man8/mount.edxfs.8.gz \
    /usr/share/bash-completion/completions/edxfs /usr/share/zsh/vendor-completions/_edxfs \
    /usr/share/fish/vendor_completions.d/edxfs.fish /usr/share/mime/packages/edxfs.xml; do
    inside test -s "$file" || fail "$file is not installed"
done
inside bash -n /usr/share/bash-completion/completions/edxfs || fail "the completions are not right"
echo plain >"$root/tmp/samced.db"
inside gio info -a standard::content-type /tmp/samced.db | grep -q vnd.sqlite3 || fail "the types are not known"

# The demo, in the background; it ends with its mount.
inside edxfs demo --days 2 --events-per-day 50 --courses 2 /root/demo >>"$log" 2>&1 || fail "the demo does not mount"
inside grep -q UniX-CHEM-R1 /root/demo/courses.tsv || fail "the demo does not answer"
inside edxfs unmount /root/demo

# A line of fstab, found by mount(8) itself.
inside edxfs demo --days 2 --events-per-day 50 --courses 2 --folder /root/package >>"$log" 2>&1
mkdir -p "$root/root/mnt"
cat >"$root/root/x.toml" <<'CONFIG'
org = "unix"
folder = "package/data"
secret-key = "package/keys/czar-secret.asc"
passphrase-file = "package/keys/passphrase.txt"
cache-dir = "cache"
log-file = "log"
CONFIG
echo '/root/x.toml /root/mnt edxfs _netdev,noauto,user,nofail,x-systemd.automount,index=off,dir_mode=0500 0 0' >"$root/root/fstab"
inside mount -T /root/fstab /root/mnt || fail "mount(8) does not mount"
grep -q "^/root/x.toml .*/root/mnt fuse.edxfs ro," /proc/self/mounts || fail "$(grep mnt /proc/self/mounts)"
inside grep -q UniX-CHEM-R1 /root/mnt/courses.tsv || fail "the mount does not answer"
sed -i s/noauto,// "$root/root/fstab"
inside mount -a -T /root/fstab || fail "mount -a mounts what is mounted"
inside umount /root/mnt
code=0
inside mount -t edxfs -o nonsense /root/x.toml /root/mnt 2>>"$log" || code=$?
[ $code -eq 1 ] || fail "an unknown option is exit code $code"
mkdir -p "$root/var/cache/edxfs/unix"
# As after `systemctl enable edxfs@x`.
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s /lib/systemd/system/edxfs@.service "$root/etc/systemd/system/multi-user.target.wants/edxfs@x.service"

inside apt-get remove -q -y edxfs >>"$log" 2>&1 || fail "it cannot be removed"
inside test ! -e /usr/bin/edxfs || fail "it is still there"
inside apt-get purge -q -y edxfs >>"$log" 2>&1 || fail "it cannot be purged"
names >"$2/after"
(cd "$root" && find etc -type f -exec sha256sum {} +) | sort >"$2/settings-after"
diff "$2/before" "$2/after" || fail "files are left, or gone"
diff "$2/settings-before" "$2/settings-after" || fail "settings of others have changed"
inside test ! -L /etc/systemd/system/multi-user.target.wants/edxfs@x.service || fail "an instance is still enabled"
inside test ! -e /var/cache/edxfs || fail "the cache is left"
echo "nothing is left"
