/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run batches on several CPUs at once. The request is an array of jobs: CPU (2 bytes),
 * maximum of runs (4), batch length (4), batch. A job repeats its batch, and stops at the
 * first run in which a call does not return 0. The answer is an array in the same order:
 * runs made (4 bytes), length (4), replies of the last run.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "line.h"
#include "probe.h"
#include "requests.h"

enum { JOBS_MAX = 16, JOB_HEAD = 10, REPLY_HEAD = 4 };

struct result {
	uint32_t runs;
	uint32_t length;
	int error;
	uint8_t replies[PROBE_REPLY_MAX];
};

struct job {
	uint16_t cpu;
	uint32_t runs;
	const uint8_t *batch;
	size_t length;
	struct result *result;
	pid_t pid;
};

/* Returns the number of jobs, or -1 if the request is invalid. */
static int parse(const struct frame *request, struct job *jobs)
{
	const uint8_t *next = request->payload, *end = next + request->length;
	int count = 0;

	while (next < end) {
		struct job *job = &jobs[count];

		if (count++ == JOBS_MAX || end - next < JOB_HEAD)
			return -1;
		job->cpu = get16(next);
		job->runs = get32(next + 2);
		job->length = get32(next + 6);
		job->batch = next + JOB_HEAD;
		if (job->length > (size_t)(end - job->batch))
			return -1;
		next = job->batch + job->length;
	}
	return count;
}

static bool all_fine(const uint8_t *replies, size_t length)
{
	size_t at = 0;

	while (at + REPLY_HEAD <= length) {
		if (get16(replies + at) != 0)
			return false;
		at += REPLY_HEAD + get16(replies + at + 2);
	}
	return true;
}

static void repeat(const struct job *job, int probe)
{
	struct result *result = job->result;

	while (result->runs < job->runs) {
		ssize_t length = run_batch(probe, job->batch, job->length, result->replies,
					   sizeof(result->replies));

		if (length < 0) {
			result->error = errno;
			return;
		}
		result->runs++;
		result->length = (uint32_t)length;
		if (!all_fine(result->replies, result->length))
			return;
	}
}

static void work(const struct job *job)
{
	cpu_set_t cpus;
	int probe = open_probe();

	CPU_ZERO(&cpus);
	CPU_SET(job->cpu, &cpus);
	if (probe < 0 || sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		job->result->error = errno;
	else
		repeat(job, probe);
	_exit(0);
}

static int start(struct job *job)
{
	void *shared = mmap(NULL, sizeof(*job->result), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -1;
	job->result = shared;
	job->pid = fork();
	if (job->pid == 0)
		work(job);
	return job->pid < 0 ? -1 : 0;
}

/* Wait for the job; returns the errno it ended with. */
static int finish(struct job *job)
{
	if (job->pid > 0)
		waitpid(job->pid, NULL, 0);
	return job->result ? job->result->error : 0;
}

static void answer(uint16_t id, const struct job *jobs, int count)
{
	for (int i = 0; i < count; i++) {
		uint8_t head[8];

		put32(head, jobs[i].result->runs);
		put32(head + 4, jobs[i].result->length);
		send_chunks(id, head, sizeof(head));
		send_chunks(id, jobs[i].result->replies, jobs[i].result->length);
	}
	send_frame(FRAME_END, id, NULL, 0);
}

void serve_stress(const struct frame *request)
{
	struct job jobs[JOBS_MAX] = { 0 };
	int count = parse(request, jobs), started = 0, error = 0;

	if (count < 0) {
		send_error(request->id, EBADMSG, "stress");
		return;
	}
	while (started < count && start(&jobs[started]) == 0)
		started++;
	if (started < count)
		error = errno;
	for (int i = 0; i < count; i++) {
		int failed = finish(&jobs[i]);

		error = error ? error : failed;
	}
	if (error)
		send_error(request->id, error, "stress");
	else
		answer(request->id, jobs, count);
	for (int i = 0; i < count; i++)
		if (jobs[i].result)
			munmap(jobs[i].result, sizeof(*jobs[i].result));
}
