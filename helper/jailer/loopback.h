/* The loopback interface of a jail, which has no other. */
#pragma once

/* Best effort: without it a package script that talks to itself fails, and nothing else. */
void loopback_up(void);
