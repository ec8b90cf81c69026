/* The front end's parsing of a signed text. */
#include "frontend/archive/release.h"
#include "lib/release_text.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct release *release = NULL;
	struct release_file file;

	if (release_parse(fuzz_text(data, size), "fuzz", &release, NULL) == 0) {
		release_text_check(release->text, "jammy", "", 1000000000, NULL);
		release_text_check(release->text, "jammy", "updates", 1000000000, NULL);
		release_find(release, "main/binary-amd64/Packages.xz", &file);
	}
	release_free(&release);
	return 0;
}
