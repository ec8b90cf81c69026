# shellcheck shell=sh disable=SC2154
# Runs the command in every guest. rootlet prepends lines that set the command's words ("$@"; none for a
# login shell) and
#
#   tree           set if / is the rootfs itself, which the guest cannot write to
#   terminal       the terminal's type, for TERM; empty if the command gets none
#   rows, columns  the terminal's size
#
# Writes "started" and "exit N" to the port rootlet.status. With a terminal, standard input receives a
# line "ROWS COLUMNS" each time the size changes.

# Searches sysfs, since with some kernels udev does not create its links by name.
find_status_port() {
	tries=0
	while [ "$tries" -lt 600 ]; do
		for file in /sys/class/virtio-ports/*/name; do
			[ -e "$file" ] && read -r name <"$file" && [ "$name" = rootlet.status ] || continue
			port=${file%/name}
			port=/dev/${port##*/}
			[ ! -c "$port" ] || return 0
		done
		tries=$((tries + 1))
		sleep 0.1
	done
	return 1
}

# vng's init starts udevd as a child of process 1. Before systemd 243, such a udevd kills everything in
# its cgroup when it becomes idle.
leave_cgroup() {
	group=/sys/fs/cgroup/rootlet
	mkdir $group && for pid in $PPID $$; do
		echo "$pid" >$group/cgroup.procs
	done
} 2>/dev/null

# Mounts an overlay in memory over / and moves the mounts of vng's init to it. pivot_root changes the
# root of every process, including that init.
make_root_writable() {
	new=/run/rootlet-root
	layers=lowerdir=/,upperdir=$new/upper,workdir=$new/work
	mkdir -p $new && mount -t tmpfs -o mode=0755,size=75% layer $new &&
		mkdir $new/upper $new/work $new/root || return
	# 9p uses all 64 bits of inode numbers, so overlayfs has no spare bits for xino.
	mount -t overlay -o "xino=off,$layers" overlay $new/root 2>/dev/null ||
		mount -t overlay -o "$layers" overlay $new/root || return
	points=
	while read -r id parent _ _ point _; do
		if [ "$point" = / ]; then
			top=$id points=
		elif [ "$parent" = "$top" ]; then
			points="$points $point"
		fi
	done </proc/self/mountinfo
	mkdir -p $new/root/.rootlet && cd $new/root && pivot_root . .rootlet || return
	cd / || return
	mount --move /.rootlet/proc /proc
	# vng's init mounts on /usr and /lib concurrently, and /lib may be below /usr. A covered mount
	# cannot be moved, and is not needed.
	for point in $points; do
		[ "$point" = /proc ] || mount --move "/.rootlet$point" "$point" 2>/dev/null
	done
	umount -l /.rootlet && rmdir /.rootlet
	umount -l $new && rmdir $new
}

# Runs the command as ssh -t does. When the session leader exits, the kernel discards unsent output. So
# the leader is a shell, which outlives the command and drains the terminal with stty. It uses a trap
# because, unlike ignored signals, the command does not inherit it.
run_on_terminal() (
	exec 8<&0 7<>/dev/hvc0
	stty rows "$rows" cols "$columns" iutf8 <&7
	while read -r rows columns; do
		stty rows "$rows" cols "$columns" <&7
	done <&8 9>&- &
	export TERM="$terminal"
	if [ $# -eq 0 ]; then
		cd /root || cd /
		set -- bash -l
		command -v bash >/dev/null || set -- sh -l
	fi
	echo started >&9
	# shellcheck disable=SC2016 # for the shell inside
	exec setsid -c -w sh -c \
		'trap : INT QUIT; (exec "$@"); status=$?; stty iutf8; exit $status' sh "$@" \
		<&7 >&7 2>&7 7>&- 8<&- 9>&-
)

# Unset vng's words for its own init: the kernel passes unknown parameters on as environment variables.
for name in $(env | sed -n 's/^\(virtme_[A-Za-z0-9_]*\|nr_open\)=.*/\1/p'); do
	unset "$name"
done
unset OLDPWD
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
[ -z "$tree" ] || leave_cgroup
[ -z "$tree" ] || make_root_writable ||
	echo "rootlet: the guest cannot write to / and /root: its kernel has no overlayfs" >&2
find_status_port || exit 1
# The command does not inherit the port, or a process that it leaves behind would keep it open.
exec 9>"$port" || exit 1
if [ -n "$terminal" ]; then
	run_on_terminal "$@"
else
	echo started >&9
	(exec 9>&-; exec "$@")
fi
echo "exit $?" >&9
