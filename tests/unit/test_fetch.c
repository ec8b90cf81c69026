/* frontend/archive/fetch_client.c and fetch_message.c: a hijacked fetch process can send anything.
 * It causes only errors, and the resulting set names only files of the cache. */
#include "frontend/archive/fetch_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/archive/package_set.h"

#include "tap.h"

static char *components[] = { (char *)(uintptr_t) "main", NULL };
static struct origin origin = { .components = components };
static const char *const optional[] = { "extra", NULL };
static const struct wanted wanted = { .optional = optional };

/* Messages that the process sent before the request, and a fetch that reads them. */
struct talk {
	struct fetch f;
	int theirs;
};

static void begin(struct talk *t)
{
	int ends[2] = { -1, -1 };

	memset(t, 0, sizeof(*t));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		_exit(2);
	t->f.process = (struct fetch_process){ -1, ends[0] };
	t->theirs = ends[1];
	t->f.origin = &origin;
	t->f.set = calloc(1, sizeof(*t->f.set));
	if (t->f.set)
		t->f.set->pockets = calloc(FETCH_POCKETS, sizeof(*t->f.set->pockets));
	if (!t->f.set || !t->f.set->pockets)
		_exit(2);
	t->f.set->pocket_count = 1;
	t->f.set->pockets[0].inrelease = -1;
	t->f.numbered[0] = &t->f.set->pockets[0];
	t->f.indexes = (char *)(uintptr_t) "/cache/indexes";
	t->f.kept = (char *)(uintptr_t) "/cache/solv";
	t->f.packages = (char *)(uintptr_t) "/cache/packages";
	t->f.wanted = &wanted;
	t->f.sandbox.ports[t->f.sandbox.port_count++] = 80;
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		t->f.releases[i] = (struct arrived_release){ .asked = i < 2 || i == ARCHIVE_POCKETS,
							     .fd = -1 };
}

static void end(struct talk *t)
{
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		closep(&t->f.releases[i].fd);
	package_set_free(&t->f.set);
	closep(&t->f.process.channel);
	closep(&t->theirs);
}

/* Sends any request; returns the result of fetch_ask(). */
static int ask(struct talk *t, struct error **err)
{
	const struct fetch_message request = { .kind = FETCH_DOWNLOAD };

	return fetch_ask(&t->f, &request, err);
}

static void send_raw(struct talk *t, const void *data, size_t size, int fd)
{
	packet_send(t->theirs, data, size, &fd, fd >= 0, NULL);
}

static void send_result(struct talk *t)
{
	const struct fetch_message result = { .kind = FETCH_RESULT };

	fetch_message_send(t->theirs, &result, -1, NULL);
}

static int sealed(int seals, off_t size)
{
	int fd = memfd_create("InRelease", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		_exit(2);
	return fd;
}

static struct fetch_message package(const char *name, const char *version, const char *arch)
{
	struct fetch_message m = { .kind = FETCH_PACKAGE };

	snprintf(m.package.name, sizeof(m.package.name), "%s", name);
	snprintf(m.package.version, sizeof(m.package.version), "%s", version);
	snprintf(m.package.arch, sizeof(m.package.arch), "%s", arch);
	snprintf(m.package.source, sizeof(m.package.source), "attr");
	snprintf(m.package.source_version, sizeof(m.package.source_version), "1");
	return m;
}

static struct fetch_message list(uint32_t pocket, const char *component)
{
	struct fetch_message m = { .kind = FETCH_INDEX };

	m.index.pocket = pocket;
	snprintf(m.index.component, sizeof(m.index.component), "%s", component);
	return m;
}

static struct fetch_message host(const char *name, uint32_t port)
{
	struct fetch_message m = { .kind = FETCH_RESOLVE };

	m.resolve.port = port;
	snprintf(m.resolve.host, sizeof(m.resolve.host), "%s", name);
	return m;
}

static struct fetch_message release(uint32_t pocket, uint32_t missing, uint32_t url)
{
	struct fetch_message m = { .kind = FETCH_RELEASE };

	m.release.pocket = pocket;
	m.release.missing = missing;
	m.release.url = url;
	return m;
}

static struct fetch_message word(const char *text)
{
	struct fetch_message m = { .kind = FETCH_LEFT_OUT };

	snprintf(m.left_out.word, sizeof(m.left_out.word), "%s", text);
	return m;
}

static struct fetch_message arrived(uint32_t number)
{
	struct fetch_message m = { .kind = FETCH_ARRIVED };

	m.package_number.package = number;
	return m;
}

/* Sends M (and FD, which is closed) after BEFORE, if there is one. */
static void check(const char *what, bool good, const struct fetch_message *before,
		  const struct fetch_message *m, int fd)
{
	_cleanup_error_ struct error *err = NULL;
	struct talk t;
	int r;

	begin(&t);
	if (before)
		fetch_message_send(t.theirs, before, -1, NULL);
	fetch_message_send(t.theirs, m, fd, NULL);
	send_result(&t);
	r = ask(&t, &err);
	tap_check(good ? r == 0 : r == -1 && err && err->code == ERR_SYSTEM, "%s: %s",
		  good ? "taken" : "refused", what);
	if (err)
		printf("# %s\n", err->message);
	closep(&fd);
	end(&t);
}

static void check_shapes(void)
{
	struct fetch_message m = { .kind = FETCH_STAGE };
	struct {
		const char *what;
		size_t size;
		uint32_t kind;
	} rows[] = {
		{ "nothing but a kind", sizeof(uint32_t), FETCH_STAGE },
		{ "half a kind", 2, FETCH_STAGE },
		{ "one byte too few", sizeof(m.kind) + sizeof(m.stage) - 1, FETCH_STAGE },
		{ "the maximum size", sizeof(m), FETCH_STAGE },
		{ "kind 0", sizeof(m), 0 },
		{ "an unknown kind", sizeof(uint32_t), FETCH_LAST + 1 },
		{ "an impossible kind", sizeof(uint32_t), UINT32_MAX },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		struct talk t;

		begin(&t);
		m.kind = rows[i].kind;
		send_raw(&t, &m, rows[i].size, -1);
		send_result(&t);
		tap_check(ask(&t, &err) == -1 && err && err->code == ERR_SYSTEM, "refused: %s",
			  rows[i].what);
		end(&t);
	}
	memset(&m, 'x', sizeof(m));
	m.kind = FETCH_NOTE;
	check("an unterminated string", false, NULL, &m, -1);
	m.kind = FETCH_WANT;
	memset(m.want.word, 0, sizeof(m.want.word));
	check("what only the front end asks", false, NULL, &m, -1);
}

static void check_packages(void)
{
	static const struct {
		const char *what, *name, *version, *arch;
		bool good;
	} rows[] = {
		{ "a package", "attr", "1:2.5-1~x+y", "amd64", true },
		{ "a name with a slash", "../attr", "1", "amd64", false },
		{ "a name with a dash before", "-attr", "1", "amd64", false },
		{ "an empty name", "", "1", "amd64", false },
		{ "a version with a slash", "attr", "1/../..", "amd64", false },
		{ "a version with an escape", "attr", "1\033[2J", "amd64", false },
		{ "an empty version", "attr", "", "amd64", false },
		{ "an architecture in capitals", "attr", "1", "AMD64", false },
	};
	struct fetch_message first = package("attr", "1", "amd64"), m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		m = package(rows[i].name, rows[i].version, rows[i].arch);
		check(rows[i].what, rows[i].good, NULL, &m, -1);
	}
	m = package("attr", "1", "amd64");
	snprintf(m.package.source, sizeof(m.package.source), "../attr");
	check("a source with a slash", false, NULL, &m, -1);
	m = package("attr", "1", "amd64");
	m.package.source_version[0] = '\0';
	check("a source without a version", false, NULL, &m, -1);
	m = arrived(0);
	check("the arrival of a package", true, &first, &m, -1);
	check("the arrival of an unknown package", false, NULL, &m, -1);
	m = arrived(UINT32_MAX);
	check("the arrival of a package with a large number", false, &first, &m, -1);
	m = word("extra");
	check("a package that is left out", true, NULL, &m, -1);
	m = word("attr");
	check("one that was not optional", false, NULL, &m, -1);
	first = list(0, "main");
	m = list(0, "main");
	check("a list", true, NULL, &m, -1);
	check("a list, twice", false, &first, &m, -1);
	m = list(0, "universe");
	check("a list of another component", false, NULL, &m, -1);
	m = list(1, "main");
	check("a list of a pocket that is not accepted", false, NULL, &m, -1);
	m = list(77, "main");
	check("a list of no pocket", false, NULL, &m, -1);
}

static void check_releases(void)
{
	const int all = FETCH_SEALS;
	struct fetch_message m = release(0, 0, 0), first = release(1, 1, 0);

	check("a release file", true, NULL, &m, sealed(all, 10));
	check("a writable release file", false, NULL, &m, sealed(all & ~F_SEAL_WRITE, 10));
	check("a release file that can shrink", false, NULL, &m, sealed(all & ~F_SEAL_SHRINK, 10));
	check("a release file that can grow", false, NULL, &m, sealed(all & ~F_SEAL_GROW, 10));
	check("a release file that is too long", false, NULL, &m, sealed(all, (16 << 20) + 1));
	check("a file of the disk as a release file", false, NULL, &m,
	      open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	check("a directory as a release file", false, NULL, &m, open("/etc", O_RDONLY | O_CLOEXEC));
	check("no release file", false, NULL, &m, -1);
	m = release(0, 1, 0);
	check("no release file of the release itself", false, NULL, &m, -1);
	m = release(ARCHIVE_POCKETS, 1, 0);
	check("no release file of a repository", false, NULL, &m, -1);
	m = release(ARCHIVE_POCKETS, 0, 0);
	check("a release file of a repository", true, NULL, &m, sealed(all, 10));
	m = release(1, 1, 0);
	check("none of a pocket", true, NULL, &m, -1);
	check("none of a pocket, twice", false, &first, &m, -1);
	check("a release file that is missing and there", false, NULL, &m, sealed(all, 10));
	m = release(2, 1, 0);
	check("a release file that was not asked for", false, NULL, &m, -1);
	m = release(ARCHIVE_POCKETS + 1, 0, 0);
	check("a release file of another repository", false, NULL, &m, sealed(all, 10));
	m = release(FETCH_POCKETS, 1, 0);
	check("a release file of no pocket", false, NULL, &m, -1);
	m = release(0, 0, 1);
	check("a release file of a mirror that there is not", false, NULL, &m, sealed(all, 10));
	m = release(1, 0, UINT32_MAX);
	check("a release file of no mirror", false, NULL, &m, sealed(all, 10));
}

/* The front end's answer to the lookup request M. */
static struct fetch_message answer_to(const struct fetch_message *m)
{
	struct fetch_message request, answer = { .kind = 0 };
	struct talk t;
	int fd;

	begin(&t);
	fetch_message_send(t.theirs, m, -1, NULL);
	send_result(&t);
	if (ask(&t, NULL) == 0 && fetch_message_receive(t.theirs, &request, &fd, NULL) > 0)
		fetch_message_receive(t.theirs, &answer, &fd, NULL);
	end(&t);
	return answer;
}

static void check_hosts(void)
{
	static const char *const odd[] = { "", "-x", "a b", "a/b", "a\nb", "a;b", "$(id)", "%s" };
	struct fetch_message m, answer;

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		m = host(odd[i], 80);
		check("an invalid host", false, NULL, &m, -1);
	}
	m = host("127.0.0.1", 80);
	answer = answer_to(&m);
	tap_check(answer.kind == FETCH_ADDRESSES && answer.addresses.code == 0 &&
			  answer.addresses.count == 1 &&
			  tap_same(answer.addresses.list[0], "127.0.0.1"),
		  "an address is looked up");
	m = host("::1", 80);
	answer = answer_to(&m);
	tap_check(answer.addresses.count == 1 && tap_same(answer.addresses.list[0], "::1"),
		  "an IPv6 address is looked up");
	m = host("nobody.invalid", 80);
	answer = answer_to(&m);
	tap_check(answer.addresses.code == ERR_NETWORK && answer.addresses.count == 0 &&
			  answer.addresses.why[0],
		  "an unknown name gives an error");
	for (size_t i = 0; i < 3; i++) {
		m = host("127.0.0.1", (const uint32_t[]){ 22, 0, 80 + 65536 }[i]);
		answer = answer_to(&m);
		tap_check(answer.kind == FETCH_ADDRESSES && answer.addresses.code == ERR_REFUSED &&
				  answer.addresses.count == 0,
			  "not looked up: port %u", m.resolve.port);
	}
}

static void check_results(void)
{
	struct fetch_message m = { .kind = FETCH_RESULT, .result.code = ERR_TRUST };
	_cleanup_error_ struct error *first = NULL, *second = NULL, *third = NULL;
	struct talk t;

	begin(&t);
	snprintf(m.result.text, sizeof(m.result.text), "bad\033[31m news\n\xff");
	fetch_message_send(t.theirs, &m, -1, NULL);
	tap_check(ask(&t, &first) == -1 && first && first->code == ERR_TRUST &&
			  tap_same(first->message, "bad?[31m news??"),
		  "an error message is free of terminal controls");
	m.result.code = 4711;
	fetch_message_send(t.theirs, &m, -1, NULL);
	tap_check(ask(&t, &second) == -1 && second && second->code == ERR_SYSTEM,
		  "an error of an unknown kind");
	closep(&t.theirs);
	t.theirs = -1;
	tap_check(ask(&t, &third) == -1 && third && third->code == ERR_SYSTEM &&
			  strstr(third->message, "without a reply"),
		  "no answer");
	end(&t);
}

static int count_package(const struct package *one, void *context, struct error **err)
{
	(void)err;
	snprintf(context, 128, "%s", one->path);
	return 0;
}

/* A package's file is named by its hash. */
static void check_paths(void)
{
	struct fetch_message first = package("attr", "1", "amd64"), second = arrived(0);
	char path[128] = "", want[128], hex[2 * SHA256_LEN + 1];
	struct talk t;

	begin(&t);
	memset(first.package.sha256, 0x2f, SHA256_LEN); /* '/' */
	sha256_to_hex(first.package.sha256, hex);
	snprintf(want, sizeof(want), "/cache/packages/%s", hex);
	t.f.done = count_package;
	t.f.context = path;
	fetch_message_send(t.theirs, &first, -1, NULL);
	fetch_message_send(t.theirs, &second, -1, NULL);
	send_result(&t);
	tap_check(ask(&t, NULL) == 0 && tap_same(path, want), "a package's path is its hash");
	end(&t);
}

int main(void)
{
	check_shapes();
	check_packages();
	check_releases();
	check_hosts();
	check_results();
	check_paths();
	return tap_done();
}
