#!/bin/busybox sh
# The first process of a guest whose root is a disk image. vng has the kernel start /bin/sh of the
# root that it exports over 9p, with vng's own init as argument; that root is a folder which holds
# little more than this script under that name. It mounts the image and a layer in memory over it,
# pivots into that, starts udev and the command, and lets the exported root go.
#
# /rootlet/settings  shell variables: fstype, interactive
# /rootlet/shares    lines "TAG PATH": folders of the host, for the guest's PATH
# /rootlet/modules/  what the kernel must load first, in order
# /rootlet/command   the script to run

die() {
	echo "rootlet: $*" >/dev/kmsg
	sync
	poweroff -f
}

# Programs run from memory, not from 9p, which keeps nothing of what it has read.
if [ "$1" != again ]; then
	/bin/busybox mount -t tmpfs -o mode=0755 tmpfs /run
	/bin/busybox mkdir /run/bin
	/bin/busybox cp /bin/busybox /run/bin/busybox
	/run/bin/busybox --install -s /run/bin
	cp /bin/sh /run/init
	export PATH=/run/bin
	exec /run/bin/sh /run/init again
fi

mount -t proc -o nosuid,noexec,nodev proc /proc
mount -t sysfs -o nosuid,noexec,nodev sys /sys
grep -q ' /dev devtmpfs' /proc/mounts || mount -t devtmpfs -o mode=0755,nosuid dev /dev
. /rootlet/settings
for module in /rootlet/modules/*.ko; do
	# Those that vng's initramfs has loaded are refused, and so is what the kernel cannot use: what
	# is missed then says so itself.
	[ ! -e "$module" ] || insmod "$module" 2>/dev/null
done

disk=
tries=0
while [ -z "$disk" ]; do
	for serial in /sys/block/*/serial; do
		[ -e "$serial" ] && [ "$(cat "$serial")" = rootlet-root ] || continue
		disk=${serial%/serial}
		disk=/dev/${disk##*/}
	done
	[ "$tries" -lt 200 ] || die "no disk with the root image: the kernel has no virtio_blk"
	tries=$((tries + 1))
	[ -n "$disk" ] || sleep 0.1
done

root=/run/root
mkdir /run/image /run/layer $root
mount -t "$fstype" -o ro "$disk" /run/image || die "the kernel cannot mount $fstype"
mount -t tmpfs -o mode=0755,size=75% layer /run/layer
mkdir /run/layer/upper /run/layer/work
mount -t overlay -o lowerdir=/run/image,upperdir=/run/layer/upper,workdir=/run/layer/work \
	overlay $root || die "the kernel has no overlayfs"
for folder in dev proc sys; do
	mount -o move /$folder $root/$folder
done
mount -t tmpfs -o mode=0755,nosuid,nodev run $root/run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp $root/tmp
mkdir -p $root/dev/pts $root/dev/shm $root/run/rootlet/bin $root/run/boot
mount -t devpts -o gid=5,mode=620,ptmxmode=666,nosuid,noexec devpts $root/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm $root/dev/shm
# What a kernel may lack. (There is no /dev/null at this moment.)
for what in debugfs:kernel/debug tracefs:kernel/tracing configfs:kernel/config \
	securityfs:kernel/security cgroup2:fs/cgroup; do
	mount -t "${what%%:*}" "${what%%:*}" "$root/sys/${what#*:}" 2>/run/lacking
done
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
	[ -e "$root/dev/${link%%:*}" ] || ln -s "${link#*:}" "$root/dev/${link%%:*}"
done
version=$(uname -r)
if [ -d "/lib/modules/$version" ]; then
	mkdir -p "$root/lib/modules/$version"
	mount -o bind "/lib/modules/$version" "$root/lib/modules/$version"
fi
while read -r tag path; do
	mkdir -p "$root$path"
	mount -t 9p -o version=9p2000.L,trans=virtio,access=any,msize=262144 "$tag" "$root$path" ||
		die "cannot mount the shared folder $path"
done </rootlet/shares
cp /rootlet/command $root/run/rootlet/command
cp /bin/busybox $root/run/rootlet/bin/busybox

cd $root
pivot_root . run/boot
cd /
box=/run/rootlet/bin/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
$box umount -l /run/boot
$box hostname rootlet
$box ifconfig lo up
udevd=/usr/lib/systemd/systemd-udevd
[ -x $udevd ] || udevd=/lib/systemd/systemd-udevd
if [ -x $udevd ]; then
	$udevd --daemon >/dev/null 2>&1
	udevadm trigger --type=subsystems --action=add
	udevadm trigger --type=devices --action=add
	udevadm settle --timeout=60
fi

port() {
	for name in /sys/class/virtio-ports/*/name; do
		[ "$($box cat "$name")" = "$1" ] || continue
		name=${name%/name}
		echo "/dev/${name##*/}"
	done
}

if [ -n "$interactive" ]; then
	# shellcheck disable=SC2154 # from the kernel's command line
	[ -n "$virtme_stty_con" ] && $box stty $virtme_stty_con </dev/ttyS0
	cd /root && $box setsid -c bash -l 0<>/dev/ttyS0 1>&0 2>&0
	echo "exit $?" >"$(port rootlet.status)"
else
	$box setsid sh /run/rootlet/command <"$(port virtme.stdin)" >"$(port virtme.stdout)" \
		2>"$(port virtme.stderr)"
fi
$box sync
$box poweroff -f
