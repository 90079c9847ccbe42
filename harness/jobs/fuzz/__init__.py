# SPDX-License-Identifier: Apache-2.0
"""The kernel fuzzed from the device's side: a rogue's answers are mutated, and the guest watched.

==================  =========================================================================
``Case``            what one guest goes through: pieces of work, and what is wrong in answers
``run_case``        run one in a guest of its own, with the memory oracles on
``fuzz``            many of them, mutated; what is found is made small
``minimise``        the least of a case that still shows the same
``Corpus``          cases that showed something new, in a directory
==================  =========================================================================

What guides it is what the guest shows: a case that brings a new kind of console line, or a new way
for a piece of work to end, joins the corpus, and half of all cases come from there. There is no
kcov: it takes a kernel of its own, which the fuzzer would then say something about instead of the
one that ships; it counts a task's own code, while answers are taken in interrupts and workers;
and what a device reaches of two drivers and a ring is a few hundred branches, which the table of
lies goes through in minutes.
"""

from harness.jobs.fuzz.campaign import Campaign, Summary, fuzz
from harness.jobs.fuzz.case import Case, Lying, Setting, Step
from harness.jobs.fuzz.corpus import Corpus, load_case
from harness.jobs.fuzz.minimise import minimise
from harness.jobs.fuzz.outcome import Outcome, Seen
from harness.jobs.fuzz.run import Ground, run_case

__all__ = [
    "Campaign",
    "Case",
    "Corpus",
    "Ground",
    "Lying",
    "Outcome",
    "Seen",
    "Setting",
    "Step",
    "Summary",
    "fuzz",
    "load_case",
    "minimise",
    "run_case",
]
