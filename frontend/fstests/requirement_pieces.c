#include <string.h>

#include "frontend/cli/word_list.h"
#include "frontend/fstests/requirement_pieces.h"

/* fstests has about 1,200 functions and 10,000 edges. */
#define NAMES_MOST 20000
#define EDGES_MOST 200000

void requirement_pieces_clear(struct requirement_scan *s)
{
	for (size_t i = 0; i < s->need_count; i++)
		requirement_clear(&s->needs[i]);
	for (size_t i = 0; i < s->piece_count; i++) {
		free(s->pieces[i].name);
		free(s->pieces[i].needs.list);
		free(s->pieces[i].calls.list);
	}
	for (size_t i = 0; i < s->program_count; i++) {
		free(s->programs[i].variable);
		free(s->programs[i].command);
	}
	free(s->needs);
	free(s->pieces);
	free(s->programs);
	test_index_clear(&s->need_index);
	test_index_clear(&s->piece_index);
	test_index_clear(&s->program_index);
}

/* --- names ---------------------------------------------------------------------------------- */

static struct test_key need_key(const void *list, size_t position)
{
	const struct requirement *need = (const struct requirement *)list + position;

	return (struct test_key){ requirement_kind_name(need->kind), need->name };
}

static struct test_key piece_key(const void *list, size_t position)
{
	return (struct test_key){ "", ((const struct requirement_piece *)list)[position].name };
}

size_t requirement_piece_find(const struct requirement_scan *s, const char *name)
{
	return test_index_find(&s->piece_index, s->pieces, piece_key, "", name);
}

void requirement_piece_add(struct requirement_scan *s, const char *name)
{
	struct requirement_piece *piece;

	if (s->piece_count >= NAMES_MOST)
		s->excessive = true;
	if (s->excessive || requirement_piece_find(s, name) != TEST_INDEX_NONE)
		return;
	piece = array_grow(&s->pieces, s->piece_count, sizeof(*piece));
	if (piece)
		piece->name = strdup(name);
	if (!piece || !piece->name) {
		s->failed = true;
		return;
	}
	s->piece_count++;
	if (!test_index_add(&s->piece_index, s->pieces, piece_key, s->piece_count - 1))
		s->failed = true;
}

static size_t number_need(struct requirement_scan *s, enum requirement_kind kind, const char *name)
{
	size_t at = test_index_find(&s->need_index, s->needs, need_key, requirement_kind_name(kind),
				    name);
	struct requirement *need;

	if (s->need_count >= NAMES_MOST)
		s->excessive = true;
	if (at != TEST_INDEX_NONE || s->excessive)
		return at;
	need = array_grow(&s->needs, s->need_count, sizeof(*need));
	if (need)
		need->name = strdup(name);
	if (!need || !need->name) {
		s->failed = true;
		return TEST_INDEX_NONE;
	}
	need->kind = kind;
	s->need_count++;
	if (!test_index_add(&s->need_index, s->needs, need_key, s->need_count - 1))
		s->failed = true;
	return s->need_count - 1;
}

/* --- edges ---------------------------------------------------------------------------------- */

/* Adds an edge, or extends that at *AT if the current piece added it before. */
static void add_edge(struct requirement_reader *r, struct requirement_edges *edges, size_t target,
		     size_t *in, size_t *at, uint32_t filesystems)
{
	struct requirement_scan *s = r->scan;
	struct requirement_edge *edge;

	if (*in == s->piece_number) {
		edges->list[*at].filesystems |= filesystems;
		return;
	}
	if (r->piece && ++s->edge_count > EDGES_MOST) {
		s->excessive = true;
		return;
	}
	edge = array_grow(&edges->list, edges->count, sizeof(*edge));
	if (!edge) {
		s->failed = true;
		return;
	}
	*edge = (struct requirement_edge){ (uint32_t)target, filesystems };
	*in = s->piece_number;
	*at = edges->count++;
}

void requirement_add_need(struct requirement_reader *r, enum requirement_kind kind,
			  const char *name, uint32_t filesystems)
{
	size_t target = filesystems ? number_need(r->scan, kind, name) : TEST_INDEX_NONE;
	struct requirement *need;

	if (target == TEST_INDEX_NONE)
		return;
	need = &r->scan->needs[target];
	add_edge(r, &r->scan->pieces[r->piece].needs, target, &need->marked_in, &need->marked_at,
		 filesystems);
}

void requirement_add_call(struct requirement_reader *r, const char *name, uint32_t filesystems)
{
	size_t target = filesystems ? requirement_piece_find(r->scan, name) : TEST_INDEX_NONE;
	struct requirement_piece *piece;

	if (target == TEST_INDEX_NONE || target == r->piece)
		return;
	piece = &r->scan->pieces[target];
	add_edge(r, &r->scan->pieces[r->piece].calls, target, &piece->marked_in, &piece->marked_at,
		 filesystems);
}
