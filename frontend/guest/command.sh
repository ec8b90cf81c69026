# shellcheck shell=sh disable=SC2154
# In every guest: runs the command. rootlet puts lines before this which set the words of the command
# ("$@"; none: a login shell) and
#
#   tree           set if / is the rootfs itself, which the guest cannot write to
#   terminal       set if the command gets a terminal: its type, for TERM
#   rows, columns  of the terminal
#
# It writes "started" and "exit N" to the port rootlet.status. With a terminal, standard input is lines
# "ROWS COLUMNS", one each time the size changes.

# udev makes links by name, but an odd kernel may leave it without having done so.
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

# vng's init starts udev as a child of process 1. Until systemd 243, such a udevd kills all that is in
# its cgroup when it is idle.
leave_cgroup() {
	group=/sys/fs/cgroup/rootlet
	mkdir $group && for pid in $PPID $$; do
		echo "$pid" >$group/cgroup.procs
	done
} 2>/dev/null

# Puts a layer in memory over / and moves to it what vng's init has mounted. pivot_root changes the
# root of every process, that init's too.
make_root_writable() {
	new=/run/rootlet-root
	layers=lowerdir=/,upperdir=$new/upper,workdir=$new/work
	mkdir -p $new && mount -t tmpfs -o mode=0755,size=75% layer $new &&
		mkdir $new/upper $new/work $new/root || return
	# 9p has inode numbers of 64 bits, which leave overlayfs no room for its own.
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
	# vng's init mounts at the same time on /usr and on /lib, which may be below it: what is covered
	# cannot be moved, and nobody misses it.
	for point in $points; do
		[ "$point" = /proc ] || mount --move "/.rootlet$point" "$point" 2>/dev/null
	done
	umount -l /.rootlet && rmdir /.rootlet
	umount -l $new && rmdir $new
}

# As under ssh -t. The command is not the leader of its session: when that one ends, the kernel drops
# what it has not sent yet, so its shell waits until all is sent (stty does that). A trap, unlike a
# signal that is ignored, is not passed on.
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

# The kernel passes on what it does not know: vng's words for an init of its own.
for name in $(env | sed -n 's/^\(virtme_[A-Za-z0-9_]*\|nr_open\)=.*/\1/p'); do
	unset "$name"
done
unset OLDPWD
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
[ -z "$tree" ] || leave_cgroup
[ -z "$tree" ] || make_root_writable ||
	echo "rootlet: the guest cannot write to / and /root: its kernel has no overlayfs" >&2
find_status_port || exit 1
# The command does not inherit the port: a process that it leaves behind would hold it.
exec 9>"$port" || exit 1
if [ -n "$terminal" ]; then
	run_on_terminal "$@"
else
	echo started >&9
	(exec 9>&-; exec "$@")
fi
echo "exit $?" >&9
