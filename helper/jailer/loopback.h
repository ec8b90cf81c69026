/* The loopback interface, the only one in a jail. */
#pragma once

/* Best effort: if it fails, only package scripts that connect to themselves fail. */
void loopback_up(void);
