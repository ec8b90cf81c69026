/* Commands that install packages. Messages are written for Debian, "apt install gpgv", also those
 * of rootlet-helper, which reads no more of the host than it needs. The user sees the command and
 * the names of their own system, by /etc/os-release and packaging/package-names. */
#pragma once

/* Returns MESSAGE with each "apt install [--reinstall] NAME…" replaced; the caller frees it. The
 * names end at the first character that no package name has. NULL: out of memory. */
char *install_localize(const char *message);
