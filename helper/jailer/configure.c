#include "helper/jailer/configure.h"

#include <string.h>

#include "helper/jailer/jail_run.h"
#include "helper/jailer/serve.h"
#include "lib/beneath.h"

struct configuration {
	struct server *server;
	uint64_t done, total;
};

/* Counts the progress lines of dpkg and debootstrap. */
static void configure_count_line(const char *line, void *context)
{
	static const char *const steps[] = { "Setting up ", "Unpacking ", "I: Unpacking ",
					     "I: Configuring " };
	struct configuration *c = context;

	/* The front end saves the log in case a script fails. */
	serve_log(c->server, line);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (strncmp(line, steps[i], strlen(steps[i])) == 0)
			serve_progress(c->server, "Configuring", ++c->done, c->total);
}

/* As on a real host: scripts ask for the host name, some for one with a dot in it. A guest needs
 * these files as well. */
#define NAMES                                                                                      \
	"[ -s /etc/hostname ] || echo rootlet >/etc/hostname\n"                                    \
	"[ -s /etc/hosts ] || printf '127.0.0.1 localhost\\n"                                      \
	"127.0.1.1 rootlet.localdomain rootlet\\n"                                                 \
	"::1 localhost ip6-localhost ip6-loopback\\n' >/etc/hosts\n"

#define NATIVE "sh -e /var/lib/dpkg/rootlet/_plan\n"

/* debootstrap disables start-stop-daemon(8), which is not enough: invoke-rc.d(8) asks policy-rc.d.
 * With the native engine, the plan writes that file. */
#define DEBOOTSTRAP                                                                                \
	"printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"                                \
	"chmod 755 /usr/sbin/policy-rc.d\n"                                                        \
	"/debootstrap/debootstrap --second-stage || {\n"                                           \
	"  log=/debootstrap/debootstrap.log\n"                                                     \
	"  [ -e $log ] || log=/var/log/bootstrap.log\n"                                            \
	"  grep -m 1 'No space left' $log || :\n"                                                  \
	"  tail -n 1000 $log; exit 1; }\n"                                                         \
	"rm -rf /usr/sbin/policy-rc.d /debootstrap /var/cache/apt/archives/*.deb "                 \
	"/var/lib/apt/lists/*_*\n"

/* Removes the mirror from sources.list. */
#define FINISH "echo '# made by rootlet from verified packages' >/etc/apt/sources.list\n"

/* Every guest gets an id and a random seed of its own. A reproducible tree has nothing else either
 * that is random or records when or where it was made. */
#define CLEAN                                                                                      \
	"[ ! -s /etc/machine-id ] || : >/etc/machine-id\n"                                         \
	"[ -h /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id\n"                      \
	"rm -f /var/lib/systemd/random-seed /var/lib/urandom/random-seed "                         \
	"/var/lib/systemd/credential.secret\n"                                                     \
	"[ \"$SOURCE_DATE_EPOCH\" ] || exit 0\n"                                                   \
	"find /var/log -type f -size +0 -exec truncate -s 0 {} +\n"                                \
	"rm -rf /var/cache/ldconfig/aux-cache /var/cache/apt/*.bin /var/cache/debconf/*-old "      \
	"/var/lib/dpkg/*-old /var/lib/systemd/catalog/database /etc/ssh/ssh_host_* "               \
	"/etc/nvme/hostid /etc/nvme/hostnqn\n"

int configure_tree(struct server *s, struct error **err)
{
	const char *script = s->old >= 0 ? NATIVE CLEAN
			     : s->native ? NAMES NATIVE FINISH CLEAN
					 : NAMES DEBOOTSTRAP FINISH CLEAN;
	const char *const argv[] = { "sh", "-ec", script, NULL };
	struct configuration progress = { .server = s, .total = s->package_count };
	struct output output = { .line = configure_count_line, .context = &progress };
	struct jail_spec spec = {
		.kind = JAIL_TREE, .root = s->tree, .argv = argv, .epoch = s->epoch
	};
	int status;
	char tail[1024];

	/* If dpkg or debootstrap unpacks, it prints a line for that as well. */
	progress.total *= s->native && s->old < 0 ? 1 : 2;
	status = jail_run(s, &spec, &output, err);
	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(s->tree))
		return error_set(err, ERR_SPACE,
				 "cannot configure packages: no space left on the disk of %s; free "
				 "some space, or choose another directory with --path",
				 s->name);
	return error_set(err, ERR_PACKAGE, "%s failed with status %d: %s",
			 s->native ? "configuring packages with dpkg"
				   : "debootstrap's second stage",
			 status, tail);
}
