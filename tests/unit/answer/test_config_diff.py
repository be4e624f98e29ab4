"""Configurations compared by meaning."""

from opsmith.answer.config_diff import differences

VIRTUAL = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
    - timeout: 2s
      retries: {attempts: 2}
      route:
        - {destination: {host: cart, subset: v1}, weight: 90}
        - {destination: {host: cart, subset: v2}, weight: 10}
"""


def test_a_shift_of_traffic_is_named_with_its_subsets() -> None:
    after = VIRTUAL.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50")

    found, bad = differences({"a.yaml": VIRTUAL}, {"b/other.yaml": after})

    assert not bad
    assert [(one.mark, one.before, one.after) for one in found] == [
        ("weight", "90", "50"),
        ("weight", "10", "50"),
    ]
    assert found[0].path == "spec.http[0].route[cart/v1].weight"


def test_order_of_keys_of_routes_and_of_files_is_no_difference() -> None:
    lines = VIRTUAL.splitlines()
    swapped = "\n".join([*lines[:-2], lines[-1], lines[-2]])

    assert differences({"a.yaml": VIRTUAL}, {"z.yaml": swapped}) == ((), ())


def test_timeouts_and_retries_are_marked_and_what_is_gone_is_told() -> None:
    after = VIRTUAL.replace("timeout: 2s", "timeout: 5s").replace("attempts: 2", "attempts: 4")
    found, _ = differences({"a": VIRTUAL, "b": "kind: X\nmetadata: {name: y}"}, {"a": after})

    assert {one.mark for one in found} == {"timeout", "retries", ""}
    assert [one.after for one in found if one.thing == "X y"] == [None, None]


def test_a_file_that_is_no_yaml_is_told_and_the_rest_compared() -> None:
    found, bad = differences({"a": "x: [", "b": "k: 1"}, {"b": "k: 2"})

    assert bad == ("a",)
    assert [(one.before, one.after) for one in found] == [("1", "2")]
