#include "lib/landlock_domain.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"

/* For files, the kernel refuses rights that apply to directories only. */
static int landlock_add_rule(int ruleset, int fd, uint64_t access)
{
	const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE |
				  LANDLOCK_IOCTL_DEV;
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	long r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

	if (r < 0 && errno == EINVAL && (access & of_files) != access) {
		rule.allowed_access = access & of_files;
		r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	return (int)r;
}

static int landlock_add_place(int ruleset, const struct landlock_place *place, uint64_t handled)
{
	_cleanup_close_ int fd = place->path ? open(place->path, O_PATH | O_CLOEXEC) : -1;

	if (!place->path)
		return landlock_add_rule(ruleset, place->fd, place->access & handled);
	return fd < 0 ? 0 : landlock_add_rule(ruleset, fd, place->access & handled);
}

int landlock_domain_open(const struct landlock_domain *domain)
{
	int version = landlock_version(), r = 0;
	_cleanup_close_ int ruleset = landlock_ruleset_open(domain->signals);

	for (size_t i = 0; ruleset >= 0 && r == 0 && i < domain->place_count; i++)
		r = landlock_add_place(ruleset, &domain->places[i], landlock_files(version));
	return r < 0 ? -1 : steal_fd(&ruleset);
}
