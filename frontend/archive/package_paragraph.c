#include "frontend/archive/package_paragraph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/archive/package_words.h"
#include "lib/cleanup.h"
#include "lib/hex_read.h"

#define DEB_SIZE_MAX ((uint64_t)16 << 30)

/* The value of field NAME if LINE has it, or NULL. Cuts LINE after the value. */
static char *field_value(char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	line += strspn(line, " \t");
	line[strcspn(line, " \t\r\n")] = '\0';
	return line;
}

/* "Source: glibc (2.36-9)"; libsolv stores the name. Without a version it is the package's. */
static void paragraph_source(struct paragraph *p, const char *line)
{
	const char *version = strchr(line, '(');
	size_t length = version ? strcspn(version + 1, " )\r\n") : 0;

	if (length && length < sizeof(p->source_version))
		memcpy(p->source_version, version + 1, length);
}

static void paragraph_line(struct paragraph *p, char *line)
{
	static const char source[] = "Source:";
	char *value, *end;

	if (strncasecmp(line, source, sizeof(source) - 1) == 0) {
		paragraph_source(p, line);
	} else if ((value = field_value(line, "Package"))) {
		snprintf(p->name, sizeof(p->name), "%s", value);
	} else if ((value = field_value(line, "Essential"))) {
		p->base = p->base || strcasecmp(value, "yes") == 0;
	} else if ((value = field_value(line, "Priority"))) {
		p->base = p->base || strcasecmp(value, "required") == 0;
	} else if ((value = field_value(line, "SHA256"))) {
		p->hashed = sha256_from_hex(value, strlen(value), p->sha256);
	} else if ((value = field_value(line, "Size"))) {
		errno = 0;
		p->size = strtoull(value, &end, 10);
		if (errno || *end || value[0] == '-' || p->size > DEB_SIZE_MAX)
			p->size = 0;
	}
}

int paragraph_each(const char *path,
		   void (*visit)(const struct paragraph *paragraph, void *context), void *context,
		   struct error **err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	struct paragraph paragraph = { 0 };
	size_t size = 0;

	if (!file)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	while (getline(&line, &size, file) >= 0) {
		if (line[strspn(line, " \t\r\n")] != '\0') {
			paragraph_line(&paragraph, line);
			continue;
		}
		visit(&paragraph, context);
		paragraph = (struct paragraph){ 0 };
	}
	if (ferror(file))
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	visit(&paragraph, context);
	return 0;
}
