/* Shell code of an fstests tree: the first half is a file of common/, the second a test. */
#include "frontend/cli/text.h"
#include "frontend/fstests/requirement_text.h"

#include "fuzz.h"

static void check_edges(const struct requirement_edges *edges, size_t targets)
{
	for (size_t i = 0; i < edges->count; i++)
		if (edges->list[i].target >= targets || !edges->list[i].filesystems)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct requirement_scan scan = { 0 };
	char *common = fuzz_text(data, size / 2);
	char *test = fuzz_text(data + size / 2, size - size / 2);

	requirement_scan_names(&scan, "", "");
	requirement_scan_names(&scan, "common/rc", common);
	requirement_scan_file(&scan, "common/rc", common);
	requirement_scan_test(&scan, test);
	for (size_t i = 0; i < scan.need_count; i++)
		if (!text_is_clean(scan.needs[i].name) || strpbrk(scan.needs[i].name, "/ \t") ||
		    !*scan.needs[i].name)
			abort();
	for (size_t i = 0; i < scan.piece_count; i++) {
		check_edges(&scan.pieces[i].needs, scan.need_count);
		check_edges(&scan.pieces[i].calls, scan.piece_count);
	}
	requirement_pieces_clear(&scan);
	free(common);
	free(test);
	return 0;
}
