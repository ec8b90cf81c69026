#!/bin/bash
# In the guest: prepares the devices and runs fstests' check with the arguments it is given. What it
# is to do stands in the environment:
#
#   ROOTLET_FSTYPE      the filesystem under test
#   ROOTLET_DEVICES     serial numbers of the disks: one for tests, the scratch pool, one for the log
#                       of writes where there are more than two
#   ROOTLET_SCHEDULER   their I/O scheduler; empty: the kernel's choice
#   ROOTLET_MKFS        a command in place of mkfs.FSTYPE, which gets the words of MKFS_OPTIONS and the device
#   ROOTLET_SOURCE      where fstests' tree comes from: "disk FSTYPE" (serial number rootlet-fstests),
#                       "folder PATH"
#   ROOTLET_CONFIG      set where the results folder holds a local.config of the user's
#   ROOTLET_LIST        set where the list of tests is wanted, as results/rootlet.list
#   MKFS_OPTIONS, MOUNT_OPTIONS, TEST_FS_MOUNT_OPTS as fstests has them
#
# Exit status: check's own, or 120 after a line "rootlet: WHY" where the tests could not begin.

results=/opt/rootlet/results
fstests=/opt/rootlet/fstests

fail() {
	echo "rootlet: $*"
	exit 120
}

# The node of the disk with this serial number, which takes a moment to come.
disk_of() {
	local tries name
	for ((tries = 0; tries < 600; tries++)); do
		for name in /sys/block/*/serial; do
			[[ -e $name && $(<"$name") == "$1" ]] || continue
			name=${name%/serial}
			echo "/dev/${name##*/}"
			return
		done
		sleep 0.1
	done
	fail "the guest has no disk $1"
}

# Read-only below, in memory above: tests write beside themselves.
mount_fstests() {
	local kind=${ROOTLET_SOURCE%% *} what=${ROOTLET_SOURCE#* } lower=/run/rootlet/fstests disk
	mkdir -p "$lower/lower" "$lower/layer" "$fstests"
	if [[ $kind == disk ]]; then
		disk=$(disk_of rootlet-fstests) || { echo "$disk"; exit 120; }
		mount -t "$what" -o ro "$disk" "$lower/lower" || fail "cannot mount the image of fstests"
	else
		mount --bind "$what" "$lower/lower" || fail "cannot mount fstests"
	fi
	mount -t tmpfs -o mode=0755 layer "$lower/layer" && mkdir "$lower/layer/upper" "$lower/layer/work" &&
		mount -t overlay -o "lowerdir=$lower/lower,upperdir=$lower/layer/upper,workdir=$lower/layer/work" \
			fstests "$fstests" || fail "cannot mount a layer over fstests"
}

# Libraries that came with fstests (.rootlet/lib, see build-fstests.sh), for those that this root does
# not have: never in place of its own. A setuid program, and one of another user, finds them too.
offer_libraries() {
	local carried=$fstests/.rootlet/lib offered=/run/rootlet/lib own name added=''
	[[ -d $carried ]] || return 0
	own=$(ldconfig -p) || fail "cannot list the libraries of the guest"
	mkdir -p "$offered"
	for name in "$carried"/*; do
		name=${name##*/}
		[[ $own == *$'\n\t'"$name ("* ]] && continue
		ln -sf "$carried/$name" "$offered/$name" || fail "cannot offer $name to programs"
		added=1
	done
	[[ -n $added ]] || return 0
	printf 'include /etc/ld.so.conf\n%s\n' "$offered" >/run/rootlet/ld.so.conf
	# Over the root's own, which may be read-only.
	ldconfig -X -f /run/rootlet/ld.so.conf -C /run/rootlet/ld.so.cache &&
		mount --bind /run/rootlet/ld.so.cache /etc/ld.so.cache ||
		fail "cannot offer libraries to programs"
}

# What keeps programs of fstests from starting is an error of the run, not of the tests that call
# them. results/rootlet.needs names what to try: frontend/fstests/needs.h.
check_programs() {
	local kind what program command said lacks=()
	[[ -e $results/rootlet.needs ]] || return 0
	while IFS=$'\t' read -r kind what program command; do
		if [[ ! -x $what ]]; then
			lacks+=("$program needs $what")
		elif [[ $kind == script ]]; then
			[[ -z $command ]] || type -P "$command" >/dev/null || lacks+=("$program needs $command")
		elif ! said=$("$what" --list "$fstests/$program" 2>&1) || [[ $said == *" not found"* ]]; then
			said=$(grep -m 1 -e ' not found' -e ': error ' <<<"$said" || echo "$said")
			said=${said#*error while loading shared libraries: }
			read -r said <<<"${said#"$fstests/$program: "}"
			lacks+=("$program: ${said:0:200}")
		fi
	done <"$results/rootlet.needs"
	((${#lacks[@]} == 0)) || fail "the guest cannot start programs of fstests:$(
		printf ' %s;' "${lacks[@]:0:3}"
	) fix: let rootlet build fstests (--build), or create the rootfs with the missing package (rootlet create --include PACKAGE)"
}

set_scheduler() {
	local queue=/sys/block/${1#/dev/}/queue/scheduler
	[[ -n $ROOTLET_SCHEDULER ]] || return 0
	modprobe -q "$ROOTLET_SCHEDULER-iosched" 2>/dev/null
	modprobe -q "$ROOTLET_SCHEDULER" 2>/dev/null
	echo "$ROOTLET_SCHEDULER" 2>/dev/null >"$queue" ||
		fail "the kernel has no I/O scheduler $ROOTLET_SCHEDULER: $(cat "$queue")"
}

# What check starts with: by fstests' own reading of the first section of the configuration, else what
# rootlet was told. Prints a line each of the filesystem, its options and the device.
first_section() {
	local read=''
	[[ -z $ROOTLET_CONFIG || ! -e common/config ]] || read=$(
		[[ ! -e common/exit ]] || . common/exit
		export here=$PWD # for what is read next
		. common/config >/dev/null 2>&1
		# An overlay lies on a filesystem of its own.
		if [[ $FSTYP == overlay ]]; then
			FSTYP=${OVL_BASE_FSTYP:-$ROOTLET_FSTYPE} TEST_DEV=$OVL_BASE_TEST_DEV
		fi
		printf '%s\n' "$FSTYP" "$MKFS_OPTIONS" "$TEST_DEV"
	)
	# Of a configuration that it does not take, check itself says what is wrong.
	printf '%s\n' "${read:-$ROOTLET_FSTYPE
$MKFS_OPTIONS
$TEST_DEV}"
}

# check mounts TEST_DEV before it looks at any section but the first, and makes it from the second on
# where that is of another type.
make_test_device() {
	local first type device words output
	mapfile -t first < <(first_section)
	type=${first[0]} device=${first[2]}
	read -ra words <<<"${first[1]}"
	# A disk of the guest's root, or none at all, which check does not mount either.
	[[ " ${devices[*]} " == *" $device "* ]] || return 0
	modprobe -q "$type" 2>/dev/null
	umount "$TEST_DIR" 2>/dev/null
	if [[ -n $ROOTLET_MKFS && $type == "$ROOTLET_FSTYPE" ]]; then
		output=$($ROOTLET_MKFS "${words[@]}" "$device" 2>&1)
	else
		case $type in
		ext2 | ext3 | ext4) set -- "mkfs.$type" -q -F ;;
		xfs | btrfs | f2fs | bcachefs) set -- "mkfs.$type" -f ;;
		overlay | tmpfs | nfs | 9p | virtiofs) return 0 ;;
		*) set -- "mkfs.$type" ;;
		esac
		output=$("$@" "${words[@]}" "$device" 2>&1)
	fi || fail "cannot make a filesystem of type $type on $device: $output"
}

write_config() {
	export FSTYP=$ROOTLET_FSTYPE TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch RESULT_BASE=$results
	export TEST_DEV=$1 SCRATCH_DEV='' SCRATCH_DEV_POOL='' LOGWRITES_DEV=''
	shift
	if (($# > 1)); then
		export LOGWRITES_DEV=${!#}
		set -- "${@:1:$#-1}"
	fi
	if (($# == 1)); then
		export SCRATCH_DEV=$1
	else
		export SCRATCH_DEV_POOL=$*
	fi
	[[ -n $LOGWRITES_DEV ]] || unset LOGWRITES_DEV
	[[ -n $SCRATCH_DEV ]] || unset SCRATCH_DEV
	[[ -n $SCRATCH_DEV_POOL ]] || unset SCRATCH_DEV_POOL
	[[ ! -f $results/kernel.config ]] || export KCONFIG_PATH=$results/kernel.config
	if [[ -n $ROOTLET_CONFIG ]]; then
		export HOST_OPTIONS=$results/local.config RECREATE_TEST_DEV=true
	else
		# Not the one that a tree of the user's may hold, for another machine.
		rm -f "$fstests/local.config"
	fi
}

read -ra serials <<<"$ROOTLET_DEVICES"
devices=()
# On the host's root, vng names the modules by their path there, which may be below a folder that it
# covers, such as /var/tmp.
modules=/lib/modules/$(uname -r)
[[ ! -d /opt/rootlet/modules || -d $modules/kernel ]] || ln -sfn /opt/rootlet/modules "$modules"
# udev may not have come to it yet, nor be there at all.
modprobe -q virtio_blk 2>/dev/null
mount_fstests
offer_libraries
check_programs
modprobe -q "$ROOTLET_FSTYPE" 2>/dev/null
for serial in "${serials[@]}"; do
	device=$(disk_of "$serial") || { echo "$device"; exit 120; }
	set_scheduler "$device"
	devices+=("$device")
done
[[ -x $fstests/check ]] || fail "the tree of fstests has no program check"
cd "$fstests" || exit 120
# Where vng exports the root, not all of it can be written.
mkdir -p /mnt/test /mnt/scratch 2>/dev/null || {
	mount -t tmpfs mnt /mnt && mkdir /mnt/test /mnt/scratch
} || fail "cannot make folders to mount on"
write_config "${devices[@]}"
make_test_device
if [[ -n $ROOTLET_LIST ]]; then
	./check -n "$@" >"$results/rootlet.list" 2>&1
	# It goes through the sections, and leaves the filesystem of the last one.
	[[ -z $ROOTLET_CONFIG ]] || make_test_device
fi
./check "$@" 2>&1
status=$?
sync
exit $status
