# shellcheck shell=sh disable=SC2154 # the table is the caller's
# How this host installs packages, by os-release(5) and the table packaging/package-names in $host_table. Used by
# quickstart and install-helper; frontend/cli/install_command.c does the same for what rootlet prints.

# Prints the manager of the first of these ids that has one.
manager_of() {
	for id; do
		while read -r kind manager ids; do
			[ "$kind" = system ] || continue
			case " $ids " in *" $id "*) echo "$manager" && return ;; esac
		done <<-END
			$host_table
		END
	done
	return 1
}

# Prints this host's package manager: apt, dnf, zypper or pacman. Fails if its system is in no row.
host_manager() (
	ID='' ID_LIKE=''
	# shellcheck source=/dev/null
	[ ! -r /etc/os-release ] || . /etc/os-release
	# shellcheck disable=SC2086 # a list
	manager_of $ID $ID_LIKE
)

# host_name MANAGER PACKAGE: prints the manager's name for a package of Debian.
host_name() {
	while read -r kind debian dnf zypper pacman; do
		[ "$kind $debian" = "package $2" ] || continue
		case $1 in
		dnf) echo "$dnf" ;;
		zypper) echo "$zypper" ;;
		pacman) echo "$pacman" ;;
		*) echo "$debian" ;;
		esac
		return
	done <<-END
		$host_table
	END
	echo "$2"
}

# host_command PACKAGE: prints the command that installs a package of Debian; apt's on an unknown system.
host_command() {
	host=$(host_manager) || host=apt
	while read -r kind manager command; do
		[ "$kind $manager" != "install $host" ] || echo "$command $(host_name "$host" "$1")"
	done <<-END
		$host_table
	END
}
