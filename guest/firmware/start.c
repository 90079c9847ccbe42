// SPDX-License-Identifier: Apache-2.0
/* From reset to the kernel: program the fence, check it, and protect it with stage 2. */
#include "firmware.h"

#define UART 0x09000000 /* the virt board's PL011, whose first register takes what is to be said */

/* Register values: Arm DDI 0487, D19.2 (EL2, EL1), D19.13 (timer); IHI 0069, 12.2 (GIC). */
#define VTCR_40_BITS (24 | 2 << 16)            /* T0SZ, PS */
#define VTCR_FROM_LEVEL_1 (1 << 6)             /* SL0; granule 4 KiB */
#define VTCR_CACHED (1 << 8 | 1 << 10 | 3 << 12) /* walks write-back, inner shareable */
#define VTCR_RES1 (1UL << 31)
#define HCR_VM (1UL << 0)
#define HCR_TSC (1UL << 19)
#define HCR_TPC (1UL << 23)
#define HCR_RW (1UL << 31)
#define HCR_APK (1UL << 40)
#define HCR_API (1UL << 41)
#define HCR_ATA (1UL << 56)
#define HCR_NO_TRAPS (HCR_APK | HCR_API | HCR_ATA) /* pointer authentication, memory tags */
#define CPTR_NO_TRAPS 0x22ff /* floating point, SVE, SME */
#define VECTOR_LENGTH_MAX 0xf /* of ZCR and SMCR */
#define SMCR_NO_TRAPS (1UL << 30 | 1UL << 31) /* ZT0, all instructions in streaming mode */
/* memory copies, TCR2, guarded control stacks, FPMR */
#define HCRX_NO_TRAPS (1UL << 11 | 1UL << 14 | 1UL << 22 | 1UL << 23)
#define HFG_NO_TRAPS (0xfff4UL << 48) /* of registers; the lower bits trap where they are set */
#define HFGITR_NO_TRAPS (7UL << 57) /* of guarded control stacks */
#define PFR0_SVE 32
#define PFR1_SME 24
#define MMFR0_FGT 56
#define MMFR1_HCX 40
#define CNTHCTL_NO_TRAPS 3
#define SRE_FOR_EL1 0xf
#define SCTLR_OFF 0x30d00800 /* MMU and caches off, what is RES1 set */
#define PMCR_N(pmcr) ((pmcr) >> 11 & 0x1f)

static const struct orders *const orders = (const struct orders *)ORDERS;

_Noreturn void die(const char *why)
{
	volatile uint32_t *uart = (volatile uint32_t *)UART;

	for (const char *text = "firmware: "; *text; text++)
		*uart = (uint32_t)*text;
	for (; *why; why++)
		*uart = (uint32_t)*why;
	*uart = '\n';
	halt();
}

static void write_reg(const struct reg *reg)
{
	if (reg->width == sizeof(uint64_t))
		*(volatile uint64_t *)reg->address = reg->value;
	else
		*(volatile uint32_t *)reg->address = (uint32_t)reg->value;
}

static bool holds(const struct reg *reg)
{
	if (reg->width == sizeof(uint64_t))
		return *(volatile uint64_t *)reg->address == reg->value;
	return *(volatile uint32_t *)reg->address == reg->value;
}

static void put_up_fence(void)
{
	const struct reg *checks = orders->regs + orders->writes;

	for (uint64_t i = 0; i < orders->writes; i++)
		write_reg(&orders->regs[i]);
	__asm__ volatile("dsb sy" ::: "memory");
	for (uint64_t i = 0; i < orders->checks; i++)
		if (!holds(&checks[i]))
			die("the SMMU is not as it was programmed; the kernel is not started");
}

static void forget_refusals(void)
{
	for (uint64_t i = 0; i < CPUS; i++)
		cpu_memory(i)->refused = 0;
}

/* Whether the four bits from *shift* on of an ID register say that the CPU has something. */
static bool cpu_has(uint64_t id, unsigned int shift)
{
	return id >> shift & 0xf;
}

/*
 * Disable the traps to EL2 that newer CPUs enable at reset (Linux,
 * Documentation/arch/arm64/booting.rst). Not every assembler knows the names of these registers.
 */
static void disable_newer_traps(void)
{
	__asm__ volatile("isb"); /* after CPTR_EL2, which decides who may write to these */
	if (cpu_has(read_sysreg(id_aa64pfr0_el1), PFR0_SVE))
		write_sysreg(S3_4_C1_C2_0, VECTOR_LENGTH_MAX); /* ZCR_EL2 */
	if (cpu_has(read_sysreg(id_aa64pfr1_el1), PFR1_SME))
		write_sysreg(S3_4_C1_C2_6, SMCR_NO_TRAPS | VECTOR_LENGTH_MAX); /* SMCR_EL2 */
	if (cpu_has(read_sysreg(id_aa64mmfr1_el1), MMFR1_HCX))
		write_sysreg(S3_4_C1_C2_2, HCRX_NO_TRAPS); /* HCRX_EL2 */
	if (cpu_has(read_sysreg(id_aa64mmfr0_el1), MMFR0_FGT)) {
		write_sysreg(S3_4_C1_C1_4, HFG_NO_TRAPS); /* HFGRTR_EL2 */
		write_sysreg(S3_4_C1_C1_5, HFG_NO_TRAPS); /* HFGWTR_EL2 */
		write_sysreg(S3_4_C1_C1_6, HFGITR_NO_TRAPS); /* HFGITR_EL2 */
	}
}

/* EL1 may use all of its CPU but SMC, and of memory what stage 2 maps. */
static void set_up_el2(void)
{
	write_sysreg(vbar_el2, vectors);
	write_sysreg(vttbr_el2, orders->stage2);
	write_sysreg(vtcr_el2, VTCR_40_BITS | VTCR_FROM_LEVEL_1 | VTCR_CACHED | VTCR_RES1);
	write_sysreg(cnthctl_el2, CNTHCTL_NO_TRAPS);
	write_sysreg(cntvoff_el2, 0);
	write_sysreg(cptr_el2, CPTR_NO_TRAPS);
	disable_newer_traps();
	write_sysreg(hstr_el2, 0);
	write_sysreg(mdcr_el2, PMCR_N(read_sysreg(pmcr_el0)));
	write_sysreg(vpidr_el2, read_sysreg(midr_el1));
	write_sysreg(vmpidr_el2, read_sysreg(mpidr_el1));
	write_sysreg(S3_4_C12_C9_5, SRE_FOR_EL1); /* ICC_SRE_EL2 */
	write_sysreg(sctlr_el1, SCTLR_OFF);
	write_sysreg(hcr_el2, HCR_RW | HCR_TSC | HCR_VM | HCR_NO_TRAPS |
				      (orders->logs_caches ? HCR_TPC : 0));
	if (orders->logs_caches)
		write_sysreg(oslar_el1, 0); /* without that no debug exceptions: barriers.c */
	__asm__ volatile("tlbi vmalls12e1\n\tdsb sy\n\tisb" ::: "memory");
}

_Noreturn void start_at(uint64_t pc, uint64_t x0)
{
	set_up_el2();
	enter(pc, x0);
}

_Noreturn void start(void)
{
	forget_refusals();
	forget_cache_operations();
	put_up_fence();
	start_at(orders->kernel, orders->devicetree);
}
