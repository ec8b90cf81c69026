#include "lib/close_except.h"

#include <linux/close_range.h>
#include <unistd.h>

void close_except(const int *kept, size_t count)
{
	unsigned first = 3, next = 0;

	while (next < ~0U) {
		next = ~0U;
		for (size_t i = 0; i < count; i++)
			if (kept[i] >= (int)first && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (next > first)
			close_range(first, next < ~0U ? next - 1 : next, 0);
		first = next + 1;
	}
}
