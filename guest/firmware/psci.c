// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's SMCs (Arm DEN 0022, PSCI). Only what is listed here reaches QEMU, which would start a
 * CPU at EL2, where the kernel chooses: also for function ids of before PSCI 0.2.
 */
#include "firmware.h"

#define SMC_64 0x40000000U

enum {
	PSCI_VERSION = 0x84000000U,
	PSCI_CPU_OFF = 0x84000002U,
	PSCI_CPU_ON = 0x84000003U,
	PSCI_AFFINITY_INFO = 0x84000004U,
	PSCI_MIGRATE_INFO_TYPE = 0x84000006U,
	PSCI_SYSTEM_OFF = 0x84000008U,
	PSCI_SYSTEM_RESET = 0x84000009U,
	PSCI_FEATURES = 0x8400000aU,
};

#define NOT_SUPPORTED ((uint64_t)-1)
#define INVALID_PARAMETERS ((uint64_t)-2)
#define ALREADY_ON ((uint64_t)-4)
#define IS_OFF 1

static uint64_t cpu_on(uint64_t target, uint64_t entry, uint64_t context)
{
	struct cpu *cpu;

	if (target >= CPUS)
		return INVALID_PARAMETERS;
	if (call_psci(PSCI_AFFINITY_INFO | SMC_64, target, 0, 0) != IS_OFF)
		return ALREADY_ON;
	cpu = cpu_memory(target);
	cpu->entry = entry;
	cpu->context = context;
	__asm__ volatile("dsb sy" ::: "memory");
	return call_psci(PSCI_CPU_ON | SMC_64, target, (uint64_t)start_secondary, 0);
}

uint64_t answer_smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	switch ((uint32_t)function & ~SMC_64) {
	case PSCI_CPU_ON:
		return cpu_on(x1, x2, x3);
	case PSCI_VERSION:
	case PSCI_CPU_OFF:
	case PSCI_AFFINITY_INFO:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
		return call_psci(function, x1, x2, x3);
	default:
		return NOT_SUPPORTED;
	}
}
