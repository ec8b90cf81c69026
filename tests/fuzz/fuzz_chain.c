/* The helper's parsing of a signed text and of a Packages file after the signature check: an
 * archive's key may be stolen. Includes the source file, because the tested functions are static.
 */
#include "helper/worker/verify/chain.c"

#include "fuzz.h"

static void read_release(const char *text)
{
	uint8_t sum[SHA256_LEN];
	uint64_t size;

	release_text_check(text, "jammy", "", 1000000000, NULL);
	release_text_check(text, "jammy", "updates", 1000000000, NULL);
	release_text_find(text, "main/binary-amd64/Packages", sum, &size);
}

static void read_index(const uint8_t *data, size_t size)
{
	struct chain c = { .arch = "amd64" };
	_cleanup_close_ int fd = fuzz_file(data, size);
	size_t length;

	if (size && map_index(&c, fd, size, NULL) == 0) {
		for (size_t i = 0; i < c.stanza_count; i++) {
			const struct stanza *s = &c.stanzas[i];

			if (s->text < c.indexes[0].text ||
			    s->text + s->length > c.indexes[0].text + size)
				abort();
			stanza_field_is(s->text, s->length, "Package", "bash");
			stanza_field(s->text, s->length, "Filename", &length);
			if (!find_stanza(&c, s->sha256))
				abort();
		}
	}
	for (size_t i = 0; i < c.index_count; i++)
		munmap(c.indexes[i].text, c.indexes[i].size);
	free(c.stanzas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_free_ char *status = fuzz_text(data, size);
	_cleanup_free_ char *signed_text = malloc(size + 2);
	const char *signature;
	size_t signature_size;

	read_release(text);
	signature_judge(status);
	if (signed_text)
		signature_split((const char *)data, size, signed_text, &signature, &signature_size);
	read_index(data, size);
	return 0;
}
