// SPDX-License-Identifier: Apache-2.0
/*
 * Exceptions from lower levels: SMCs, and accesses to addresses that stage 2 does not map. Such
 * accesses are recorded. A load then reads zero and a store does nothing, as on a bus where no device
 * answers; if that cannot be emulated, the kernel gets an external abort.
 */
#include "firmware.h"

/* Exception classes and syndromes: Arm DDI 0487, D19.2.40 (ESR_EL2). */
#define CLASS(esr) ((esr) >> 26 & 0x3f)
enum {
	CLASS_HVC64 = 0x16,
	CLASS_SMC64 = 0x17,
	CLASS_SYSTEM = 0x18,
	CLASS_FETCH = 0x20,
	CLASS_FETCH_SAME_EL = 0x21,
	CLASS_DATA = 0x24,
	CLASS_DATA_SAME_EL = 0x25,
	CLASS_BREAKPOINT = 0x30,
	CLASS_STEP = 0x32,
	CLASS_WATCHPOINT = 0x34,
	CLASS_BRK = 0x3c,
};

#define INSTRUCTION_BYTES(esr) ((esr) >> 25 & 1 ? 4 : 2)
#define IL (1UL << 25)
#define ISV (1UL << 24)
#define SRT(esr) ((esr) >> 16 & 0x1f)
#define STAGE_1_WALK (1UL << 7)
#define WRITE (1UL << 6)
#define EXTERNAL_ABORT 0x10
#define NO_REGISTER 31
#define OP0(syndrome) ((syndrome) >> 20 & 3) /* of a trapped system instruction */
#define OP0_DEBUG 2

#define MODE_EL1 0x5 /* EL1h */
#define MODE(spsr) ((spsr) & 0xf)
#define MODE_32 (1 << 4)
#define MASKED (0xf << 6)

static void skip(uint64_t syndrome)
{
	write_sysreg(elr_el2, read_sysreg(elr_el2) + INSTRUCTION_BYTES(syndrome));
}

static void record(uint64_t syndrome)
{
	struct cpu *cpu = cpu_memory(this_cpu());
	struct refusal *refusal = &cpu->refusals[cpu->refused % KEPT_REFUSALS];
	uint64_t page = (read_sysreg(hpfar_el2) & ~0xfUL) << 8;

	refusal->address = page | (read_sysreg(far_el2) & 0xfff);
	refusal->syndrome = syndrome;
	refusal->pc = read_sysreg(elr_el2);
	cpu->refused++;
}

static uint64_t vector(uint64_t spsr)
{
	if (spsr & MODE_32)
		return 0x600;
	if (MODE(spsr) == 0)
		return 0x400;
	return MODE(spsr) == MODE_EL1 ? 0x200 : 0;
}

/* Inject a synchronous external abort at the kernel's current instruction. */
static void abort_kernel(uint64_t syndrome)
{
	uint64_t spsr = read_sysreg(spsr_el2);
	uint64_t class = CLASS(syndrome);

	if (vector(spsr) < 0x400)
		class = class == CLASS_FETCH ? CLASS_FETCH_SAME_EL : CLASS_DATA_SAME_EL;
	write_sysreg(esr_el1, class << 26 | IL | EXTERNAL_ABORT);
	write_sysreg(far_el1, read_sysreg(far_el2));
	write_sysreg(elr_el1, read_sysreg(elr_el2));
	write_sysreg(spsr_el1, spsr);
	write_sysreg(elr_el2, read_sysreg(vbar_el1) + vector(spsr));
	write_sysreg(spsr_el2, MODE_EL1 | MASKED);
}

static void refuse_data(struct frame *frame, uint64_t syndrome)
{
	record(syndrome);
	if (!(syndrome & ISV) || syndrome & STAGE_1_WALK) {
		abort_kernel(syndrome);
		return;
	}
	if (!(syndrome & WRITE) && SRT(syndrome) != NO_REGISTER)
		frame->x[SRT(syndrome)] = 0;
	skip(syndrome);
}

void take_exception(struct frame *frame)
{
	uint64_t syndrome = read_sysreg(esr_el2);
	uint64_t *x = frame->x;

	switch (CLASS(syndrome)) {
	case CLASS_SMC64:
		x[0] = answer_smc(x[0], x[1], x[2], x[3]);
		skip(syndrome);
		break;
	case CLASS_HVC64: /* not served; the return address is already behind it */
		x[0] = (uint64_t)-1;
		break;
	case CLASS_SYSTEM: /* without caches a "dc" has nothing to do */
		if (OP0(syndrome) == OP0_DEBUG) {
			stop_following();
			break;
		}
		log_cache_operation(frame, syndrome);
		skip(syndrome);
		follow_to_barrier();
		break;
	case CLASS_BREAKPOINT:
	case CLASS_STEP:
		follow();
		break;
	case CLASS_WATCHPOINT: /* the kernel's own: it gets them when nothing is followed */
	case CLASS_BRK:
		stop_following();
		break;
	case CLASS_DATA:
		refuse_data(frame, syndrome);
		break;
	case CLASS_FETCH:
		record(syndrome);
		abort_kernel(syndrome);
		break;
	default:
		die("an exception that it does not know; this CPU is stopped");
	}
}
