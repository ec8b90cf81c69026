#include "frontend/archive/package_set.h"

#include <string.h>

#include "frontend/cli/word_list.h"

int pocket_add_index(struct pocket *pocket, const char *component, const char *packages,
		     const uint8_t sha256[static SHA256_LEN], struct error **err)
{
	struct pocket_index *more =
		reallocarray(pocket->indexes, pocket->index_count + 1, sizeof(*pocket->indexes));
	struct pocket_index *index;

	if (!more)
		return error_no_memory(err);
	pocket->indexes = more;
	index = &more[pocket->index_count++];
	*index = (struct pocket_index){ strdup(component), strdup(packages), { 0 } };
	memcpy(index->sha256, sha256, SHA256_LEN);
	return index->component && index->packages ? 0 : error_no_memory(err);
}

int package_set_add(struct package_set *set, const struct fetch_message *m,
		    const struct pocket *pocket, struct error **err)
{
	struct package *more =
		reallocarray(set->packages, set->package_count + 1, sizeof(*set->packages));
	struct package *package;

	if (!more)
		return error_no_memory(err);
	set->packages = more;
	package = &more[set->package_count++];
	*package = (struct package){
		.name = strdup(m->package.name),
		.version = strdup(m->package.version),
		.arch = strdup(m->package.arch),
		.source = strdup(m->package.source),
		.source_version = strdup(m->package.source_version),
		.size = m->package.size,
	};
	package->pocket = pocket;
	memcpy(package->sha256, m->package.sha256, SHA256_LEN);
	return package->name && package->version && package->arch && package->source &&
			       package->source_version
		       ? 0
		       : error_no_memory(err);
}

void pocket_indexes_clear(struct pocket_index **indexes, size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		free((*indexes)[i].component);
		free((*indexes)[i].packages);
	}
	free(*indexes);
	*indexes = NULL;
	*count = 0;
}

void package_set_forget_choice(struct package_set *set)
{
	for (size_t i = 0; i < set->pocket_count; i++)
		pocket_indexes_clear(&set->pockets[i].indexes, &set->pockets[i].index_count);
	for (size_t i = 0; i < set->package_count; i++) {
		free(set->packages[i].name);
		free(set->packages[i].version);
		free(set->packages[i].arch);
		free(set->packages[i].source);
		free(set->packages[i].source_version);
		free(set->packages[i].path);
	}
	free(set->packages);
	set->packages = NULL;
	set->package_count = 0;
	words_free(set->left_out);
	words_free(set->removed);
	set->left_out = set->removed = NULL;
}

void package_set_free(struct package_set **set)
{
	struct package_set *s = *set;

	if (!s)
		return;
	package_set_forget_choice(s);
	for (size_t i = 0; i < s->pocket_count; i++) {
		closep(&s->pockets[i].inrelease);
		free(s->pockets[i].date);
		free(s->pockets[i].sha256_hex);
		free(s->pockets[i].mirror);
		free(s->pockets[i].place);
	}
	free(s->pockets);
	free(s->mirror);
	free(s->keyring);
	free(s->suite);
	free(s->arch);
	free(s->distribution);
	free(s);
	*set = NULL;
}
