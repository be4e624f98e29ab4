"""The table of candidates: own columns, surroundings, shares and ranks, and no name."""

import numpy as np
import pytest
from builders.storms import (
    BANK,
    EVERYONE,
    HOST,
    INSTANCES,
    SHOP,
    metric_alert,
    storm,
)

from opsmith.localise.alerts import alert_findings
from opsmith.localise.base_rates import BaseRates
from opsmith.localise.features import Table, feature_table
from opsmith.localise.findings import Findings
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording


def measured(**strength: float) -> Findings:
    by_name = {entity.name: entity for entity in EVERYONE}
    told = {by_name[name.replace("_", "-")]: value for name, value in strength.items()}
    return Findings(channel=Channel.RESOURCE, strength=told, evidence={})


def cell(table: Table, entity: Entity, column: str) -> float:
    return float(table.select((column,))[table.entities.index(entity), 0])


TABLE = feature_table(storm(), EVERYONE, [measured(shop_0=3.0, shop_1=1.0, bank_0=2.0)])
LOUD = "resource.strength"


def log1p_squared(strength: float) -> float:
    return float(np.log1p(strength**2))


def test_strength_counts_as_the_logarithm_of_its_square() -> None:
    assert cell(TABLE, INSTANCES[0], LOUD) == pytest.approx(log1p_squared(3))
    assert cell(TABLE, HOST, LOUD) == 0


def test_a_service_and_a_host_see_those_that_belong_to_them() -> None:
    both = (log1p_squared(3) + log1p_squared(1)) / 2

    assert cell(TABLE, SHOP, f"{LOUD}|instances.mean") == pytest.approx(both)
    assert cell(TABLE, SHOP, f"{LOUD}|instances.second") == pytest.approx(log1p_squared(1))
    assert cell(TABLE, HOST, f"{LOUD}|hosted.max") == pytest.approx(log1p_squared(3))
    assert cell(TABLE, INSTANCES[1], f"{LOUD}|service") == 0


def test_an_instance_is_compared_with_its_siblings() -> None:
    above = cell(TABLE, INSTANCES[0], f"{LOUD}|above.siblings")

    assert above == pytest.approx(log1p_squared(3) - log1p_squared(1))
    assert cell(TABLE, INSTANCES[1], f"{LOUD}|siblings.max") == pytest.approx(log1p_squared(3))


def test_a_caller_sees_its_callees_and_they_see_it() -> None:
    table = feature_table(storm(), EVERYONE, [measured(shop=1.0, bank=2.0)])

    assert cell(table, SHOP, f"{LOUD}|callees.max") == pytest.approx(log1p_squared(2))
    assert cell(table, BANK, f"{LOUD}|callers.max") == pytest.approx(log1p_squared(1))
    assert cell(table, BANK, f"{LOUD}|above.callees") == pytest.approx(log1p_squared(2))


def test_shares_and_ranks_compare_with_the_loudest_and_with_ones_own_type() -> None:
    assert cell(TABLE, INSTANCES[0], f"{LOUD}#share") == 1
    assert cell(TABLE, INSTANCES[2], f"{LOUD}#rank") == 1
    assert cell(TABLE, SHOP, f"{LOUD}#rank") == 0


def test_the_standing_of_a_candidate_is_told() -> None:
    assert cell(TABLE, SHOP, "kind.service") == 1
    assert cell(TABLE, SHOP, "size.instances") == 2
    assert cell(TABLE, INSTANCES[0], "size.siblings") == 1
    assert cell(TABLE, HOST, "size.hosted") == 4
    assert cell(TABLE, SHOP, "size.callees") == cell(TABLE, BANK, "size.callers") == 1


def test_who_is_no_candidate_still_counts_around_one() -> None:
    table = feature_table(storm(), (SHOP,), [measured(shop_0=3.0, bank=1.0)])

    assert table.entities == (SHOP,)
    assert cell(table, SHOP, f"{LOUD}|instances.max") == pytest.approx(log1p_squared(3))
    assert cell(table, SHOP, f"{LOUD}|callees.max") == pytest.approx(log1p_squared(1))


def test_a_column_that_is_not_there_is_missing() -> None:
    assert np.isnan(cell(TABLE, SHOP, "no such column"))


def test_an_incident_without_findings_or_topology_has_a_table_too() -> None:
    table = feature_table(Recording(name="bare", candidates=(SHOP,)), (SHOP,), [])

    assert table.storm == 0
    assert cell(table, SHOP, "storm") == 0


def test_no_column_names_an_entity_or_a_metric() -> None:
    recording = storm(metric_alert(INSTANCES[0], "my_secret_metric"))

    table = feature_table(recording, EVERYONE, [alert_findings(recording, BaseRates())])

    words = [entity.name for entity in EVERYONE] + ["secret"]
    assert not [name for name in table.columns if any(word in name for word in words)]
    assert table.storm == 1
