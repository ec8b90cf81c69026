/* Context for errors on their way up. */
#pragma once

#include "lib/error.h"

/* Puts "context: " before the message. Always returns -1. */
int error_wrap(struct error **err, const char *format, ...) PRINTF_LIKE(2, 3);

#define error_wrap(...) error_returned(error_wrap(__VA_ARGS__))
