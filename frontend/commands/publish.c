/* rootlet publish: writes a rootfs into a directory for web servers, for `rootlet create --from`.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/commands/audit_origin.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/manifest_line.h"
#include "frontend/commands/provenance_sign.h"
#include "frontend/commands/vm_line.h"
#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/publication.h"
#include "frontend/rootfs/store.h"

enum {
	OPTION_TO = OPTION_OWN,
	OPTION_KEY,
	OPTION_AS,
	OPTION_EXPIRES,
	OPTION_KEEP,
};

static const struct option_row publish_rows[] = {
	ROOTFS_ROWS,
	{ "--to", "DIR", OPTION_TO, "directory to publish to; made if missing", .required = true },
	{ "--key", "KEY", OPTION_KEY,
	  "the OpenPGP key that signs it, as a fingerprint or long key id", .required = true },
	{ "--as", "NAME", OPTION_AS, "name to publish it under (default: the name of the rootfs)",
	  .once = true },
	{ "--expires", "DAYS", OPTION_EXPIRES,
	  "days after which no rootlet accepts this generation any more, at most 3650",
	  .fallback = "30" },
	{ "--keep", "N", OPTION_KEEP,
	  "then remove all but the N newest generations of this name, and the pieces that nothing "
	  "in "
	  "DIR needs any more (default: keep all)" },
	QUIET_ROW,
	JSON_ROW(JSON_EVENTS),
	{ NULL },
};

#define DAYS_MAX 3650

struct publish {
	const struct parsed_line *line;
	struct progress *progress;
	struct opened_rootfs rootfs;
	struct manifest *manifest; /* of what others make from it */
	char *directory;	   /* absolute */
	char *lock, *provenance;
	struct publication publication;
	struct published published;
};

static void publish_clear(struct publish *p)
{
	progress_end(p->progress);
	opened_rootfs_clear(&p->rootfs);
	progress_free(&p->progress);
	manifest_free(&p->manifest);
	free(p->directory);
	free(p->lock);
	free(p->provenance);
}

static int publish_open(struct publish *p, struct error **err)
{
	const struct opened_rootfs *r = &p->rootfs;

	if (line_open(p->line, &p->rootfs, err) < 0)
		return -1;
	if (flock(r->tree, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "the rootfs at %s is being replaced or removed",
				 r->path);
	return lock_compose(r->manifest, r->path, &p->lock, err) < 0
		       ? -1
		       : lock_parse(p->lock, strlen(p->lock), r->path, &p->manifest, err);
}

/* The statement is on what others make of it, whose manifest is the lock. */
static int publish_provenance(struct publish *p, struct error **err)
{
	const struct opened_rootfs *r = &p->rootfs;
	char record[2 * SHA256_LEN + 1];
	const struct provenance_subject subject = {
		.helper = r->helper,
		.tree = r->tree,
		.manifest = p->manifest,
		.name = p->publication.name,
		.path = r->path,
		.record = audit_find_origin(r->manifest, r->path, record) ? record : NULL,
	};

	progress_stage(p->progress, "Reading the rootfs");
	if (provenance_sign(&subject, p->publication.key, &p->provenance, err) < 0)
		return -1;
	p->publication.provenance = p->provenance;
	return 0;
}

static int publish_plan(struct publish *p, struct error **err)
{
	const struct parsed_line *line = p->line;
	const char *to = line_value(line, OPTION_TO), *as = line_value(line, OPTION_AS);

	if (mkdir(to, 0755) < 0 && errno != EEXIST)
		return error_errno(err, ERR_SYSTEM, "cannot make the directory %s", to);
	p->directory = realpath(to, NULL);
	if (!p->directory)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory %s", to);
	p->publication = (struct publication){
		.directory = p->directory,
		.name = as ? as : strrchr(p->rootfs.path, '/') + 1,
		.key = line_value(line, OPTION_KEY),
		.manifest = p->rootfs.manifest,
		.lock = p->lock,
		.path = p->rootfs.path,
		.tree = p->rootfs.tree,
	};
	if (!openpgp_valid_key(p->publication.key))
		return error_set(err, ERR_INPUT, "--key %.80s " OPENPGP_KEY_ADVICE,
				 p->publication.key);
	if (!valid_archive_word(p->publication.name))
		return error_set(err, ERR_INPUT,
				 "cannot publish under the name \"%.80s\": only a-z, 0-9 and . + - "
				 "are allowed; choose another one with --as NAME",
				 p->publication.name);
	return line_number(line, OPTION_EXPIRES, DAYS_MAX, &p->publication.days, err) < 0
		       ? -1
		       : line_number(line, OPTION_KEEP, UINT32_MAX, &p->publication.keep, err);
}

static int publish_report(const struct publish *p)
{
	const struct published *r = &p->published;

	if (line_has(p->line, OPTION_JSON))
		return event_result(
			json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "path",
				  json_text(p->rootfs.path), "directory", json_text(p->directory),
				  "name", json_text(p->publication.name), "generation",
				  (json_int_t)r->generation, "pieces", (json_int_t)r->pieces,
				  "removed_generations", (json_int_t)r->pruned.generations,
				  "removed_pieces", (json_int_t)r->pruned.pieces),
			EXIT_OK);
	if (line_has(p->line, OPTION_QUIET))
		return EXIT_OK;
	printf("Published %s as generation %u of %s in %s: %zu pieces\n", p->rootfs.path,
	       r->generation, p->publication.name, p->directory, r->pieces);
	if (r->pruned.generations || r->pruned.pieces)
		printf("Removed %zu older generations and %zu pieces\n", r->pruned.generations,
		       r->pruned.pieces);
	return EXIT_OK;
}

static int command_publish(const struct parsed_line *line)
{
	_cleanup_(publish_clear) struct publish p = { .line = line, .rootfs = NOT_OPENED };
	_cleanup_error_ struct error *err = NULL;
	bool json = line_has(line, OPTION_JSON);
	int status;

	p.progress = progress_new(line_has(line, OPTION_QUIET) ? PROGRESS_QUIET
				  : json		       ? PROGRESS_JSON
							       : PROGRESS_STDOUT);
	interrupt_catch();
	/* Web servers have to read the files. */
	umask(0022);
	if (publish_open(&p, &err) == 0 && publish_plan(&p, &err) == 0 &&
	    publish_provenance(&p, &err) == 0 &&
	    publication_write(p.rootfs.helper, &p.publication, p.progress, &p.published, &err) == 0)
		return publish_report(&p);
	progress_end(p.progress);
	status = report_error("publish", err);
	return json ? event_failure(json_pack("{s:o}", "path", json_text(p.rootfs.path)), err,
				    status)
		    : status;
}

const struct command publish_command = {
	.name = "publish",
	.summary = "publish a rootfs for other hosts",
	.about = "Writes a rootfs into a directory that any web server can serve, or that can be "
		 "copied to a host without a network. rootlet create --from makes the same rootfs "
		 "from it. The files are in pieces: a host that has one generation fetches only "
		 "what the next one changes. What is in a rootfs when it is published is what "
		 "others get: publish one that nobody else could write to.",
	.statuses = "0 published; 1 failed; 2 wrong command line, or a rootfs that cannot be "
		    "published.",
	.rows = publish_rows,
	.run = command_publish,
};
