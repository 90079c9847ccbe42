/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CRC32_H
#define AGENT_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* zlib's CRC-32 of @length bytes, continued from @crc; start with 0. */
uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t length);

#endif
