/* SPDX-License-Identifier: Apache-2.0 */
/* A plain inflater after RFC 1951; the numbers in comments are its sections. */
#include "inflate.h"

#include <stdbool.h>
#include <string.h>

enum {
	BITS_MAX = 15,	   /* of a code, 3.2.7 */
	LITERALS = 288,	   /* symbols for literals and lengths, 3.2.6 */
	DISTANCES = 30,	   /* symbols for distances, 3.2.5 */
	END_OF_BLOCK = 256,
	FIRST_LENGTH = 257,
	LENGTHS = 29,
	CODE_LENGTHS = 19, /* symbols of the code for code lengths, 3.2.7 */
};

struct stream {
	const uint8_t *from, *end;
	uint8_t *start, *to, *limit;
	unsigned int bit;
	bool failed;
};

/* A canonical code, 3.2.2: how many codes of each length, and the symbols in code order. */
struct code {
	uint16_t count[BITS_MAX + 1];
	uint16_t symbol[LITERALS];
};

static unsigned int take_bit(struct stream *s)
{
	unsigned int bit;

	if (s->from == s->end) {
		s->failed = true;
		return 0;
	}
	bit = *s->from >> s->bit & 1;
	s->bit = (s->bit + 1) % 8;
	if (s->bit == 0)
		s->from++;
	return bit;
}

static unsigned int take_bits(struct stream *s, unsigned int count)
{
	unsigned int value = 0;

	for (unsigned int i = 0; i < count; i++)
		value |= take_bit(s) << i;
	return value;
}

static void put_byte(struct stream *s, uint8_t byte)
{
	if (s->to == s->limit)
		s->failed = true;
	else
		*s->to++ = byte;
}

/* Returns false if the lengths are not a valid code: too many codes of some length. */
static bool build_code(struct code *code, const uint8_t *lengths, unsigned int symbols)
{
	uint16_t next[BITS_MAX + 2] = { 0 };
	int left = 1;

	memset(code->count, 0, sizeof(code->count));
	for (unsigned int i = 0; i < symbols; i++)
		code->count[lengths[i]]++;
	code->count[0] = 0;
	for (unsigned int bits = 1; bits <= BITS_MAX; bits++) {
		left = 2 * left - code->count[bits];
		if (left < 0)
			return false;
		next[bits + 1] = (uint16_t)(next[bits] + code->count[bits]);
	}
	for (unsigned int i = 0; i < symbols; i++)
		if (lengths[i])
			code->symbol[next[lengths[i]]++] = (uint16_t)i;
	return true;
}

static unsigned int take_symbol(struct stream *s, const struct code *code)
{
	unsigned int value = 0, first = 0, index = 0;

	for (unsigned int bits = 1; bits <= BITS_MAX; bits++) {
		value |= take_bit(s);
		if (value < first + code->count[bits])
			return code->symbol[index + value - first];
		index += code->count[bits];
		first = (first + code->count[bits]) << 1;
		value <<= 1;
	}
	s->failed = true;
	return END_OF_BLOCK;
}

/* 3.2.5 */
static const uint16_t length_base[LENGTHS] = {
	3,  4,	5,  6,	7,  8,	9,  10, 11,  13,  15,  17,  19,	 23, 27,
	31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
};
static const uint8_t length_bits[LENGTHS] = {
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
};
static const uint16_t distance_base[DISTANCES] = {
	1,   2,	  3,   4,   5,	 7,    9,    13,   17,	 25,   33,   49,   65,	  97,	 129,
	193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
};

static void copy_back(struct stream *s, unsigned int symbol, const struct code *distances)
{
	unsigned int which = symbol - FIRST_LENGTH, length, distance;

	if (which >= LENGTHS) {
		s->failed = true;
		return;
	}
	length = length_base[which] + take_bits(s, length_bits[which]);
	which = take_symbol(s, distances);
	if (s->failed || which >= DISTANCES) {
		s->failed = true;
		return;
	}
	distance = distance_base[which] + take_bits(s, which < 2 ? 0 : which / 2 - 1);
	if (distance > (size_t)(s->to - s->start)) {
		s->failed = true;
		return;
	}
	while (length-- && !s->failed)
		put_byte(s, s->to[-(ptrdiff_t)distance]);
}

static void take_codes(struct stream *s, const struct code *literals, const struct code *distances)
{
	while (!s->failed) {
		unsigned int symbol = take_symbol(s, literals);

		if (symbol == END_OF_BLOCK)
			return;
		if (symbol < END_OF_BLOCK)
			put_byte(s, (uint8_t)symbol);
		else
			copy_back(s, symbol, distances);
	}
}

/* 3.2.4 */
static void take_stored(struct stream *s)
{
	unsigned int length, check;

	if (s->bit) {
		s->bit = 0;
		s->from++;
	}
	length = take_bits(s, 16);
	check = take_bits(s, 16);
	if (s->failed || length != (~check & 0xffff) || length > (size_t)(s->end - s->from)) {
		s->failed = true;
		return;
	}
	while (length-- && !s->failed)
		put_byte(s, *s->from++);
}

/* 3.2.6 */
static void take_fixed(struct stream *s)
{
	uint8_t lengths[LITERALS];
	struct code literals, distances;

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	build_code(&literals, lengths, LITERALS);
	memset(lengths, 5, DISTANCES);
	build_code(&distances, lengths, DISTANCES);
	take_codes(s, &literals, &distances);
}

/* 3.2.7: @count lengths, themselves in a code, with runs. */
static void take_lengths(struct stream *s, const struct code *code, uint8_t *lengths,
			 unsigned int count)
{
	unsigned int done = 0;

	while (done < count && !s->failed) {
		unsigned int symbol = take_symbol(s, code), repeat = 1;
		uint8_t length = (uint8_t)symbol;

		if (symbol == 16) {
			length = done ? lengths[done - 1] : 0;
			s->failed |= !done;
			repeat = 3 + take_bits(s, 2);
		} else if (symbol > 16) {
			length = 0;
			repeat = symbol == 17 ? 3 + take_bits(s, 3) : 11 + take_bits(s, 7);
		}
		if (s->failed || repeat > count - done) {
			s->failed = true;
			return;
		}
		memset(lengths + done, length, repeat);
		done += repeat;
	}
}

/* 3.2.7 */
static void take_dynamic(struct stream *s)
{
	static const uint8_t order[CODE_LENGTHS] = { 16, 17, 18, 0, 8,	7, 9,  6, 10, 5,
						     11, 4,  12, 3, 13, 2, 14, 1, 15 };
	unsigned int literals = 257 + take_bits(s, 5), distances = 1 + take_bits(s, 5);
	unsigned int lengths = 4 + take_bits(s, 4);
	uint8_t bits[LITERALS + 32] = { 0 };
	struct code first, second;

	for (unsigned int i = 0; i < lengths; i++)
		bits[order[i]] = (uint8_t)take_bits(s, 3);
	if (s->failed || literals > LITERALS || !build_code(&first, bits, CODE_LENGTHS)) {
		s->failed = true;
		return;
	}
	take_lengths(s, &first, bits, literals + distances);
	if (s->failed || !build_code(&first, bits, literals) ||
	    !build_code(&second, bits + literals, distances)) {
		s->failed = true;
		return;
	}
	take_codes(s, &first, &second);
}

ssize_t inflate(const uint8_t *from, size_t length, uint8_t *to, size_t size)
{
	struct stream s = {
		.from = from, .end = from + length, .start = to, .to = to, .limit = to + size
	};
	bool last = false;

	while (!last && !s.failed) {
		last = take_bit(&s);
		switch (take_bits(&s, 2)) {
		case 0:
			take_stored(&s);
			break;
		case 1:
			take_fixed(&s);
			break;
		case 2:
			take_dynamic(&s);
			break;
		default:
			s.failed = true;
		}
	}
	return s.failed ? -1 : s.to - s.start;
}
