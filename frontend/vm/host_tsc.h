/* The host's time stamp counter, which is also that of an emulated guest on x86. */
#pragma once

/* Measures its rate in kHz, in about 20 ms. 0 if the host has none, or if it varies. */
unsigned host_tsc_khz(void);
