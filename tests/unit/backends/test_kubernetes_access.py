"""The rights that the how-to page gives are those that opsmith asks for, no fewer and no more."""

from pathlib import Path

import yaml

from opsmith.backends.reach.kubernetes_access import IN_NAMESPACES, ON_NODES

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "kubernetes.md"


def test_the_roles_of_the_page_are_the_rights_that_are_asked_about() -> None:
    (block,) = [one for one in PAGE.read_text().split("```yaml\n") if "kind: Role\n" in one]
    objects = list(yaml.safe_load_all(block.partition("```")[0]))
    given = {
        one["kind"]: {
            (group, resource, verb)
            for rule in one["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        for one in objects
        if "rules" in one
    }

    for kind, rights in (("Role", IN_NAMESPACES), ("ClusterRole", ON_NODES)):
        asked = {
            (one.group, f"{one.resource}/{one.sub}" if one.sub else one.resource, one.verb)
            for one in rights
        }
        # The schema of a whole rule is coarser: it may give `get` on what is only patched.
        assert asked <= given[kind]
        assert {one[:2] for one in given[kind]} == {one[:2] for one in asked}
