/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32.h"

#define POLYNOMIAL 0xedb88320u /* of IEEE 802.3, least significant bit first */

static uint32_t table[256];

static void fill_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t rest = byte;

		for (int bit = 0; bit < 8; bit++)
			rest = rest & 1 ? rest >> 1 ^ POLYNOMIAL : rest >> 1;
		table[byte] = rest;
	}
}

uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t length)
{
	if (!table[1])
		fill_table();
	crc = ~crc;
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
	return ~crc;
}
