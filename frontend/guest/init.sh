#!/bin/busybox sh
# shellcheck shell=dash
# The first process of a guest whose root is a disk image. vng makes the kernel start /bin/sh of the
# root that it exports over 9p, with vng's own init as argument. That root is a directory that contains
# little more than this script, as /bin/sh. The script mounts the image and an overlay in memory, and
# pivots into it. The rootfs's own shell then continues this script, with busybox neither running nor
# visible any more, and starts udev and the command.
#
# /rootlet/settings  sets shell variables: fstype, the images' filesystem; overlays, the number of images
#                    that lie on the rootfs's
# /rootlet/shares    lines "TAG PATH": mount the host directory TAG at PATH
# /rootlet/modules/  modules to load first, in this order
# /rootlet/command   the script to run

# <2> is printed at every log level that rootlet boots with.
die() {
	echo "<2>rootlet: $*" >/dev/kmsg
	power_off
}

# Tries sysrq first: the rootfs may lack poweroff, and the kernel may lack sysrq. Without either, the
# host ends the guest.
power_off() {
	sync
	if [ -e /proc/sysrq-trigger ]; then
		echo o >/proc/sysrq-trigger
	else
		poweroff -f
	fi
	while :; do
		sleep 60
	done
}

# --- in the boot root, with busybox ------------------------------------------------------------

# Sets $disk to the device of the disk with the serial number $1.
find_disk() {
	tries=0
	while [ "$tries" -lt 200 ]; do
		for serial in /sys/block/*/serial; do
			[ -e "$serial" ] && [ "$(cat "$serial")" = "$1" ] || continue
			disk=${serial%/serial}
			disk=/dev/${disk##*/}
			return
		done
		tries=$((tries + 1))
		sleep 0.1
	done
	die "the disk $1 is missing: the kernel has no virtio_blk"
}

# Mounts the image on the disk $1 at $2.
mount_image() {
	find_disk "$1"
	mkdir "$2"
	mount -t "$fstype" -o ro "$disk" "$2" || die "the kernel cannot mount $fstype"
}

# On a rootfs with a merged /usr, /sbin and the like are links into /usr. A directory of that name in the
# overlay $1 would hide the link, and with it what it leads to. Its content goes where the link leads.
merge_usr() {
	for name in bin sbin lib lib32 lib64 libx32; do
		[ -d "$1/$name" ] && [ ! -L "$1/$name" ] && [ -L "/run/image/$name" ] || continue
		mkdir -p "/run/layer/upper/usr/$name"
		cp -a "$1/$name/." "/run/layer/upper/usr/$name/" || die "no memory for an overlay's $name"
		[ -L "/run/layer/upper/$name" ] || cp -a "/run/image/$name" /run/layer/upper/
	done
}

mount_root() {
	local fstype='' overlays=0 number=0 lower=/run/image
	# shellcheck disable=SC1091 # it sets fstype and overlays
	. /rootlet/settings
	mkdir /run/layer $root
	mount_image rootlet-root /run/image
	mount -t tmpfs -o mode=0755,size=75% layer /run/layer
	mkdir /run/layer/upper /run/layer/work
	while [ "$number" -lt "$overlays" ]; do
		mount_image "rootlet-overlay$number" "/run/overlay$number"
		merge_usr "/run/overlay$number"
		lower=/run/overlay$number:$lower
		number=$((number + 1))
	done
	mount -t overlay -o lowerdir=$lower,upperdir=/run/layer/upper,workdir=/run/layer/work \
		overlay $root || die "the kernel has no overlayfs"
	[ "$overlays" = 0 ] || touch /run/overlaid
}

fill_root() {
	for directory in dev proc sys; do
		mount -o move /$directory $root/$directory
	done
	mount -t tmpfs -o mode=0755,nosuid,nodev run $root/run
	mount -t tmpfs -o mode=1777,nosuid,nodev tmp $root/tmp
	mkdir -p $root/dev/pts $root/dev/shm $root/run/rootlet $root/run/boot
	mount -t devpts -o gid=5,mode=620,ptmxmode=666,nosuid,noexec devpts $root/dev/pts
	mount -t tmpfs -o mode=1777,nosuid,nodev shm $root/dev/shm
	# The kernel may lack any of these. (/dev/null does not exist at this point.)
	for what in debugfs:kernel/debug tracefs:kernel/tracing configfs:kernel/config \
		securityfs:kernel/security cgroup2:fs/cgroup; do
		mount -t "${what%%:*}" "${what%%:*}" "$root/sys/${what#*:}" 2>/run/lacking
	done
	for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 \
		stderr:/proc/self/fd/2; do
		[ -e "$root/dev/${link%%:*}" ] || ln -s "${link#*:}" "$root/dev/${link%%:*}"
	done
}

mount_shares() {
	version=$(uname -r)
	if [ -d "/lib/modules/$version" ]; then
		mkdir -p "$root/lib/modules/$version"
		mount -o bind "/lib/modules/$version" "$root/lib/modules/$version"
	fi
	while read -r tag path; do
		mkdir -p "$root$path"
		mount -t 9p -o version=9p2000.L,trans=virtio,access=any,msize=262144 "$tag" "$root$path" ||
			die "cannot mount the shared directory $path"
	done </rootlet/shares
}

boot() {
	root=/run/root
	mount -t proc -o nosuid,noexec,nodev proc /proc
	mount -t sysfs -o nosuid,noexec,nodev sys /sys
	grep -q ' /dev devtmpfs' /proc/mounts || mount -t devtmpfs -o mode=0755,nosuid dev /dev
	for module in /rootlet/modules/*.ko; do
		# Ignore errors: vng's initramfs may have loaded a module already, and a missing one
		# causes a clear error later.
		[ ! -e "$module" ] || insmod "$module" 2>/dev/null
	done
	mount_root
	fill_root
	mount_shares
	hostname rootlet
	ifconfig lo up
	cp /rootlet/command $root/run/rootlet/command
	cp "$0" $root/run/rootlet/init
	chroot $root /bin/sh -c : || die "the rootfs has no working /bin/sh"
	# An overlay may have libraries.
	[ ! -e /run/overlaid ] || chroot $root /sbin/ldconfig
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
	cd $root || die "cannot enter the root"
	/run/bin/busybox pivot_root . run/boot
	cd / || die "cannot enter the root"
	/run/boot/run/bin/busybox umount -l /run/boot
	exec /bin/sh /run/rootlet/init pivoted
}

# --- in the rootfs, with its own programs ------------------------------------------------------

# The machine id is empty in a rootfs: otherwise all guests would share it.
make_machine_id() {
	[ -e /etc/machine-id ] && [ ! -s /etc/machine-id ] || return 0
	IFS=- read -r a b c d e </proc/sys/kernel/random/uuid
	echo "$a$b$c$d$e" >/etc/machine-id
}

start_udev() {
	udevd=/usr/lib/systemd/systemd-udevd
	[ -x $udevd ] || udevd=/lib/systemd/systemd-udevd
	[ -x $udevd ] || return
	# Not as a child of process 1: before systemd 243, such a udevd assumes that its cgroup is its own
	# and kills everything in it when it becomes idle.
	sh -c '"$0" --daemon >/dev/null 2>&1; :' $udevd
	# Only devices that a test may use. Most are others, such as 71 ttys, and some of them make udev
	# load a module: together they would take an emulated guest as long as the kernel's own start.
	udevadm trigger --action=add --subsystem-match=block --subsystem-match=mem \
		--subsystem-match=misc --subsystem-match=net --subsystem-match=rtc \
		--subsystem-match=virtio --subsystem-match=virtio-ports
	udevadm settle --timeout=60
}

# Prints the device of one of vng's ports. The kernel learns a port's name from the host some time after
# it finds the port; udevadm settle does not wait for that.
port() {
	tries=0
	while [ "$tries" -lt 600 ]; do
		for file in /sys/class/virtio-ports/*/name; do
			[ -e "$file" ] && read -r name <"$file" && [ "$name" = "$1" ] || continue
			device=${file%/name}
			device=/dev/${device##*/}
			[ -c "$device" ] || continue
			echo "$device"
			return 0
		done
		tries=$((tries + 1))
		sleep 0.1
	done
	return 1
}

run_command() {
	rmdir /run/boot
	make_machine_id
	start_udev
	stdin=$(port virtme.stdin) && stdout=$(port virtme.stdout) && stderr=$(port virtme.stderr) ||
		die "the guest has no ports for the command: the kernel has no virtio_console"
	setsid sh /run/rootlet/command <"$stdin" >"$stdout" 2>"$stderr"
	power_off
}

case $1 in
pivoted)
	run_command
	;;
again)
	boot
	;;
*)
	# Run programs from memory, not from 9p, which does not cache.
	/bin/busybox mount -t tmpfs -o mode=0755 tmpfs /run
	/bin/busybox mkdir /run/bin
	/bin/busybox cp /bin/busybox /run/bin/busybox
	/run/bin/busybox --install -s /run/bin
	cp /bin/sh /run/init
	export PATH=/run/bin
	exec /run/bin/sh /run/init again
	;;
esac
