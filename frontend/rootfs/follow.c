#include "frontend/rootfs/follow.h"

#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/published.h"

int follow_source(const struct manifest *m, const char *parent, const char *base,
		  struct publisher *publisher, struct source *source, struct error **err)
{
	if (m->changed)
		return error_set(err, ERR_INPUT,
				 "packages were changed in %s/%s since it was made from generation "
				 "%u of %s; keep them and follow the archive from now on: rootlet "
				 "upgrade --unfollow; or get the next generation without them: "
				 "rootlet create --force --from URL",
				 parent, base, m->published_generation, m->published);
	if (publisher_read(parent, base, publisher, err) < 0)
		return -1;
	*source = (struct source){ .arch = m->arch, .keyring = publisher->keyring };
	published_source(publisher->url, publisher->name, source);
	return 0;
}

int follow_replace(struct helper *h, const struct provision *p, const char *parent,
		   const struct manifest *next, struct error **err)
{
	const struct profile profile = lock_profile(next, PUBLISHED_LOCK);
	const struct publisher publisher = {
		.url = packages_set(p->fetch)->mirror,
		.name = next->published,
		.keyring = packages_set(p->fetch)->keyring,
	};
	struct provision whole = *p;

	whole.engine = "pieces";
	whole.profile = &profile;
	whole.lock = next;
	whole.finished = true;
	if (provision_rootfs(h, &whole, err) < 0)
		return -1;
	/* If that fails, the record is the one from before. */
	publisher_write(parent, p->base, &publisher, NULL);
	return 0;
}
