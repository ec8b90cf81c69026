/* What the jailer reports about a request to the audit process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum record_kind { RECORD_INTENT = 1, RECORD_RESULT, RECORD_REFUSAL };

/* One report. The texts may contain anything. */
struct record {
	uint32_t kind;
	uint32_t code;	/* enum error_code, of a result or refusal */
	int32_t status; /* exit status, of a result */
	uint64_t milliseconds;
	char request[24], arguments[1024], rule[128], text[256];
};

/* Receives one record and terminates its texts. Returns false if the peer closed the socket or sent
 * anything else. */
bool record_receive(int socket, struct record *record);
