# SPDX-License-Identifier: Apache-2.0
"""New cases from nothing and from others: functions of a seeded random number generator alone."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from harness.jobs.fuzz.case import ConfigSetting, FieldMutation, FuzzCase, FuzzStep
from harness.jobs.fuzz.fields import CONFIG, COSTLY, FIELDS
from harness.jobs.fuzz.work import CAPACITY, DISK_PAGES, PLUG, RECONNECT, WORK

MOST_STEPS = 16
"""Restoring a guest takes as long as twenty steps."""
REQUESTS = (0, 0, 0, 0, 1, 1, 2, 3)
"""Which request of a step a mutation is about: most pieces of work make just one or two."""

MOST_CHANGES = 12

SELDOM = 0.1
"""How often a field is taken that may hang the guest, or a step that takes long, when it is hit."""


def _honest(words: str) -> tuple[FuzzStep, ...]:
    return (FuzzStep(PLUG), *(FuzzStep(do, number) for number, do in enumerate(words.split())))


SEEDS: tuple[FuzzCase, ...] = (
    FuzzCase("rng", _honest("read pair read rebind read pair read rebind pair")),
    FuzzCase("blk", _honest("read long many write pair serial cached many read write many")),
    FuzzCase("blk", _honest("cached capacity read rebind write cached rebind pair serial read")),
)
"""Honest devices, at work."""


def next_case(random: Random, corpus: Sequence[FuzzCase]) -> FuzzCase:
    """A case to run: one of the corpus, or of the seeds, with something changed."""
    pool = corpus if corpus and random.random() < 0.5 else SEEDS
    case = random.choice(pool)
    for _ in range(random.randint(1, MOST_CHANGES)):
        case = changed(random, case, corpus)
    return case


def changed(random: Random, case: FuzzCase, corpus: Sequence[FuzzCase] = ()) -> FuzzCase:
    """*case* with one thing changed."""
    change = random.choice(
        (
            _add_mutation,
            _add_mutation,
            _add_mutation,
            _change_mutation,
            _drop_mutation,
            _step,
            _config,
        )
    )
    if corpus and random.random() < 0.1:
        return _spliced(random, case, corpus)
    return change(random, case)


def _add_mutation(random: Random, case: FuzzCase) -> FuzzCase:
    # wrong first answers would keep the driver from using the configuration
    first = 1 if case.config else 0
    number = random.randrange(first, len(case.steps)) if len(case.steps) > first else 0
    step = case.steps[number]
    if first > number:
        return case
    name = random.choice(list(FIELDS))
    if name in COSTLY and random.random() > SELDOM:
        return case
    mutation = FieldMutation(random.choice(REQUESTS), name, FIELDS[name].pick(random))
    return _with_step(case, number, replace(step, mutations=(*step.mutations, mutation)))


def _change_mutation(random: Random, case: FuzzCase) -> FuzzCase:
    places = [(n, i) for n, step in enumerate(case.steps) for i in range(len(step.mutations))]
    if not places:
        return _add_mutation(random, case)
    number, index = random.choice(places)
    step = case.steps[number]
    old = step.mutations[index]
    new = random.choice(
        (
            replace(old, request=random.choice(REQUESTS)),
            replace(old, value=FIELDS[old.field].pick(random)),
            replace(old, value=(old.value + random.choice((-1, 1))) % (1 << 64)),
        )
    )
    return _with_step(case, number, replace(step, mutations=_with(step.mutations, index, new)))


def _drop_mutation(random: Random, case: FuzzCase) -> FuzzCase:
    mutated = [number for number, step in enumerate(case.steps) if step.mutations]
    if not mutated:
        return _add_mutation(random, case)
    number = random.choice(mutated)
    step = case.steps[number]
    gone = random.randrange(len(step.mutations))
    return _with_step(
        case, number, replace(step, mutations=step.mutations[:gone] + step.mutations[gone + 1 :])
    )


def _step(random: Random, case: FuzzCase) -> FuzzCase:
    """Another step, or one less, never the first."""
    if len(case.steps) >= MOST_STEPS or (len(case.steps) > 2 and random.random() < 0.4):
        gone = random.randrange(1, len(case.steps))
        return replace(case, steps=case.steps[:gone] + case.steps[gone + 1 :])
    do = random.choice([name for name in WORK[case.kind] if name != PLUG])
    if do == RECONNECT and random.random() > SELDOM:
        return case
    values = CONFIG[case.kind][CAPACITY].values if do == CAPACITY else range(DISK_PAGES)
    place = random.randint(1, len(case.steps))
    new = FuzzStep(do, random.choice(values))
    return replace(case, steps=(*case.steps[:place], new, *case.steps[place:]))


def _config(random: Random, case: FuzzCase) -> FuzzCase:
    """Another configuration space; a device that has none gets another mutation instead."""
    fields = CONFIG[case.kind]
    if not fields or random.random() < 0.5:
        return _add_mutation(random, case)
    name = random.choice(list(fields))
    others = tuple(setting for setting in case.config if setting.field != name)
    plug = replace(case.steps[0], mutations=())
    setting = ConfigSetting(name, random.choice(fields[name].values))
    return replace(case, config=(*others, setting), steps=(plug, *case.steps[1:]))


def _spliced(random: Random, case: FuzzCase, corpus: Sequence[FuzzCase]) -> FuzzCase:
    """The steps of another case of that kind behind the first ones of this."""
    like = [other for other in corpus if other.kind == case.kind]
    if not like:
        return case
    other = random.choice(like)
    cut = random.randint(1, len(case.steps))
    steps = (*case.steps[:cut], *other.steps[random.randint(1, len(other.steps)) :])
    return replace(case, steps=steps[:MOST_STEPS])


def _with_step(case: FuzzCase, number: int, step: FuzzStep) -> FuzzCase:
    return replace(case, steps=(*case.steps[:number], step, *case.steps[number + 1 :]))


def _with(
    mutations: tuple[FieldMutation, ...], index: int, new: FieldMutation
) -> tuple[FieldMutation, ...]:
    return (*mutations[:index], new, *mutations[index + 1 :])
