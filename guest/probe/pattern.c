// SPDX-License-Identifier: GPL-2.0-only
/* Contents that can be told apart by place and by seed; harness/devices/probe/pattern.py has the same. */
#include "probe.h"

#define PATTERN_STEP	0x9e3779b1	/* an odd number near 2^32 over the golden ratio */

static u32 pattern_word(u32 seed, u32 index)
{
	u32 word = (seed ^ index) * PATTERN_STEP;

	return word ^ (word >> 15);
}

/* Words are little-endian and counted from the start of the object, not of the range. */
static u8 pattern_byte(const struct probe_pattern *pattern, u32 place)
{
	u32 value = le32_to_cpu(pattern->value);

	if (pattern->kind == PROBE_PATTERN_BYTE)
		return value;
	return pattern_word(value, place / 4) >> (8 * (place % 4));
}

void pattern_fill(u8 *where, const struct probe_pattern *pattern, u32 length)
{
	u32 offset = le32_to_cpu(pattern->range.offset), i;

	for (i = 0; i < length; i++)
		where[i] = pattern_byte(pattern, offset + i);
}

u32 pattern_matching(const u8 *where, const struct probe_pattern *pattern, u32 length)
{
	u32 offset = le32_to_cpu(pattern->range.offset), i;

	for (i = 0; i < length; i++)
		if (where[i] != pattern_byte(pattern, offset + i))
			break;
	return i;
}
