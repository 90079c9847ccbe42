# SPDX-License-Identifier: Apache-2.0
"""Fuzz the kernel from the device's side: mutate a rogue's answers, and watch the guest.

==================  =========================================================================
``FuzzCase``        what one guest goes through: pieces of work, and mutations of answers
``run_case``        run one in a guest of its own, with the memory oracles on
``fuzz``            run many of them, mutated, and minimise those with symptoms
``minimise``        the smallest part of a case with the same symptom
``Corpus``          cases that showed something new, in a directory
==================  =========================================================================

What guides it is what the guest shows: a case that brings a new kind of console line, or a new way
for a piece of work to end, joins the corpus, and half of all cases come from there. There is no
kcov: it takes a kernel of its own, which the fuzzer would then say something about instead of the
one that ships; it counts a task's own code, while answers are taken in interrupts and workers;
and what a device reaches of two drivers and a ring is a few hundred branches, which the table of
mutations goes through in minutes.
"""

from harness.jobs.fuzz.campaign import Campaign, Summary, fuzz
from harness.jobs.fuzz.case import ConfigSetting, FieldMutation, FuzzCase, FuzzStep
from harness.jobs.fuzz.corpus import Corpus, load_case
from harness.jobs.fuzz.minimise import minimise
from harness.jobs.fuzz.record import Record, Symptom
from harness.jobs.fuzz.run import run_case

__all__ = [
    "Campaign",
    "ConfigSetting",
    "Corpus",
    "FieldMutation",
    "FuzzCase",
    "FuzzStep",
    "Record",
    "Summary",
    "Symptom",
    "fuzz",
    "load_case",
    "minimise",
    "run_case",
]
