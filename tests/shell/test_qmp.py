# SPDX-License-Identifier: Apache-2.0
"""A QMP command is typed as JSON, or by its name and arguments."""

import pytest

from harness.base.errors import InputError
from harness.shell.commands.session import parse_qmp


@pytest.mark.parametrize(
    ("text", "command", "arguments"),
    [
        ("query-status", "query-status", {}),
        ("qom-list path=/machine", "qom-list", {"path": "/machine"}),
        ("trace-event-set-state name=a enable=true", "trace-event-set-state", None),
        ('{"execute": "stop"}', "stop", {}),
        ('{"execute": "x", "arguments": {"a": 1}}', "x", {"a": 1}),
        ("human-monitor-command command-line='info mtree'", "human-monitor-command", None),
    ],
)
def test_a_command_is_understood(
    text: str, command: str, arguments: dict[str, object] | None
) -> None:
    name, given = parse_qmp(text)

    assert name == command
    assert given == arguments if arguments is not None else given


def test_values_are_json_or_words() -> None:
    assert parse_qmp("x a=1 b=true c=word d='{\"e\": []}'")[1] == {
        "a": 1,
        "b": True,
        "c": "word",
        "d": {"e": []},
    }


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "{}", "stop now", "x 'open"])
def test_something_else_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_qmp(text)
