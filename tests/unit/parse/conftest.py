"""A small shop whose names the sentences of these tests use."""

import pytest

from opsmith.parse.catalogue import Catalogue
from opsmith.parse.loading import builtin_schemas
from opsmith.parse.reader import SentenceReader


@pytest.fixture(scope="session")
def reader() -> SentenceReader:
    catalogue = Catalogue(
        services=frozenset(
            [
                "auth",
                "billing",
                "cart",
                "checkout",
                "gateway",
                "kafka",
                "mysql-primary",
                "mysql-replica",
                "nginx",
                "order-service",
                "payment-service",
                "redis-cluster",
            ]
        ),
        host_groups=frozenset({"web", "cache"}),
        aliases={
            "网关": "gateway",
            "购物车": "cart",
            "订单服务": "order-service",
            "支付服务": "payment-service",
            "认证服务": "auth",
            "结算服务": "checkout",
            "计费服务": "billing",
        },
        env_aliases={"生产": "prod", "预发": "staging", "开发": "dev", "灾备": "dr"},
    )
    return SentenceReader(catalogue, builtin_schemas())
