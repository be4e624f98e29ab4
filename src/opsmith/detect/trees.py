"""Trees from a trained LightGBM model: its dump as the flat arrays that the kernel walks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opsmith.detect.predict import Trees
from opsmith.errors import BadInput


def flat_trees(model: object) -> Trees:
    """A LightGBM model (`Booster.dump_model()`) as flat arrays.

    Raises `BadInput` for what such a model cannot hold: categories, or no trees.
    """
    rows: list[tuple[int, float, int, int, float]] = []
    trees = _child(model, "tree_info")
    if not isinstance(trees, list) or not trees:
        raise BadInput("This model holds no trees.")
    roots = [_flatten(_child(tree, "tree_structure"), rows) for tree in trees]
    feature, bound, left, right, value = zip(*rows, strict=True)
    return Trees(
        feature=np.array(feature, np.int32),
        bound=np.array(bound, np.float64),
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        value=np.array(value, np.float64),
        roots=np.array(roots, np.int32),
    )


def _flatten(node: object, rows: list[tuple[int, float, int, int, float]]) -> int:
    """Write a node and all below it; gives its row."""
    here = len(rows)
    if isinstance(node, Mapping) and "split_feature" not in node:
        rows.append((-1, 0.0, 0, 0, _number(node, "leaf_value")))
        return here
    if _child(node, "decision_type") != "<=":
        raise BadInput("Only trees that compare numbers can be flattened.")
    rows.append((0, 0.0, 0, 0, 0.0))
    left = _flatten(_child(node, "left_child"), rows)
    right = _flatten(_child(node, "right_child"), rows)
    feature, bound = int(_number(node, "split_feature")), _number(node, "threshold")
    rows[here] = (feature, bound, left, right, 0.0)
    return here


def _child(node: object, name: str) -> object:
    if not isinstance(node, Mapping) or name not in node:
        raise BadInput(f"This is no dump of a LightGBM model: {name} is missing.")
    return node[name]


def _number(node: object, name: str) -> float:
    value = _child(node, name)
    if not isinstance(value, int | float):
        raise BadInput(f"This is no dump of a LightGBM model: {name} is no number.")
    return float(value)
