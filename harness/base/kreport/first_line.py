# SPDX-License-Identifier: Apache-2.0
"""Recognise the first line of a kernel report, and give the report a title."""

import re
from dataclasses import dataclass

from harness.base.kreport.form import Detector, Form
from harness.base.kreport.symbols import function_name
from harness.base.kreport.table import FORMS

_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\b\d+\b|\(_*ptrval_*\)")


@dataclass(frozen=True)
class First:
    """A first line: its *form*, what the title says, and the functions that it names."""

    form: Form
    about: str
    functions: tuple[str, ...]


def recognise(text: str) -> First | None:
    """The report that *text*, without stamp and prefixes, begins; None if it begins none."""
    text = text.lstrip()
    for form in FORMS:
        found = form.first.match(text)
        if found:
            named = found.groupdict()
            function = named.get("function")
            functions = (function_name(function),) if function else ()
            return First(form, form.about or _about(named), functions)
    return None


def _about(named: dict[str, str | None]) -> str:
    text = without_numbers(named.get("about") or "")
    if race := named.get("race"):
        sides = sorted(function_name(side.partition("+")[0]) for side in race.split(" / "))
        return f"{text.removesuffix(' in')} in {' / '.join(sides)}"
    return f"{text} in {cache}" if (cache := named.get("cache")) else text


def without_numbers(text: str) -> str:
    """*text* with N for each number and address, and one blank for several."""
    return " ".join(_NUMBER.sub("N", text).split())


def title_of(detector: Detector, about: str, function: str = "") -> str:
    """The title of a report: detector, *about* what, in which *function*."""
    head = f"{detector.value}: {about}" if about else detector.value
    return f"{head} in {function}" if function else head
