/* frontend/rootfs/snapshot.c: the name of a snapshot depends on everything that goes into it.
 */
#include "frontend/rootfs/snapshot.h"

#include "tap.h"

/* A recipe in which every part can be changed. */
struct kitchen {
	struct pocket pockets[2];
	struct package_set set;
	char *packages[3];
	struct profile profile;
	struct host_ids ids;
	const char *components[3];
	struct base_recipe recipe;
	struct repository repository;
	char *of_repository[2];
};

static void lay_out(struct kitchen *k)
{
	*k = (struct kitchen){
		.pockets = { { .name = "", .date = "Mon", .sha256_hex = "aa" },
			     { .name = "updates", .date = "Tue", .sha256_hex = "bb" } },
		.set = { .suite = "jammy",
			 .arch = "amd64",
			 .mirror = "http://mirror.example.org/x",
			 .pocket_count = 2 },
		.packages = { "acl", "attr" },
		.profile = { .name = "test", .sha256 = "cc", .package_count = 2 },
		.ids = { .first_uid = 100000, .first_gid = 200000, .count = 65536 },
		.components = { "main", "universe" },
		.recipe = { .engine = "native", .policy = "mirrors = any\n" },
	};
	k->set.pockets = k->pockets;
	k->profile.packages = k->packages;
	k->recipe.set = &k->set;
	k->recipe.profile = &k->profile;
	k->recipe.ids = &k->ids;
	k->recipe.components = k->components;
}

static void change_nothing(struct kitchen *k)
{
	(void)k;
}

static void change_engine(struct kitchen *k)
{
	k->recipe.engine = "debootstrap";
}

static void change_suite(struct kitchen *k)
{
	k->set.suite = "noble";
}

static void change_arch(struct kitchen *k)
{
	k->set.arch = "arm64";
}

static void change_mirror(struct kitchen *k)
{
	k->set.mirror = "http://mirror.example.org/y";
}

static void change_uid(struct kitchen *k)
{
	k->ids.first_uid++;
}

static void change_gid(struct kitchen *k)
{
	k->ids.first_gid++;
}

static void change_release(struct kitchen *k)
{
	k->pockets[0].sha256_hex = "ab";
}

static void change_date(struct kitchen *k)
{
	k->pockets[0].date = "Wed";
}

static void change_pocket_release(struct kitchen *k)
{
	k->pockets[1].sha256_hex = "bc";
}

static void change_pocket_name(struct kitchen *k)
{
	k->pockets[1].name = "security";
}

static void change_pocket_count(struct kitchen *k)
{
	k->set.pocket_count--;
}

static void change_component(struct kitchen *k)
{
	k->components[1] = "restricted";
}

static void change_component_count(struct kitchen *k)
{
	k->components[1] = NULL;
}

static void change_components_to_default(struct kitchen *k)
{
	k->recipe.components = NULL;
}

static void change_profile_name(struct kitchen *k)
{
	k->profile.name = "other";
}

static void change_profile(struct kitchen *k)
{
	k->profile.sha256[1] = 'd';
}

static void change_package(struct kitchen *k)
{
	k->packages[0] = "gdb";
}

static void change_package_count(struct kitchen *k)
{
	k->profile.package_count--;
}

static void change_policy(struct kitchen *k)
{
	k->recipe.policy = "mirrors = none\n";
}

static void change_dated(struct kitchen *k)
{
	k->set.dated = 1709262245;
}

static void change_repository(struct kitchen *k)
{
	k->repository = (struct repository){ "http://r", "stable", "/k", k->of_repository };
	k->of_repository[0] = "extra";
	k->set.repositories = &k->repository;
	k->set.repository_count = 1;
}

static void change_repository_keyring(struct kitchen *k)
{
	change_repository(k);
	k->repository.keyring = "/l";
}

static void change_repository_component(struct kitchen *k)
{
	change_repository(k);
	k->of_repository[0] = "other";
}

static void change_to_lock(struct kitchen *k)
{
	k->recipe.lock = "dd";
}

static const struct {
	const char *what;
	void (*change)(struct kitchen *k);
} rows[] = {
	/* The others are compared with the first. */
	{ "nothing", change_nothing },
	{ "the engine", change_engine },
	{ "the suite", change_suite },
	{ "the architecture", change_arch },
	{ "the mirror", change_mirror },
	{ "the first uid", change_uid },
	{ "the first gid", change_gid },
	{ "the hash of the release", change_release },
	{ "the date of the release", change_date },
	{ "the hash of a pocket's release", change_pocket_release },
	{ "the name of a pocket", change_pocket_name },
	{ "a pocket less", change_pocket_count },
	{ "a component", change_component },
	{ "a component less", change_component_count },
	{ "no components given", change_components_to_default },
	{ "the profile's name", change_profile_name },
	{ "the profile's hash", change_profile },
	{ "a package", change_package },
	{ "a package less", change_package_count },
	{ "the policy", change_policy },
	{ "the date of a dated archive", change_dated },
	{ "a repository", change_repository },
	{ "the keyring of a repository", change_repository_keyring },
	{ "the component of a repository", change_repository_component },
	{ "a lock", change_to_lock },
};
#define COUNT (sizeof(rows) / sizeof(*rows))

static bool key_of(size_t row, char key[static 2 * SHA256_LEN + 1])
{
	struct kitchen k;

	lay_out(&k);
	rows[row].change(&k);
	return base_key(&k.recipe, key) == 0;
}

static bool locked_key(void (*change)(struct kitchen *k), char key[static 2 * SHA256_LEN + 1])
{
	struct kitchen k;

	lay_out(&k);
	k.recipe.lock = "dd";
	change(&k);
	return base_key(&k.recipe, key) == 0;
}

int main(void)
{
	char keys[COUNT][2 * SHA256_LEN + 1], again[2 * SHA256_LEN + 1];

	for (size_t i = 0; i < COUNT; i++) {
		bool good = key_of(i, keys[i]);

		for (size_t j = 0; j < i; j++)
			good = good && strcmp(keys[i], keys[j]) != 0;
		tap_check(good, "a different key: %s", rows[i].what);
	}
	tap_check(locked_key(change_nothing, keys[0]) && locked_key(change_release, keys[1]) &&
			  locked_key(change_mirror, again) && strcmp(keys[0], keys[1]) == 0 &&
			  strcmp(keys[0], again) == 0,
		  "with a lock, the same key for any mirror and release file");
	key_of(0, keys[0]);
	tap_check(key_of(0, again) && strcmp(keys[0], again) == 0, "the same recipe: the same key");
	return tap_done();
}
