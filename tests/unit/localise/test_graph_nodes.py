"""Nodes of the incident graph."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from small_systems import T0, Book

from opsmith.localise.graph_nodes import loud_templates


def test_a_template_counts_the_lines_that_its_lines_stand_for() -> None:
    book = Book()
    for template in ("WARN rare", "WARN often", "WARN often"):
        book.log(-1, template, T0, severity=13)
    logs = replace(book.logs(), weight=np.array([10.0, 1.0, 1.0]))

    found = loud_templates(logs, None, datetime.fromtimestamp(T0, UTC))

    assert [(one.node.name, one.node.numbers["count"]) for one in found] == [
        ("WARN rare", 10.0),
        ("WARN often", 2.0),
    ]
