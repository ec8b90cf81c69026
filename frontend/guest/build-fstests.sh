#!/bin/bash
# Builds fstests in the jail of a build rootfs: sources come in as a tar archive on standard input
# and go out, built, on standard output. (The install-sh of fstests installs nowhere but in the
# final place.) Built trees are cached under a hash of their sources and of this file.
#
# usage: fstests.sh [FOLDER]
#
# FOLDER is where it builds (default: /tmp/fstests); it must not exist.
#
# The rootfs that runs the tree may lack libraries that the build rootfs has. So they go with the
# tree, and frontend/guest/fstests.sh offers them to a guest that does not have its own:
#
#   .rootlet/lib/SONAME  the libraries that the programs of the tree load, and the libraries of
#                        those, without the files of the C library, which every rootfs has
#   .rootlet/needs       "SONAME PATH" of each: where the build rootfs has it

# Names of the ELF programs below the current folder, each with a NUL behind it.
list_programs() {
	local file magic
	find . -type f -perm -100 -print0 | while IFS= read -r -d '' file; do
		IFS= read -r -N 4 magic <"$file"
		[[ $magic != $'\x7fELF' ]] || printf '%s\0' "$file"
	done 2>/dev/null
}

# What ldd prints on standard input becomes "SONAME PATH", each once.
list_libraries() {
	sed -n 's/^[[:space:]]*\([^ /]*\) => \(\/[^ ]*\) (0x[0-9a-f]*)$/\1 \2/p' | sort -u -k 1,1
}

# Names of the C library's files: they fit only each other and the loader.
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
	# ldd's status says only that some program was static.
	{ list_programs | xargs -0 -r ldd 2>/dev/null || :; } | list_libraries |
		while read -r name path; do
			[[ $libc != *$'\n'"$name"$'\n'* ]] || continue
			cp -L --preserve=mode,timestamps "$path" ".rootlet/lib/$name"
			echo "$name $path"
		done >.rootlet/needs
}

set -e -o pipefail
export LC_ALL=C
folder=${1:-/tmp/fstests}
mkdir "$folder"
cd "$folder"
tar -x
rm -rf .rootlet
make -j"$(nproc)" >&2
carry_libraries
tar --exclude='*.o' --exclude='*.lo' --exclude='*.a' -c .
