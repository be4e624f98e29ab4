"""Leave to act is given in one place alone; whatever carries out a change asks for it."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "opsmith"


def test_only_the_approvals_make_an_approved_plan() -> None:
    makers = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ApprovedPlan"
    }

    assert makers == {"plan/approvals.py"}
