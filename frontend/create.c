/* rootlet create: everything that can go wrong without the network is found before the download. */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/command.h"
#include "frontend/interrupt.h"
#include "frontend/permission.h"
#include "frontend/provision.h"
#include "frontend/source.h"
#include "frontend/store.h"
#include "frontend/text.h"
#include "proto/validate.h"

#define DEFAULT_SUITE "jammy"
#define DEFAULT_PROFILE "fstests"
#define DEFAULT_ENGINE "debootstrap"
#define COMPONENTS_MAX 16

static const char help[] =
	"usage: rootlet create [OPTION…]\n\n"
	"Makes a root filesystem for kernel testing: packages from a distribution's archive,\n"
	"users and groups from a profile. Needs no sudo, but a range in /etc/subuid and\n"
	"/etc/subgid.\n\n"
	"  --name NAME          name in ~/.kerneldev-mcp (default: test-rootfs)\n"
	"  --path DIR           place elsewhere, instead of --name\n"
	"  --release SUITE      jammy (default), noble, focal, bionic, bookworm, trixie\n"
	"                       (--suite is the same)\n"
	"  --arch ARCH          architecture (default: the host's)\n"
	"  --profile NAME       what the rootfs is for (default: fstests); profiles of your own\n"
	"                       are in ~/.config/rootlet/profiles/NAME.conf\n"
	"  --force              replace a rootfs that is there, once the new one is whole\n"
	"  --mirror URL         where packages come from\n"
	"  --keyring FILE       what signatures are checked against\n"
	"  --components LIST    of the archive, \"main,universe\"\n"
	"  --include LIST       further packages, \"gdb,strace\"; may be given more than once\n"
	"  --engine NAME        debootstrap (default)\n"
	"  --dry-run            change nothing: print each request that would be made of\n"
	"                       rootlet-helper, and what the policy says of it (1: one is "
	"refused)\n"
	"  --quiet              no progress\n"
	"  --help\n\n"
	"Exit status: 0 made; 1 failed; 2 wrong command line or profile; 3 wrong signature, hash\n"
	"or date; 4 mirror; 5 the host lacks something; 6 it exists or is in use; 7 disk full;\n"
	"130 interrupted. Whatever it is, nothing but cached packages is left behind.\n";

struct create {
	const char *name, *path, *profile_name, *engine;
	struct source source;
	const char *components[COMPONENTS_MAX + 1];
	char *component_words, *includes;
	bool force, quiet, dry_run;

	char *parent, *base;
	int parent_fd;
	struct profile *profile;
	struct progress *progress;
	struct helper *helper;
	struct package_set *set;
};

enum option_code {
	OPTION_NAME = 256,
	OPTION_PATH,
	OPTION_RELEASE,
	OPTION_ARCH,
	OPTION_PROFILE,
	OPTION_FORCE,
	OPTION_MIRROR,
	OPTION_KEYRING,
	OPTION_COMPONENTS,
	OPTION_INCLUDE,
	OPTION_ENGINE,
	OPTION_DRY_RUN,
	OPTION_QUIET,
};

static const struct option options[] = {
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "release", required_argument, NULL, OPTION_RELEASE },
	{ "suite", required_argument, NULL, OPTION_RELEASE },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "profile", required_argument, NULL, OPTION_PROFILE },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "mirror", required_argument, NULL, OPTION_MIRROR },
	{ "keyring", required_argument, NULL, OPTION_KEYRING },
	{ "components", required_argument, NULL, OPTION_COMPONENTS },
	{ "include", required_argument, NULL, OPTION_INCLUDE },
	{ "engine", required_argument, NULL, OPTION_ENGINE },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void create_clear(struct create *c)
{
	progress_end(c->progress);
	helper_stop(&c->helper);
	progress_free(&c->progress);
	package_set_free(&c->set);
	profile_free(&c->profile);
	closep(&c->parent_fd);
	free(c->parent);
	free(c->base);
	free(c->component_words);
	free(c->includes);
}

/* Appends LIST to what earlier --include options gave. */
static void add_includes(struct create *c, const char *list)
{
	char *joined = NULL;

	if (asprintf(&joined, "%s,%s", c->includes ? c->includes : "", list) < 0)
		return;
	free(c->includes);
	c->includes = joined;
}

static void take_option(struct create *c, int option)
{
	switch (option) {
	case OPTION_NAME:
		c->name = optarg;
		break;
	case OPTION_PATH:
		c->path = optarg;
		break;
	case OPTION_RELEASE:
		c->source.suite = optarg;
		break;
	case OPTION_ARCH:
		c->source.arch = optarg;
		break;
	case OPTION_PROFILE:
		c->profile_name = optarg;
		break;
	case OPTION_FORCE:
		c->force = true;
		break;
	case OPTION_MIRROR:
		c->source.mirror = optarg;
		break;
	case OPTION_KEYRING:
		c->source.keyring = optarg;
		break;
	case OPTION_COMPONENTS:
		free(c->component_words);
		c->component_words = strdup(optarg);
		break;
	case OPTION_INCLUDE:
		add_includes(c, optarg);
		break;
	case OPTION_ENGINE:
		c->engine = optarg;
		break;
	case OPTION_DRY_RUN:
		c->dry_run = c->source.choose_only = true;
		break;
	case OPTION_QUIET:
		c->quiet = true;
		break;
	}
}

static int check_components(struct create *c, struct error **err)
{
	size_t count = 0;
	char *rest = NULL, *word;

	if (!c->component_words)
		return 0;
	for (word = strtok_r(c->component_words, ", ", &rest); word;
	     word = strtok_r(NULL, ", ", &rest)) {
		if (!valid_archive_word(word) || count == COMPONENTS_MAX)
			return error_set(err, ERR_INPUT, "\"%.80s\" is no component of an archive",
					 word);
		c->components[count++] = word;
	}
	if (!count)
		return error_set(err, ERR_INPUT, "--components names none");
	c->source.components = c->components;
	return 0;
}

static int check_release(const struct create *c, struct error **err)
{
	const char *const *suites = source_suites();
	_cleanup_free_ char *known = strdup("");

	if (!valid_archive_word(c->source.suite))
		return error_set(err, ERR_INPUT, "\"%.80s\" is no name for a release",
				 c->source.suite);
	if (source_distribution(c->source.suite))
		return 0;
	for (; *suites && known; suites++) {
		char *longer = NULL;

		if (asprintf(&longer, "%s %s", known, *suites) < 0)
			longer = NULL;
		free(known);
		known = longer;
	}
	return error_set(err, ERR_INPUT, "release \"%s\" is unknown; there are:%s", c->source.suite,
			 known ? known : "");
}

static int load_profile(struct create *c, struct error **err)
{
	char *rest = NULL, *word;
	char **suite;

	if (profile_load(c->profile_name, &c->profile, err) < 0)
		return -1;
	for (word = c->includes ? strtok_r(c->includes, ", ", &rest) : NULL; word;
	     word = strtok_r(NULL, ", ", &rest))
		if (profile_add_package(c->profile, word, err) < 0)
			return error_wrap(err, "--include");
	if (!c->profile->suites)
		return 0;
	for (suite = c->profile->suites; *suite; suite++)
		if (strcmp(*suite, c->source.suite) == 0)
			return 0;
	return error_set(err, ERR_INPUT, "profile %s is not for release %s: see suites in %s",
			 c->profile->name, c->source.suite, c->profile->path);
}

static int check_words(const struct create *c, struct error **err)
{
	if (strcmp(c->engine, DEFAULT_ENGINE) != 0)
		return error_set(err, ERR_INPUT, "engine \"%.80s\" is unknown; there is: %s",
				 c->engine, DEFAULT_ENGINE);
	if (c->source.arch && !valid_archive_word(c->source.arch))
		return error_set(err, ERR_INPUT, "\"%.80s\" is no architecture", c->source.arch);
	return 0;
}

/* What is at the destination now. */
static int check_existing(const struct create *c, struct error **err)
{
	_cleanup_close_ int tree =
		openat(c->parent_fd, c->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (tree < 0 && errno == ENOENT)
		return 0;
	if (tree < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(err, ERR_EXISTS,
				 "%s/%s is a symlink or a file, which rootlet does "
				 "not replace; choose another --name or --path",
				 c->parent, c->base);
	if (tree < 0)
		return error_errno(err, ERR_EXISTS, "%s/%s is there and cannot be opened",
				   c->parent, c->base);
	if (!store_is_rootfs(tree))
		return error_set(err, ERR_EXISTS,
				 "%s/%s is there and was not made by rootlet, which "
				 "does not replace it; choose another --name or --path",
				 c->parent, c->base);
	if (!c->force)
		return error_set(err, ERR_EXISTS,
				 "there is a rootfs at %s/%s already; use --force to "
				 "replace it",
				 c->parent, c->base);
	if (flock(tree, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY,
				 "the rootfs at %s/%s is in use; wait for its `rootlet "
				 "run` or `rootlet shell` to end",
				 c->parent, c->base);
	return 0;
}

static int check_destination(struct create *c, struct error **err)
{
	if (store_resolve(c->name, c->path, &c->parent, &c->base, err) < 0)
		return -1;
	if (!c->path && !c->dry_run && mkdir(c->parent, 0700) < 0 && errno != EEXIST)
		return error_errno(err, ERR_SYSTEM, "cannot make the folder %s", c->parent);
	c->parent_fd = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->parent_fd < 0 && errno == ENOENT && c->dry_run)
		return 0;
	if (c->parent_fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the folder %s", c->parent);
	if (check_existing(c, err) < 0)
		return -1;
	if (faccessat(c->parent_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return error_set(err, ERR_SYSTEM,
				 "cannot write in the folder %s: %s; choose another "
				 "place with --path",
				 c->parent, strerror(errno));
	return 0;
}

/* What is handed to the helper once all packages are there. */
static struct provision plan(const struct create *c)
{
	return (struct provision){
		.parent = c->parent_fd,
		.base = c->base,
		.engine = c->engine,
		.replace = c->force,
		.profile = c->profile,
		.set = c->set,
		.progress = c->progress,
	};
}

static int fetch(struct create *c, struct error **err)
{
	return packages_fetch(&c->source, BASE_MINIMAL, (const char *const *)c->profile->packages,
			      c->progress, &c->set, err);
}

static int dry_run(struct create *c, struct error **err)
{
	struct provision provision;

	if (fetch(c, err) < 0)
		return -1;
	progress_end(c->progress);
	provision = plan(c);
	return permission_dry_run(&provision, c->parent, err);
}

static int create(struct create *c, struct error **err)
{
	struct provision provision;

	interrupt_catch();
	if (helper_start("create", c->progress, &c->helper, err) < 0)
		return -1;
	store_sweep(c->helper, c->parent_fd, NULL);
	/* Nothing of ours is on the disk yet but the cache, which is made to be cut off. */
	interrupt_leave();
	if (fetch(c, err) < 0)
		return -1;
	interrupt_catch();
	provision = plan(c);
	return provision_rootfs(c->helper, &provision, err);
}

/* Returns 0, how many requests of a dry run are refused, or -1 with ERR set. */
static int prepare_and_create(struct create *c, struct error **err)
{
	if (check_release(c, err) < 0 || check_components(c, err) < 0 || check_words(c, err) < 0 ||
	    load_profile(c, err) < 0 || check_destination(c, err) < 0)
		return -1;
	c->progress = progress_new(c->quiet || c->dry_run ? PROGRESS_QUIET : PROGRESS_STDOUT);
	return c->dry_run ? dry_run(c, err) : create(c, err);
}

static void print_done(const struct create *c, time_t began)
{
	char took[TEXT_DURATION_LEN];

	if (!c->quiet)
		printf("Made %s/%s: %s %s, %zu packages, in %s\n", c->parent, c->base,
		       c->set->distribution, c->set->suite, c->set->package_count,
		       text_duration((uint64_t)(time(NULL) - began), took));
}

int command_create(int argc, char **argv)
{
	_cleanup_(create_clear) struct create c = {
		.profile_name = DEFAULT_PROFILE,
		.engine = DEFAULT_ENGINE,
		.source = { .suite = DEFAULT_SUITE },
		.parent_fd = -1,
	};
	_cleanup_error_ struct error *err = NULL;
	time_t began = time(NULL);
	int option, result;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == ':' || option == '?')
			return report_option("create", option, argv);
		take_option(&c, option);
	}
	if (optind < argc)
		return report_usage("create", "\"%.80s\" is one word too many", argv[optind]);
	result = prepare_and_create(&c, &err);
	if (result < 0) {
		progress_end(c.progress);
		/* The helper removes its staging first: what is said then is true. */
		helper_stop(&c.helper);
		return report_error("create", err);
	}
	if (!c.dry_run)
		print_done(&c, began);
	return result ? EXIT_FAILED : EXIT_OK;
}
