#!/bin/bash
# A smoke suite for a rootfs of the fstests profile, run as root in the guest:
#	rootlet run --kernel distro --disk 512M -- bash -c "$(cat frontend/guest/smoke.sh)"
# Makes a filesystem on the first scratch disk and checks on it, as fsqa and fsgqa2, the operations that
# filesystem tests rely on. Every check prints "ok N - what", or "not ok N - what" and the command's
# output. The last line is "N passed, N failed"; the exit status is 0 if none failed.

disk=${SMOKE_DISK:-/dev/vda}
mnt=/run/smoke
passed=0 failed=0

as() {
	local user=$1
	shift
	runuser -u "$user" -- "$@"
}

# Runs a command and counts it as passed or failed by its exit status.
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1 </dev/null); then
		echo "ok $((++passed + failed)) - $what"
	else
		echo "not ok $((passed + ++failed)) - $what"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

# The same for a command that must be refused; failing for any other reason does not count.
check_refused() {
	local what=$1
	shift
	check "refused: $what" refused "$@"
}

refused() {
	local out
	if out=$(LC_ALL=C "$@" 2>&1); then
		echo "it was allowed"
		return 1
	fi
	printf '%s\n' "$out"
	[[ $out == *"Permission denied"* || $out == *"Operation not permitted"* ]]
}

# Disks appear a few tenths of a second after their driver is loaded.
wait_for_disk() {
	for _ in {1..100}; do
		[[ -b $disk ]] && return
		sleep 0.1
	done
	echo "$disk did not appear"
	return 1
}

ids_are() {
	[[ "$(id -u "$1"):$(id -g "$1")" == "$2" ]]
}

prints() {
	local want=$1 have
	shift
	have=$("$@") && [[ $have == "$want" ]] && return
	echo "expected \"$want\", got \"$have\""
	return 1
}

# The write that exceeds the limit must fail with "Disk quota exceeded", leaving a short file.
quota_stops() {
	as fsqa dd if=/dev/zero of=$mnt/fsqa/big bs=64k count=64 2>&1 | grep -q 'quota exceeded' &&
		(($(stat -c %s $mnt/fsqa/big) < 64 * 65536))
}

quota_counts() {
	repquota -u $mnt | grep '^fsqa '
}

make_filesystem() {
	check "the scratch disk exists" wait_for_disk
	check "mkfs.ext4 with quota" mkfs.ext4 -q -F -O quota "$disk"
	mkdir -p $mnt
	check "mount" mount -t ext4 -o usrquota,grpquota "$disk" $mnt
	check "it is ext4" prints ext4 findmnt -n -o FSTYPE $mnt
}

check_users() {
	check "fsqa is 1000:1000" ids_are fsqa 1000:1000
	check "fsgqa2 is 1001:1001" ids_are fsgqa2 1001:1001
	check "fsqa is in the group fsgqa" bash -c 'id -Gn fsqa | grep -qw fsgqa'
	check "su works as root" su fsqa -c true
	chmod 755 $mnt
	for user in fsqa fsgqa2; do
		check "$user gets a directory" install -d -o $user -g $user -m 700 $mnt/$user
	done
}

check_permissions() {
	check "fsqa writes in its own directory" as fsqa sh -c "echo secret >$mnt/fsqa/file"
	check "the file is fsqa's" prints 1000:1000 stat -c %u:%g $mnt/fsqa/file
	check_refused "fsqa writes beside it" as fsqa touch $mnt/file
	check_refused "fsgqa2 reads in fsqa's directory" as fsgqa2 cat $mnt/fsqa/file
	check_refused "fsgqa2 changes the mode of fsqa's file" as fsgqa2 chmod 777 $mnt/fsqa/file
	check_refused "fsqa gives its file away" as fsqa chown fsgqa2 $mnt/fsqa/file
	chmod 711 $mnt/fsqa
	as fsqa chmod 640 $mnt/fsqa/file
	check_refused "fsgqa2 reads a file of mode 640" as fsgqa2 cat $mnt/fsqa/file
	as fsqa chmod 644 $mnt/fsqa/file
	check "fsgqa2 reads a file of mode 644" prints secret as fsgqa2 cat $mnt/fsqa/file
	check_refused "fsgqa2 writes a file of mode 644" as fsgqa2 sh -c "echo x >$mnt/fsqa/file"
	install -d -m 1777 $mnt/sticky
	as fsqa touch $mnt/sticky/file
	check_refused "fsgqa2 removes fsqa's file from a sticky directory" as fsgqa2 rm -f $mnt/sticky/file
}

check_acls() {
	as fsqa sh -c "umask 077; echo shared >$mnt/fsqa/acl"
	check_refused "fsgqa2 reads without an ACL" as fsgqa2 cat $mnt/fsqa/acl
	check "fsqa sets an ACL" as fsqa setfacl -m u:fsgqa2:r $mnt/fsqa/acl
	check "the ACL is set" bash -c "getfacl -p $mnt/fsqa/acl | grep -q '^user:fsgqa2:r--'"
	check "fsgqa2 reads by the ACL" prints shared as fsgqa2 cat $mnt/fsqa/acl
	check_refused "fsgqa2 writes by the ACL" as fsgqa2 sh -c "echo x >$mnt/fsqa/acl"
	check "fsqa removes the ACL" as fsqa setfacl -b $mnt/fsqa/acl
	check_refused "fsgqa2 reads after that" as fsgqa2 cat $mnt/fsqa/acl
}

check_xattrs() {
	check "fsqa sets an xattr" as fsqa setfattr -n user.colour -v blue $mnt/fsqa/file
	check "its value comes back" prints blue \
		as fsqa getfattr --only-values -n user.colour $mnt/fsqa/file
	check_refused "fsgqa2 sets one on fsqa's file" \
		as fsgqa2 setfattr -n user.colour -v red $mnt/fsqa/file
	check_refused "fsqa sets a trusted one" as fsqa setfattr -n trusted.x -v y $mnt/fsqa/file
	check "root sets a trusted one" setfattr -n trusted.x -v y $mnt/fsqa/file
	check "fsqa removes its xattr" as fsqa setfattr -x user.colour $mnt/fsqa/file
}

check_quota() {
	check "quotaon" bash -c "quotaon -p $mnt | grep -q 'user quota.*is on' || quotaon $mnt"
	check "usage is counted" quota_counts
	check "setquota" setquota -u fsqa 0 1024 0 0 $mnt
	check "fsqa is stopped at its limit" quota_stops
	check "fsgqa2 is not" as fsgqa2 dd if=/dev/zero of=$mnt/fsgqa2/big bs=64k count=64
	rm -f $mnt/fsqa/big $mnt/fsgqa2/big
	check "setquota to no limit" setquota -u fsqa 0 0 0 0 $mnt
}

check_data() {
	check "write and fsync" as fsqa dd if=/dev/urandom of=$mnt/fsqa/data bs=64k count=16 conv=fsync
	local sum
	sum=$(sha256sum <$mnt/fsqa/data)
	check "rename" as fsqa mv $mnt/fsqa/data $mnt/fsqa/renamed
	check "the old name is gone" test ! -e $mnt/fsqa/data
	check "rename over a file" as fsqa \
		sh -c "echo old >$mnt/fsqa/o && mv -f $mnt/fsqa/renamed $mnt/fsqa/o"
	check_refused "fsgqa2 renames fsqa's file" as fsgqa2 mv $mnt/fsqa/o $mnt/fsqa/p
	check "hard link" as fsqa ln $mnt/fsqa/o $mnt/fsqa/linked
	check "fsync of the directory" sync $mnt/fsqa
	check "umount" umount $mnt
	check "fsck finds nothing" fsck.ext4 -f -n "$disk"
	check "mount again" mount -t ext4 "$disk" $mnt
	check "the data is unchanged" prints "$sum" sh -c "sha256sum <$mnt/fsqa/linked"
	check "umount again" umount $mnt
}

make_filesystem
if ((failed == 0)); then
	check_users
	check_permissions
	check_acls
	check_xattrs
	check_quota
	check_data
fi
echo "$passed passed, $failed failed"
((failed == 0))
