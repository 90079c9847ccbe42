// SPDX-License-Identifier: Apache-2.0
/*
 * The log of the kernel's cache maintenance by virtual address to the point of coherency, which
 * HCR_EL2.TPC traps (Arm DDI 0487, D19.2.48). QEMU has no caches, so nothing else shows what is
 * missing.
 */
#include "firmware.h"

/* ISS of a trapped "dc": Arm DDI 0487, D19.2.40; C5.3 has the encodings. */
#define CRM(syndrome) ((syndrome) >> 1 & 0xf) /* 6 ivac, 10 cvac, 12 cvap, 13 cvadp, 14 civac */
#define RT(syndrome) ((syndrome) >> 5 & 0x1f)
#define ZERO_REGISTER 31

#define PAR_FAULT 1
#define PAR_PAGE 0x0000fffffffff000UL
#define RAM 0x40000000UL /* of the virt board; everything behind it that can be cached is RAM */

#define PRIME 0x100000001b3UL /* of FNV-1a; here 8 bytes at once */

static struct bounced *const bounced = (struct bounced *)BOUNCED_TABLE;

static uint64_t line_size(void)
{
	return 4UL << (read_sysreg(ctr_el0) >> 16 & 0xf);
}

uint64_t physical(uint64_t address)
{
	uint64_t before = read_sysreg(par_el1), result;

	__asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(address) : "memory");
	result = read_sysreg(par_el1);
	write_sysreg(par_el1, before);
	return result & PAR_FAULT ? NOWHERE : (result & PAR_PAGE) | (address & 0xfff);
}

static uint64_t hash(uint64_t line)
{
	const volatile uint64_t *words = (const volatile uint64_t *)line;
	uint64_t value = 0;

	for (uint64_t i = 0; i < line_size() / sizeof(*words); i++)
		value = (value ^ words[i]) * PRIME;
	return value;
}

static uint64_t original_of(uint64_t line)
{
	for (uint64_t i = 0; i < BOUNCED_RANGES; i++)
		if (line >= bounced[i].base && line - bounced[i].base < bounced[i].size)
			return bounced[i].original + (line - bounced[i].base);
	return NOWHERE;
}

void forget_cache_operations(void)
{
	for (uint64_t i = 0; i < BOUNCED_RANGES; i++)
		bounced[i].size = 0;
	for (uint64_t i = 0; i < CPUS; i++) {
		cache_log(i)->count = 0;
		cache_log(i)->completed = 0;
		cache_log(i)->steps = 0;
		cache_log(i)->line_size = line_size();
	}
}

void log_cache_operation(const struct frame *frame, uint64_t syndrome)
{
	struct cache_log *log = cache_log(this_cpu());
	struct cache_operation *operation = &log->operations[log->count % KEPT_CACHE_OPERATIONS];
	uint64_t address = RT(syndrome) == ZERO_REGISTER ? 0 : frame->x[RT(syndrome)];
	uint64_t line = physical(address) & ~(line_size() - 1);

	operation->line = line | CRM(syndrome);
	operation->pc = read_sysreg(elr_el2);
	operation->content = line >= RAM && line < NOWHERE ? hash(line) : 0;
	log->count++;
}

void complete_cache_operations(struct cache_log *log)
{
	uint64_t number = log->completed;

	if (log->count - number > KEPT_CACHE_OPERATIONS)
		number = log->count - KEPT_CACHE_OPERATIONS;
	for (; number < log->count; number++) {
		struct cache_operation *operation =
			&log->operations[number % KEPT_CACHE_OPERATIONS];
		uint64_t original = original_of(operation->line & ~(line_size() - 1));

		operation->line |= COMPLETED;
		if (original != NOWHERE)
			operation->content = hash(original);
	}
	log->completed = log->count;
}
