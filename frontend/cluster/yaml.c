#include "frontend/cluster/yaml.h"

#include <stdint.h>
#include <string.h>

#include "frontend/cli/text.h"

bool yaml_can_have(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);

	return copy && strcmp(text_utf8(copy), text) == 0;
}

/* The character at TEXT, and in *LENGTH its bytes. Source: RFC 3629. */
static uint32_t yaml_decode(const char *text, size_t *length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t code = bytes[0];

	*length = code < 0xc0 ? 1 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
	if (*length > 1)
		code &= 0x7fu >> *length;
	for (size_t i = 1; i < *length; i++)
		code = code << 6 | (bytes[i] & 0x3f);
	return code;
}

/* Whether some reader refuses or changes the character if it is not escaped: C0, DEL, C1, the line
 * separators, the byte order mark and what is no character. Source: c-printable and b-break of
 * YAML 1.1 and 1.2. */
static bool yaml_must_escape(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
	       code == 0xfeff || code == 0xfffe || code == 0xffff;
}

void yaml_print(FILE *out, const char *text)
{
	size_t length;

	fputc('"', out);
	for (; *text; text += length) {
		uint32_t code = yaml_decode(text, &length);

		if (code == '\n')
			fputs("\\n", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else if (yaml_must_escape(code))
			fprintf(out, "\\u%04X", (unsigned int)code);
		else
			fwrite(text, 1, length, out);
	}
	fputc('"', out);
}
