#include "frontend/cluster/kubernetes_options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "lib/names.h"

#define LABEL_MOST 63
#define SUBDOMAIN_MOST 253
#define IMAGE_MOST 1024
/* A pod's host name is a label: the job's name, "-" and the index. */
#define NAME_MOST (LABEL_MOST - sizeof("-65535") + 1)
#define NO_KVM "none"

/* RFC 1123, with Kubernetes' lower case. */
static bool is_label(const char *text, size_t most)
{
	return valid_name(text, most, NAME_LOWER NAME_DIGITS, "-") && text[strlen(text) - 1] != '-';
}

static bool is_subdomain(const char *text, size_t length)
{
	char label[LABEL_MOST + 1];

	if (length > SUBDOMAIN_MOST)
		return false;
	for (const char *end = text + length; text <= end; text += strlen(label) + 1) {
		size_t size = strcspn(text, "./");

		if (size > LABEL_MOST)
			return false;
		snprintf(label, sizeof(label), "%.*s", (int)size, text);
		if (!is_label(label, LABEL_MOST))
			return false;
	}
	return true;
}

static bool is_claim(const char *text)
{
	return is_subdomain(text, strlen(text)) && !strchr(text, '/');
}

static bool is_name_space(const char *text)
{
	return is_label(text, LABEL_MOST);
}

static bool is_job(const char *text)
{
	return is_label(text, NAME_MOST);
}

static bool is_image(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return length > 0 && length <= IMAGE_MOST;
}

/* "devices.example/kvm" */
static bool is_resource(const char *text)
{
	const char *slash = strchr(text, '/');

	return strcmp(text, NO_KVM) == 0 || (slash && is_subdomain(text, (size_t)(slash - text)) &&
					     valid_name(slash + 1, LABEL_MOST, NAME_ALL, "-_.") &&
					     !strchr("-_.", text[strlen(text) - 1]));
}

static const struct option_key {
	const char *key, *value, *what;
	bool (*is_valid)(const char *text);
	bool required;
} keys[] = {
	{ "image", "IMAGE", "the container image, which has rootlet, vng and qemu", is_image,
	  true },
	{ "claim", "NAME", "the PersistentVolumeClaim of the volume that the pods share", is_claim,
	  true },
	{ "kvm", "DOMAIN/NAME", "the resource of the KVM device; kvm=none to emulate the guests",
	  is_resource, true },
	{ "name", "NAME", "the job's name, a DNS label that is short enough for an index", is_job,
	  false },
	{ "namespace", "NAME", "the namespace, a DNS label", is_name_space, false },
};

#define KEYS (sizeof(keys) / sizeof(*keys))

static const struct option_key *find_key(const char *word)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < KEYS && word[length]; i++)
		if (strncmp(word, keys[i].key, length) == 0 && !keys[i].key[length])
			return &keys[i];
	return NULL;
}

static int complain_of_key(const char *word, struct error **err)
{
	_cleanup_free_ char *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	for (size_t i = 0; out && i < KEYS; i++)
		fprintf(out, "%s%s=%s", i ? ", " : "", keys[i].key, keys[i].value);
	if (!out || fclose(out) != 0)
		return error_no_memory(err);
	return error_set(err, ERR_INPUT, "--cluster-option %s: must be one of %s", word, list);
}

static int take_key(const char *word, const char *values[static KEYS], struct error **err)
{
	const struct option_key *key = find_key(word);
	const char *value;

	if (!key)
		return complain_of_key(word, err);
	value = word + strlen(key->key) + 1;
	if (!key->is_valid(value))
		return error_set(err, ERR_INPUT, "--cluster-option %s: not valid as %s=%s, %s",
				 word, key->key, key->value, key->what);
	if (values[key - keys])
		return error_set(err, ERR_INPUT, "--cluster-option %s: %s is given already", word,
				 key->key);
	values[key - keys] = value;
	return 0;
}

int kubernetes_read_options(const char *const *words, size_t count, struct kubernetes_options *out,
			    struct error **err)
{
	const char *values[KEYS] = { 0 };

	for (size_t i = 0; i < count; i++)
		if (take_key(words[i], values, err) < 0)
			return -1;
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].required && !values[i])
			return error_set(err, ERR_INPUT,
					 "--cluster kubernetes needs --cluster-option %s=%s: %s",
					 keys[i].key, keys[i].value, keys[i].what);
	*out = (struct kubernetes_options){ values[0], values[1], values[2], values[3], values[4] };
	if (strcmp(out->kvm, NO_KVM) == 0)
		out->kvm = NULL;
	return 0;
}
