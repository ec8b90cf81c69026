#!/bin/bash
# Builds fstests in the jail of a build rootfs. Reads the sources as a tar archive from standard input
# and writes the built tree as a tar archive to standard output, since fstests' install-sh can install
# only to the final path. Built trees are cached under a hash of their sources and of this file.
#
# usage: build-fstests.sh [DIRECTORY]
#
# Builds in DIRECTORY (default: /tmp/fstests), which must not exist.
#
# The rootfs that runs the tree may lack libraries of the build rootfs, so the tree carries them, and
# frontend/guest/fstests.sh provides those that the guest lacks:
#
#   .rootlet/lib/SONAME  the libraries that the tree's programs load, directly or indirectly, except
#                        the C library, which every rootfs has
#   .rootlet/needs       a line "SONAME PATH" for each, with its path in the build rootfs

# Prints the names of the ELF programs below the current directory, each followed by a NUL.
list_programs() {
	local file magic
	find . -type f -perm -100 -print0 | while IFS= read -r -d '' file; do
		IFS= read -r -N 4 magic <"$file"
		[[ $magic != $'\x7fELF' ]] || printf '%s\0' "$file"
	done 2>/dev/null
}

# Converts the output of ldd to unique lines "SONAME PATH".
list_libraries() {
	sed -n 's/^[[:space:]]*\([^ /]*\) => \(\/[^ ]*\) (0x[0-9a-f]*)$/\1 \2/p' | sort -u -k 1,1
}

# Prints the names of the C library's files, which work only with each other and their own loader.
list_libc() {
	local package
	for package in libc6 libc6.1; do
		dpkg-query -L "$package" 2>/dev/null || :
	done | sed -n 's,.*/\([^/]*\.so\(\.[^/]*\)*\)$,\1,p' | sort -u
}

carry_libraries() {
	local name path libc
	libc=$'\n'$(list_libc)$'\n'
	mkdir -p .rootlet/lib
	# ldd fails if any program is static.
	{ list_programs | xargs -0 -r ldd 2>/dev/null || :; } | list_libraries |
		while read -r name path; do
			[[ $libc != *$'\n'"$name"$'\n'* ]] || continue
			cp -L --preserve=mode,timestamps "$path" ".rootlet/lib/$name"
			echo "$name $path"
		done >.rootlet/needs
}

set -e -o pipefail
export LC_ALL=C
directory=${1:-/tmp/fstests}
mkdir "$directory"
cd "$directory"
tar -x
rm -rf .rootlet
make -j"$(nproc)" >&2
carry_libraries
tar --exclude='*.o' --exclude='*.lo' --exclude='*.a' -c .
