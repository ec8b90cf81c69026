#!/bin/bash
# Runs in the guest: prepares the devices, then asks on standard output what to do and reads it from
# standard input: frontend/fstests/guest_orders.h. Input from the environment:
#
#   ROOTLET_FSTYPE      the filesystem under test
#   ROOTLET_DEVICES     serial numbers of the disks: the test disk, the scratch pool and, if there are
#                       more than two, the log-writes disk
#   ROOTLET_SCHEDULER   their I/O scheduler; empty for the kernel's default
#   ROOTLET_MKFS        a command to run instead of mkfs.FSTYPE, with MKFS_OPTIONS and the device
#   ROOTLET_SOURCE      where the fstests tree is: "disk FSTYPE" (serial number rootlet-fstests) or
#                       `directory PATH`
#   ROOTLET_CONFIG      set if the results directory contains a local.config: "user" if it is the user's,
#                       "catalogue" if each of its sections is complete, and check gets one at a time
#   ROOTLET_TOKEN       begins each question
#   ROOTLET_MORE        set if check should ask for more tests before it ends
#   ROOTLET_KMEMLEAK    set if check should look for leaked memory after each test
#   ROOTLET_GCOV        set if the guest should leave what gcov counted
#   ROOTLET_RESULTS     this guest's part of the results directory; empty for all of it
#   MKFS_OPTIONS, MOUNT_OPTIONS, TEST_FS_MOUNT_OPTS as in fstests
#
# Exit status: the last check's, or 120 after a line "rootlet: WHY" if the tests could not start.

results=/opt/rootlet/results
fstests=/opt/rootlet/fstests
orders=/run/rootlet-orders

fail() {
	echo "rootlet: $*"
	exit 120
}

# Prints the device node of the disk with this serial number, which may take a moment to appear.
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

# Mounts fstests read-only with an overlay in memory: tests write into their own directories.
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
			fstests "$fstests" || fail "cannot mount an overlay over fstests"
}

# Provides the libraries that came with fstests (.rootlet/lib, see build-fstests.sh) if this root lacks
# them; never replaces its own. Setuid programs and those of other users find them, too.
offer_libraries() {
	local carried=$fstests/.rootlet/lib offered=/run/rootlet/lib own name added=''
	[[ -d $carried ]] || return 0
	own=$(ldconfig -p) || fail "cannot list the libraries of the guest"
	mkdir -p "$offered"
	for name in "$carried"/*; do
		name=${name##*/}
		[[ $own == *$'\n\t'"$name ("* ]] && continue
		ln -sf "$carried/$name" "$offered/$name" || fail "cannot provide the library $name"
		added=1
	done
	[[ -n $added ]] || return 0
	printf 'include /etc/ld.so.conf\n%s\n' "$offered" >/run/rootlet/ld.so.conf
	# Bind-mounted over the root's own cache, which may be read-only.
	ldconfig -X -f /run/rootlet/ld.so.conf -C /run/rootlet/ld.so.cache &&
		mount --bind /run/rootlet/ld.so.cache /etc/ld.so.cache ||
		fail "cannot provide the libraries of fstests"
}

# If programs of fstests cannot start, the run fails, not the tests that call them.
# results/rootlet.needs lists what to check: see frontend/fstests/needs.h.
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
	) fix: let rootlet build fstests (--build), or install the missing package (rootlet install PACKAGE)"
}

set_scheduler() {
	local queue=/sys/block/${1#/dev/}/queue/scheduler
	[[ -n $ROOTLET_SCHEDULER ]] || return 0
	modprobe -q "$ROOTLET_SCHEDULER-iosched" 2>/dev/null
	modprobe -q "$ROOTLET_SCHEDULER" 2>/dev/null
	echo "$ROOTLET_SCHEDULER" 2>/dev/null >"$queue" ||
		fail "the kernel has no I/O scheduler $ROOTLET_SCHEDULER: $(cat "$queue")"
}

# Prints what check starts with: the filesystem, its mkfs options, the device, and the scratch device if
# check does not format it; one per line. They come from the first section of the configuration, as fstests
# reads it, or else from rootlet's options.
first_section() {
	local read='' scratch=''
	[[ -z $ROOTLET_CONFIG || ! -e common/config ]] || read=$(
		[[ ! -e common/exit ]] || . common/exit
		export here=$PWD # common/config needs it
		. common/config >/dev/null 2>&1
		# An overlay lies on another filesystem.
		if [[ $FSTYP == overlay ]]; then
			FSTYP=${OVL_BASE_FSTYP:-$ROOTLET_FSTYPE} TEST_DEV=$OVL_BASE_TEST_DEV
			scratch=$OVL_BASE_SCRATCH_DEV
		elif [[ $FSTYP == xfs && $USE_EXTERNAL == yes ]]; then
			MKFS_OPTIONS+="${TEST_LOGDEV:+ -l logdev=$TEST_LOGDEV}${TEST_RTDEV:+ -r rtdev=$TEST_RTDEV}"
		fi
		printf '%s\n' "$FSTYP" "$MKFS_OPTIONS" "$TEST_DEV" "$scratch"
	)
	# If the configuration is invalid, check itself will say why.
	printf '%s\n' "${read:-$ROOTLET_FSTYPE
$MKFS_OPTIONS
$TEST_DEV}"
}

# Anything but a disk under test is a disk of the guest's root, or no disk at all; it is left alone.
make_filesystem() { # TYPE DEVICE [OPTION…]
	local type=$1 device=$2 output
	shift 2
	[[ " ${devices[*]} " == *" $device "* ]] || return 0
	modprobe -q "$type" 2>/dev/null
	if [[ -n $ROOTLET_MKFS && $type == "$ROOTLET_FSTYPE" ]]; then
		output=$($ROOTLET_MKFS "$@" "$device" 2>&1)
	else
		case $type in
		ext2 | ext3 | ext4) set -- "mkfs.$type" -q -F "$@" ;;
		xfs | btrfs | f2fs | bcachefs) set -- "mkfs.$type" -f "$@" ;;
		overlay | tmpfs | nfs | 9p | virtiofs) return 0 ;;
		*) set -- "mkfs.$type" "$@" ;;
		esac
		output=$("$@" "$device" 2>&1)
	fi || fail "cannot make a filesystem of type $type on $device: $output"
}

# check mounts TEST_DEV before it reads any section but the first, and recreates its filesystem for a
# later section of another type.
make_test_device() {
	local first words
	mapfile -t first < <(first_section)
	read -ra words <<<"${first[1]}"
	umount "$TEST_DIR" "$SCRATCH_MNT" 2>/dev/null
	make_filesystem "${first[0]}" "${first[2]}" "${words[@]}"
	[[ -z ${first[3]} ]] || make_filesystem "${first[0]}" "${first[3]}" "${words[@]}"
}

export_nfs() { # PATH[,OPTION]
	exportfs -o "rw,no_root_squash,insecure,no_subtree_check${1#"${1%%,*}"}" "127.0.0.1:${1%%,*}"
}

# Exports the test disk and the first scratch disk by NFS, to this guest itself.
serve_nfs() { # TYPE
	local name device
	modprobe -q nfsd
	modprobe -q nfs
	ip link set lo up
	mkdir -p /srv/rootlet
	# Version 4 needs a root that can be exported, which an overlay cannot.
	mount -t tmpfs -o mode=0755 root /srv/rootlet && export_nfs /srv/rootlet,fsid=0 || fail "cannot export a root"
	for name in test scratch; do
		[[ $name == test ]] && device=$TEST_DEV || device=$ROOTLET_SCRATCH1
		make_filesystem "$1" "$device"
		mkdir -p "/srv/rootlet/$name"
		mount -t "$1" "$device" "/srv/rootlet/$name" || fail "cannot mount $device to export it"
		export_nfs "/srv/rootlet/$name" || fail "cannot export $device"
	done
	mkdir -p /run/rpcbind
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
	# The time in which only clients of an earlier server may open files; there was none.
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	rpcinfo -p 127.0.0.1 >/dev/null 2>&1 || rpcbind -w || fail "cannot start rpcbind"
	rpc.nfsd 8 || fail "cannot start the NFS server"
	rpcinfo -t 127.0.0.1 mountd >/dev/null 2>&1 || rpc.mountd || fail "cannot start rpc.mountd"
}

stop_nfs() {
	mountpoint -q /srv/rootlet/test 2>/dev/null || return 0
	umount /mnt/test /mnt/scratch 2>/dev/null
	rpc.nfsd 0
	exportfs -ua
	umount /srv/rootlet/test /srv/rootlet/scratch /srv/rootlet || fail "cannot unmount what was exported"
}

# Prints a variable of the section that check gets.
section_value() {
	sed -n "s/^$1=\"\?\([^\"]*\)\"\?\$/\1/p" "$HOST_OPTIONS"
}

# Makes a section of the catalogue check's whole configuration, and prepares the disks for it. If that
# fails, it prints why; the next section may do better.
begin_section() { # SECTION
	local tool served absent=''
	sed -n "/^\[$1\]\$/,/^\$/p" "$results/local.config" >"$HOST_OPTIONS"
	for tool in $(section_value ROOTLET_TOOLS); do
		type -P "$tool" >/dev/null || absent+=" $tool"
	done
	(
		[[ -z $absent ]] || fail "section $1: the guest lacks$absent"
		stop_nfs
		served=$(section_value ROOTLET_SERVED)
		[[ -z $served ]] || (serve_nfs "$served") >/run/rootlet/nfs.log 2>&1 ||
			fail "section $1: $(tail -n 1 /run/rootlet/nfs.log | sed 's/^rootlet: //')"
		make_test_device
	)
}

# Lists the tests of each section, also if one of them cannot be prepared.
list_sections() {
	local section
	for section in $(sed -n 's/^\[\(.*\)\]$/\1/p' "$results/local.config"); do
		begin_section "$section" && ROOTLET_TOKEN='' ./check -n -s "$section" "$@"
	done
}

write_config() {
	export FSTYP=$ROOTLET_FSTYPE TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch
	export RESULT_BASE=$results${ROOTLET_RESULTS:+/$ROOTLET_RESULTS}
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
	# For sections of the catalogue that do not use them as a pool.
	export ROOTLET_SCRATCH1=$1 ROOTLET_SCRATCH2=$2 ROOTLET_SCRATCH3=$3 ROOTLET_SCRATCH4=$4 ROOTLET_SCRATCH5=$5
	[[ -n $LOGWRITES_DEV ]] || unset LOGWRITES_DEV
	[[ -n $SCRATCH_DEV ]] || unset SCRATCH_DEV
	[[ -n $SCRATCH_DEV_POOL ]] || unset SCRATCH_DEV_POOL
	[[ ! -f $results/kernel.config ]] || export KCONFIG_PATH=$results/kernel.config
	if [[ -n $ROOTLET_CONFIG ]]; then
		export HOST_OPTIONS=$results/local.config RECREATE_TEST_DEV=true
		[[ $ROOTLET_CONFIG != catalogue ]] ||
			HOST_OPTIONS=/run/rootlet/local.config RECREATE_TEST_DEV=false
	else
		# Ignore a local.config in the user's tree, which is for another machine.
		rm -f "$fstests/local.config"
	fi
}

# check itself scans after each test, if it can.
use_kmemleak() {
	local knob=/sys/kernel/debug/kmemleak
	[[ -n $ROOTLET_KMEMLEAK ]] || return 0
	[[ -e $knob ]] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	{ echo scan=off >"$knob"; } 2>/dev/null ||
		fail "--kmemleak: the kernel has no kmemleak, or it gave up: fix: build the kernel with$(
		) CONFIG_DEBUG_KMEMLEAK, and a larger CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE if console.log says so"
	export USE_KMEMLEAK=yes
}

# Only what tests execute counts.
use_gcov() {
	[[ -n $ROOTLET_GCOV ]] || return 0
	[[ -e /sys/kernel/debug/gcov ]] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	{ echo 1 >/sys/kernel/debug/gcov/reset; } 2>/dev/null ||
		fail "--gcov: the kernel counts nothing: fix: build it with CONFIG_GCOV_KERNEL"
}

# The files' sizes say 0, which tar would believe: it gets copies.
save_gcov() {
	local from=/sys/kernel/debug/gcov copy=/run/rootlet/gcov number=1 file
	[[ -n $ROOTLET_GCOV ]] || return 0
	while read -r file; do
		mkdir -p "$copy/${file%/*}" && cat "$from/$file" >"$copy/$file"
	done < <(cd $from && find . -name '*.gcda')
	while [[ -e $RESULT_BASE/gcov-$number.tar ]]; do
		((number++))
	done
	tar -C "$copy" -cf "$RESULT_BASE/gcov-$number.tar" . || echo "rootlet: cannot save what gcov counted"
	rm -rf "$copy"
}

# Sets ORDER to the answer.
ask() {
	printf '%s %s\n' "$ROOTLET_TOKEN" "$1"
	IFS=$'\037' read -ra order <"$orders"
}

# Called by check, in its loop over the tests in _list.
rootlet_more() {
	local order test
	[[ -n $ROOTLET_TOKEN ]] && ask more && ((${#order[@]} > 1)) || return
	for test in "${order[@]:1}"; do
		_list+=("$SRC_DIR/$test")
	done
}

# Changes check in this guest: when its list of tests ends, it asks for more. Fails if check has no such
# loop, as those before 2022.
let_check_ask() {
	local loop='for ((ix = 0; ix < ${#_list\[\*\]};'
	grep -q "^[[:space:]]*$loop.*)); do\$" check || return
	sed -i "s/$loop\(.*\)/for ((ix = 0; ;\1\n((ix < \${#_list[*]})) || rootlet_more || break/" check || return
	export -f ask rootlet_more
	export ROOTLET_TOKEN orders
}

# Prints the section that an order names.
section_of() {
	while (($#)) && [[ $1 != -s ]]; do
		shift
	done
	echo "$2"
}

# Runs a command in a session keyring of its own, as a login does. Without one, each keyctl(1) creates a
# session keyring that is destroyed when it exits, and encryption tests lose their keys. keyctl prints the
# keyring's id.
in_session() {
	if command -v keyctl >/dev/null && keyctl session - true >/dev/null 2>&1; then
		keyctl session - bash -c 'exec "$@" 2>&1' session "$@" 2>/dev/null
	else
		"$@" 2>&1
	fi
}

exec 7<&0 </dev/null # only orders come from there
read -ra serials <<<"$ROOTLET_DEVICES"
devices=()
# With the host's root, vng links to the modules by their host path, which may be below a directory that
# it covers, such as /var/tmp.
modules=/lib/modules/$(uname -r)
[[ ! -d /opt/rootlet/modules || -d $modules/kernel ]] || ln -sfn /opt/rootlet/modules "$modules"
# udev may not have loaded it yet, or may be missing.
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
[[ -x $fstests/check ]] || fail "the fstests tree has no check script"
cd "$fstests" || exit 120
# If vng exports the root, parts of it are read-only.
mkdir -p /mnt/test /mnt/scratch 2>/dev/null || {
	mount -t tmpfs mnt /mnt && mkdir /mnt/test /mnt/scratch
} || fail "cannot create the mount points"
write_config "${devices[@]}"
[[ $ROOTLET_CONFIG == catalogue ]] || make_test_device
use_kmemleak
use_gcov
mkfifo "$orders" || fail "cannot create $orders"
# Neither check nor a test inherits the pipe from the host.
while IFS= read -r order; do
	printf '%s\n' "$order" >"$orders"
done <&7 &
relay=$!
exec 7<&-
will_ask='' changed=''
[[ -z $ROOTLET_MORE ]] || ! let_check_ask || will_ask="more"
status=0
while order=() && ask "ready $status $will_ask"; do
	case ${order[0]} in
	list)
		if [[ $ROOTLET_CONFIG == catalogue ]]; then
			list_sections "${order[@]:1}" >"$results/rootlet.list" 2>&1
			status=0
		else
			ROOTLET_TOKEN='' ./check -n "${order[@]:1}" >"$results/rootlet.list" 2>&1
			status=$?
			changed=1 # check -n goes through all sections and leaves the last one's filesystem
		fi
		;;
	run)
		if [[ $ROOTLET_CONFIG == catalogue ]] && ! begin_section "$(section_of "${order[@]:1}")"; then
			status=1
			continue
		fi
		[[ $ROOTLET_CONFIG != user || -z $changed ]] || make_test_device
		in_session ./check "${order[@]:1}"
		status=$?
		changed=1
		sync
		;;
	*) break ;;
	esac
done
kill "$relay"
save_gcov
exit $status
