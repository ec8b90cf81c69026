#include "frontend/archive/packages.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/fetch_client.h"
#include "frontend/archive/fetch_verify.h"
#include "frontend/archive/fetch_work.h"
#include "frontend/archive/kernel_files.h"
#include "frontend/archive/kept_file.h"
#include "frontend/archive/package_set.h"
#include "frontend/archive/permission.h"
#include "frontend/archive/url_route.h"
#include "frontend/cli/text.h"
#include "frontend/client/release_seen.h"
#include "lib/error_wrap.h"
#include "lib/hash.h"
#include "lib/read_all.h"
#include "lib/release_text.h"
#include "lib/signature.h"

#define KEEP_PACKAGES (90 * 24 * 60 * 60) /* seconds since the last use */
#define KEEP_INDEXES (14 * 24 * 60 * 60)

void packages_settle(struct fetch *f)
{
	fetch_process_stop(&f->process);
}

void packages_close(struct fetch **fetch)
{
	struct fetch *f = *fetch;

	if (!f)
		return;
	packages_settle(f);
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		closep(&f->releases[i].fd);
	for (size_t i = 0; i < SANDBOX_READABLE_MAX; i++)
		free(f->local[i]);
	package_set_free(&f->set);
	origin_free(&f->origin);
	free(f->forgetful);
	free(f->indexes);
	free(f->packages);
	free(f->kept);
	free(f);
	*fetch = NULL;
}

/* --- the sandbox of the process --- */

static void plan_port(struct fetch_sandbox *sandbox, uint16_t port)
{
	for (size_t i = 0; i < sandbox->port_count; i++)
		if (sandbox->ports[i] == port)
			return;
	if (port && sandbox->port_count < SANDBOX_PORTS_MAX)
		sandbox->ports[sandbox->port_count++] = port;
}

/* Allows the port of URL, or of its proxy. */
static int plan_url(struct fetch_sandbox *sandbox, const char *url, struct error **err)
{
	struct url_route route;

	if (url_route_find(url, &route, err) < 0)
		return -1;
	plan_port(sandbox, route.proxy ? route.proxy_place.port : route.target.port);
	if (route.names_target)
		plan_port(sandbox, route.target.port);
	free(route.proxy);
	return 0;
}

/* Takes ownership of PATH. */
static int plan_directory(struct fetch *f, char *path)
{
	struct fetch_sandbox *sandbox = &f->sandbox;

	if (!path || sandbox->readable_count == SANDBOX_READABLE_MAX) {
		free(path);
		return -1;
	}
	f->local[sandbox->readable_count] = path;
	sandbox->readable[sandbox->readable_count++] = path;
	return 0;
}

/* The dists and pool directories of a mirror may be links to other places. */
static int plan_local(struct fetch *f, const char *url, struct error **err)
{
	static const char *const parts[] = { "", "/dists", "/pool" };
	char *path = curl_easy_unescape(NULL, url + strlen("file://"), 0, NULL), *part;

	for (size_t i = 0; path && i < sizeof(parts) / sizeof(*parts); i++)
		if (asprintf(&part, "%s%s", path, parts[i]) < 0 || plan_directory(f, part) < 0) {
			curl_free(path);
			return error_no_memory(err);
		}
	curl_free(path);
	return path ? 0 : error_no_memory(err);
}

static int packages_plan_mirror(struct fetch *f, const char *mirror, struct error **err)
{
	return text_has_prefix(mirror, "file://") ? plan_local(f, mirror, err)
						  : plan_url(&f->sandbox, mirror, err);
}

/* A redirect may lead to a standard port, or to the other scheme, which may have another proxy. */
static int plan_redirects(struct fetch_sandbox *sandbox, struct error **err)
{
	plan_port(sandbox, 80);
	plan_port(sandbox, 443);
	return plan_url(sandbox, "http://elsewhere.invalid/", err) < 0
		       ? -1
		       : plan_url(sandbox, "https://elsewhere.invalid/", err);
}

static int plan_sandbox(struct fetch *f, struct error **err)
{
	struct fetch_sandbox *sandbox = &f->sandbox;
	const struct origin *o = f->origin;

	sandbox->writable[sandbox->writable_count++] = f->indexes;
	sandbox->writable[sandbox->writable_count++] = f->packages;
	sandbox->writable[sandbox->writable_count++] = f->kept;
	sandbox->certificates = true;
	if (packages_plan_mirror(f, o->mirror, err) < 0)
		return -1;
	for (size_t i = 0; i < SOURCE_POCKET_MIRRORS && o->security[i]; i++)
		if (strcmp(o->security[i], o->mirror) != 0 &&
		    packages_plan_mirror(f, o->security[i], err) < 0)
			return -1;
	for (size_t i = 0; i < o->repository_count; i++)
		if (packages_plan_mirror(f, o->repositories[i].mirror, err) < 0)
			return -1;
	return plan_redirects(sandbox, err);
}

/* KEPT: directory of the resolver's cache, or NULL. TREE: directory to unpack into, or NULL. */
static int packages_start(struct fetch *f, const char *kept, const char *tree, struct error **err)
{
	struct fetch_work work = {
		.origin = f->origin,
		.indexes = f->indexes,
		.packages = f->packages,
		.kept = kept,
		.tree_path = tree,
		.place = kernel_file_place,
	};
	const struct fetch_task task = {
		.prepare = fetch_work_prepare,
		.run = fetch_work_run,
		.context = &work,
	};

	return fetch_process_start(&task, &f->sandbox, &f->process, err);
}

/* Sends the process the release files; everything else must be in the cache. */
int packages_offline(struct fetch *f, const char *unpack_into, struct error **err)
{
	packages_settle(f);
	f->progress = NULL;
	f->sandbox = (struct fetch_sandbox){
		.readable = { f->indexes, f->packages },
		.readable_count = 2,
		.tree = unpack_into,
	};
	if (packages_start(f, NULL, unpack_into, err) < 0)
		return -1;
	for (uint32_t i = 0; i < FETCH_POCKETS; i++) {
		struct fetch_message request = { .kind = FETCH_ACCEPT, .accept.pocket = i };

		if (f->numbered[i] &&
		    fetch_ask_with(f, &request, f->numbered[i]->inrelease, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the steps --- */

/* Fills in the set's description. A distribution that is not in our table gets the name that its
 * archive gives itself. */
static int packages_describe(struct fetch *f, struct error **err)
{
	const struct origin *o = f->origin;
	struct package_set *set = f->set;

	if (!set->distribution)
		set->distribution = strdup(o->distribution ? o->distribution : "unknown");
	set->dated = o->dated;
	set->repositories = o->repositories;
	set->repository_count = o->repository_count;
	set->mirror = strdup(o->mirror);
	set->keyring = strdup(o->keyring);
	set->suite = strdup(o->suite);
	set->arch = strdup(o->arch);
	if (!set->mirror || !set->keyring || !set->suite || !set->arch || !set->distribution)
		return error_no_memory(err);
	return 0;
}

/* An installed helper has its own record of the release files seen. */
static int look_at_memory(struct fetch *f, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int memory = -1;

	if (strcmp(helper_ids(f->helper)->mode, "installed") == 0)
		return 0;
	memory = release_seen_open(NULL, &why);
	if (memory >= 0)
		return 0;
	f->forgetful = strdup(error_text(why));
	return f->forgetful ? 0 : error_no_memory(err);
}

/* Names the purpose of downloads other than the packages of a rootfs. */
static void fetch_progress_stage(struct progress *progress, const char *name,
				 const struct source *source)
{
	char text[80];

	snprintf(text, sizeof(text), "%s%s%s", name, source->purpose ? " of " : "",
		 source->purpose ? source->purpose : "");
	progress_stage(progress, text);
}

static int packages_open_stores(struct fetch *f, const struct source *source, struct error **err)
{
	if (source_plan(source, APT_DIR, &f->origin, err) < 0 ||
	    permission_sources(f->origin, err) < 0 ||
	    (source->allow_older && permission_older(OLDER_RELEASE, err) < 0) ||
	    (f->origin->dated && permission_older(DATED_ARCHIVE, err) < 0))
		return -1;
	f->allow_older = source->allow_older;
	f->for_rootfs = !source->purpose;
	f->indexes = cache_path("indexes", err);
	f->packages = f->indexes ? cache_path("packages", err) : NULL;
	f->kept = f->packages ? cache_path(KEPT_FILES_DIRECTORY, err) : NULL;
	if (!f->kept || look_at_memory(f, err) < 0)
		return -1;
	fetch_progress_stage(f->progress, "Downloading package lists", source);
	if (plan_sandbox(f, err) < 0 || packages_start(f, f->kept, NULL, err) < 0 ||
	    fetch_verified_releases(f, err) < 0)
		return -1;
	return packages_describe(f, err);
}

int packages_open(const struct source *source, struct helper *helper, struct progress *progress,
		  struct fetch **out, struct error **err)
{
	_cleanup_(packages_close) struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return error_no_memory(err);
	f->process = FETCH_PROCESS_NONE;
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		f->releases[i].fd = -1;
	f->helper = helper;
	f->progress = progress;
	f->set = calloc(1, sizeof(*f->set));
	if (!f->set)
		return error_no_memory(err);
	if (packages_open_stores(f, source, err) < 0)
		return -1;
	*out = STEAL_PTR(f);
	return 0;
}

static int send_words(struct fetch *f, const char *const *words, enum fetch_want list,
		      struct error **err)
{
	for (; words && *words; words++) {
		struct fetch_message message = { .kind = FETCH_WANT };

		if (strlen(*words) >= sizeof(message.want.word))
			return error_set(err, ERR_INPUT,
					 "\"%.80s…\" is too long for a package name", *words);
		message.want.list = list;
		memcpy(message.want.word, *words, strlen(*words));
		if (fetch_message_send(f->process.channel, &message, -1, err) < 0)
			return -1;
	}
	return 0;
}

static int send_debs(struct fetch *f, const char *const *debs, struct error **err)
{
	const struct fetch_message request = { .kind = FETCH_DEB };

	for (; debs && *debs; debs++) {
		_cleanup_close_ int fd = open(*debs, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return error_errno(err, ERR_INPUT, "cannot open %s", *debs);
		if (!S_ISREG(st.st_mode))
			return error_set(err, ERR_INPUT, "%s is not a regular file", *debs);
		if (fetch_ask_with(f, &request, fd, err) < 0)
			return error_wrap(err, "%s", *debs);
	}
	return 0;
}

static int send_wanted(struct fetch *f, const struct wanted *wanted, struct error **err)
{
	if (send_debs(f, wanted->debs, err) < 0 ||
	    send_words(f, wanted->packages, WANT_PACKAGE, err) < 0 ||
	    send_words(f, wanted->optional, WANT_OPTIONAL, err) < 0 ||
	    send_words(f, wanted->removed, WANT_REMOVED, err) < 0)
		return -1;
	return send_words(f, wanted->kept, WANT_KEPT, err);
}

int packages_choose(struct fetch *f, enum package_base base, const struct wanted *wanted,
		    struct error **err)
{
	const bool of_rootfs = base == BASE_INSTALLED || base == BASE_UPGRADED;
	struct fetch_message request = { .kind = FETCH_CHOOSE };
	int r;

	package_set_forget_choice(f->set);
	request.choose.base = base;
	request.choose.pockets = wanted->pockets ? wanted->pockets : UINT32_MAX;
	f->wanted = wanted;
	r = send_wanted(f, wanted, err);
	if (r == 0)
		r = fetch_ask_with(f, &request, of_rootfs ? wanted->installed : -1, err);
	f->wanted = NULL;
	return r;
}

int packages_download(struct fetch *f,
		      int (*done)(const struct package *package, void *context, struct error **err),
		      void *context, struct error **err)
{
	const struct fetch_message request = { .kind = FETCH_DOWNLOAD };
	int r;

	f->done = done;
	f->context = context;
	r = fetch_ask(f, &request, err);
	f->done = NULL;
	for (size_t i = 0; i < f->set->package_count && r == 0; i++)
		if (!f->set->packages[i].path)
			r = fetch_nonsense("package is missing", err);
	if (r < 0)
		return -1;
	cache_prune(f->packages, KEEP_PACKAGES);
	cache_prune(f->indexes, KEEP_INDEXES);
	cache_prune(f->kept, KEEP_INDEXES);
	return 0;
}

/* What the release file, which the helper has verified, says about PATH. */
static int find_signed_file(const struct fetch *f, const char *path,
			    uint8_t sha256[static SHA256_LEN], struct error **err)
{
	size_t size, signature_size;
	_cleanup_free_ char *data = fetch_read_sealed(f->numbered[0]->inrelease, &size, err);
	_cleanup_free_ char *text = data ? malloc(size + 2) : NULL;
	const char *signature;
	uint64_t bytes;

	if (!data)
		return -1;
	if (!text)
		return error_no_memory(err);
	if (signature_split(data, size, text, &signature, &signature_size) &&
	    release_text_find(text, path, sha256, &bytes) && bytes <= SIGNED_FILE_MAX)
		return 0;
	return error_set(err, ERR_MISSING, "the release file of %s lists no %s", f->set->suite,
			 path);
}

char *packages_file(struct fetch *f, const char *path, size_t *size, struct error **err)
{
	struct fetch_message request = { .kind = FETCH_FILE };
	uint8_t wanted[SHA256_LEN], sum[SHA256_LEN];
	_cleanup_free_ char *place = NULL, *data = NULL;
	_cleanup_close_ int fd = -1;

	snprintf(request.file.path, sizeof(request.file.path), "%s", path);
	if (find_signed_file(f, path, wanted, err) < 0 || fetch_ask(f, &request, err) < 0)
		return NULL;
	place = cache_file(f->indexes, wanted, err);
	if (!place)
		return NULL;
	fd = open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	data = fd < 0 ? NULL : read_all(fd, SIGNED_FILE_MAX, size);
	if (!data) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", place);
		return NULL;
	}
	hash_of(data, *size, sum);
	if (memcmp(sum, wanted, SHA256_LEN) == 0)
		return STEAL_PTR(data);
	error_set(err, ERR_TRUST, "%s of %s: hash differs from the signed one", path,
		  f->set->suite);
	return NULL;
}

/* The file's time says when it was last known to be current. */
int packages_programs(struct fetch *f, struct program_index *index, struct error **err)
{
	struct fetch_message request = { .kind = FETCH_PROGRAMS };
	_cleanup_free_ char *path = NULL;
	int r;

	if (program_index_key(f->origin, request.programs.key, err) < 0)
		return -1;
	path = cache_file(f->kept, request.programs.key, err);
	if (!path || fetch_ask(f, &request, err) < 0)
		return -1;
	cache_touch(path);
	r = program_index_read(request.programs.key, index, err);
	if (r == 0)
		return error_set(err, ERR_SYSTEM, "cannot write the list of programs to %s",
				 f->kept);
	return r < 0 ? -1 : 0;
}

int packages_programs_cached(const struct source *source, struct program_index *index,
			     struct error **err)
{
	_cleanup_(origin_free) struct origin *origin = NULL;
	uint8_t key[SHA256_LEN];

	if (source_plan(source, APT_DIR, &origin, err) < 0 ||
	    program_index_key(origin, key, err) < 0)
		return -1;
	return program_index_read(key, index, err);
}

int packages_unpack(struct fetch *f, size_t package, struct error **err)
{
	struct fetch_message request = { .kind = FETCH_UNPACK };

	request.package_number.package = (uint32_t)package;
	return fetch_ask(f, &request, err);
}

const struct package_set *packages_set(const struct fetch *f)
{
	return f->set;
}
