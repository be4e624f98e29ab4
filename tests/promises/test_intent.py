"""Every source of opinions keeps its promises; adapters are swapped whole or not at all."""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from opsmith.backends.intent import adapter as stored
from opsmith.backends.intent import encoder
from opsmith.backends.intent.adapter import Adapter, load
from opsmith.backends.intent.serving import Canary, ServedIntents, Swap, TenantIntents
from opsmith.backends.intent.shelf import Shelf
from opsmith.backends.intent.train import Lesson, train
from opsmith.errors import BadInput, Conflict, NotFound
from opsmith.nouns.task import Risk, Understood
from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.seams.intent import Intents, Opinion
from opsmith.settings import Settings
from opsmith.testing import intent as promises
from opsmith.wiring.intent import intents, keep_fresh, read_lessons

SHIPPED = Path(stored.__file__).parent / "shipped"
UNTRIED = Canary(tuple)
LESSONS = [
    *(
        Lesson(f"restart the {name} service", "restart")
        for name in ("cart", "auth", "shop", "web")
    ),
    *(Lesson(f"{name} 的内存是多少", "memory") for name in ("购物车", "网关", "搜索", "库存")),
]


@pytest.fixture(scope="module")
def small() -> Adapter:
    return train(LESSONS, precision=0.9, notes="of a test", rng=np.random.default_rng(1))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "intent", SHIPPED)


@pytest.fixture(params=["scripted", "served"])
def model(request: pytest.FixtureRequest, shelf: Shelf) -> Intents:
    if request.param == "scripted":
        return promises.ScriptedIntents({"restart cart": ("restart_service", 0.9)})
    return ServedIntents(shelf, UNTRIED)


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_opinions_keep_their_promise(check: Callable[[Intents], None], model: Intents) -> None:
    check(model)


def test_a_stored_adapter_is_read_back_as_it_was(small: Adapter, tmp_path: Path) -> None:
    made = stored.save(small, tmp_path / "one")

    assert load(tmp_path / "one").version == made.version
    assert made.labels == ("memory", "restart")
    assert made.fitted.rank == 8
    np.testing.assert_allclose(made.fitted.weights, small.fitted.weights, rtol=1e-5, atol=1e-5)
    config = json.loads((tmp_path / "one" / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"]) == ("LORA", 8)
    with pytest.raises(Conflict):
        stored.save(small, tmp_path / "one")


def test_a_damaged_adapter_is_refused_with_the_reason(small: Adapter, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    stored.save(small, folder)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])

    with pytest.raises(BadInput, match="is damaged or not whole"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "format 2 is not 1"),
        ({"width": 512}, "width 512"),
        ({"rank": 4}, "`r` 4"),
        ({"temperature": 0}, "temperature"),
        ({"threshold": "high"}, "threshold"),
        ({"sha256": {}}, "sha256"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    change: dict, reason: str, small: Adapter, tmp_path: Path
) -> None:
    folder = tmp_path / "one"
    stored.save(small, folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(BadInput, match=reason):
        load(folder)


def test_weights_that_are_no_numbers_are_refused(small: Adapter, tmp_path: Path) -> None:
    fitted = replace(small.fitted, bias=np.array([np.nan, 0.0]))

    with pytest.raises(BadInput, match="no numbers"):
        stored.save(replace(small, fitted=fitted), tmp_path / "one")


def test_a_new_adapter_serves_after_the_next_look(small: Adapter, shelf: Shelf) -> None:
    serving = ServedIntents(shelf, UNTRIED)
    assert serving.opinions(["restart cart"])[0].intent == "restart_service"
    shelf.add("mine", small)
    assert serving.refresh() is None
    shelf.use("mine")

    swap = serving.refresh()

    assert swap is not None
    assert (swap.served, swap.refused) == ("mine", "")
    assert serving.opinions(["restart the till service"])[0].ranked[0][0] == "restart"
    assert shelf.rollback() == "shipped"
    assert serving.refresh() is not None
    assert serving.opinions(["restart cart"])[0].intent == "restart_service"


def test_an_adapter_that_is_worse_is_refused_and_the_old_one_stays(
    small: Adapter, shelf: Shelf
) -> None:
    serving = ServedIntents(shelf, Canary(lambda: [Lesson("restart cart", "restart_service")]))
    shelf.add("mine", small)
    assert "worse" in serving.fault_of("mine")
    shelf.use("mine")

    swap = serving.refresh()

    assert swap is not None
    assert swap.served == "shipped"
    assert "worse" in swap.refused
    assert serving.refresh() is None


def test_an_adapter_for_another_encoder_is_refused(small: Adapter, shelf: Shelf) -> None:
    serving = ServedIntents(shelf, UNTRIED)
    shelf.add("mine", replace(small, encoder="another"))
    shelf.use("mine")

    swap = serving.refresh()

    assert swap is not None
    assert "It is for another" in swap.refused


def test_what_is_on_no_shelf_is_not_found(shelf: Shelf) -> None:
    for name in ("none", "../shipped", "/etc"):
        with pytest.raises(NotFound):
            shelf.use(name)
    with pytest.raises(Conflict):
        shelf.rollback()


def test_a_broken_note_of_what_is_in_use_means_the_shipped_one(shelf: Shelf) -> None:
    shelf.root.mkdir()
    for text in ("", "[]", '{"use": 3}', '{"use": ["gone"]}'):
        (shelf.root / "active.json").write_text(text)
        assert (
            ServedIntents(shelf, UNTRIED).opinions(["restart cart"])[0].intent == "restart_service"
        )


def test_no_request_fails_and_none_is_mixed_while_adapters_are_swapped(
    small: Adapter, shelf: Shelf
) -> None:
    serving = ServedIntents(shelf, UNTRIED)
    shelf.add("mine", small)
    faults: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            found = serving.opinions(["restart the cart service", "购物车的内存是多少"])
            if len({opinion.version for opinion in found}) != 1:
                faults.append("two versions in one answer")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        shelf.use("mine")
        serving.refresh()
        shelf.use("shipped")
        serving.refresh()
    stop.set()
    for thread in threads:
        thread.join()

    assert faults == []


def test_vectors_are_the_same_alone_together_at_once_and_remembered() -> None:
    texts = [lesson.text for lesson in LESSONS]
    together = encoder.encode(texts)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    with ThreadPoolExecutor(4) as pool:
        at_once = np.vstack(list(pool.map(lambda text: encoder.recalled([text]), texts)))

    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(at_once, alone)
    np.testing.assert_array_equal(encoder.recalled(texts), alone)


def test_a_text_that_was_asked_before_is_not_encoded_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ServedIntents(shelf, UNTRIED)
    first = model.opinions(["the oven of the bakery is cold"])
    monkeypatch.setattr(encoder, "encode", lambda texts: pytest.fail(f"encoded again: {texts}"))

    assert model.opinions(["the oven of the bakery is cold"]) == first


def test_whoever_asks_keeps_the_threads_that_it_had() -> None:
    encoder.encode(["load the engine"])
    openmp = ThreadpoolController().select(user_api="openmp")
    with openmp.limit(limits=2):
        before = [one.num_threads for one in openmp.lib_controllers]
        encoder.encode(["restart cart"])
        after = [one.num_threads for one in openmp.lib_controllers]

    assert before == after
    assert set(before) == {2}


def test_the_shipped_adapter_is_whole_and_reads_its_canary_set() -> None:
    adapter = load(SHIPPED)
    canary = read_lessons(SHIPPED / "canary.jsonl")

    assert {lesson.intent for lesson in canary} <= set(adapter.labels)
    assert "HolmesGPT" in adapter.notes


def test_lessons_that_teach_nothing_are_refused() -> None:
    with pytest.raises(BadInput, match="two or more intents"):
        train(LESSONS[:4], precision=0.9, notes="", rng=np.random.default_rng(1))
    with pytest.raises(BadInput, match="Only one sentence"):
        train([*LESSONS, Lesson("x", "y")], precision=0.9, notes="", rng=np.random.default_rng(1))


def test_no_hostile_sentence_leads_to_a_change_when_the_model_is_asked(shelf: Shelf) -> None:
    folder = Path(__file__).parents[1] / "unit" / "parse"
    reader = SentenceReader(
        load_catalogue(folder / "inventory.yaml"),
        builtin_schemas(),
        intents=ServedIntents(shelf, UNTRIED),
    )
    lines = (folder / "hostile.jsonl").read_text("utf-8").splitlines()

    read = [(line, reader.read(json.loads(line)["text"])[0]) for line in lines]

    changed = [
        line for line, one in read if isinstance(one, Understood) and one.risk is not Risk.READ
    ]
    assert changed == []


@pytest.fixture
def tenants(shelf: Shelf) -> TenantIntents:
    return TenantIntents(shelf, lambda _: UNTRIED)


def first(model: Intents) -> str:
    return model.opinions([LESSONS[0].text])[0].ranked[0][0]


def test_an_adapter_of_a_tenant_serves_that_tenant_alone(
    small: Adapter, shelf: Shelf, tenants: TenantIntents
) -> None:
    shelf.of("shop").add("mine", small)
    shelf.of("shop").use("mine")

    told = [tenants.of(tenant) for tenant in ("shop", "bank", "Shop", "default", "")]

    assert [first(one) for one in told] == ["restart", *["restart_service"] * 4]
    assert shelf.names() == ("shipped",)
    assert shelf.of("shop").names() == ("shared", "mine")


def test_a_tenant_without_a_choice_follows_what_all_are_served(
    small: Adapter, shelf: Shelf, tenants: TenantIntents
) -> None:
    shelf.of("shop").add("mine", small)
    assert first(tenants.of("shop")) == "restart_service"
    shelf.add("ours", small)
    shelf.use("ours")

    swaps = tenants.refresh()

    assert [(one.served, one.tenant) for one in swaps] == [("ours", "")]
    assert first(tenants.of("shop")) == "restart"


def test_a_tenant_swaps_and_goes_back_by_itself(
    small: Adapter, shelf: Shelf, tenants: TenantIntents
) -> None:
    own = shelf.of("shop")
    own.add("mine", small)
    tenants.of("shop").opinions([])
    assert tenants.refresh() == ()

    own.use("mine")
    taken = tenants.refresh()
    assert own.rollback() == "shared"
    back = tenants.refresh()

    assert [(one.served, one.tenant) for one in taken] == [("mine", "shop")]
    assert [(one.served, one.tenant) for one in back] == [("shared", "shop")]
    assert first(tenants.of("shop")) == "restart_service"


def test_a_damaged_adapter_of_a_tenant_leaves_it_with_the_shared_one(
    small: Adapter, shelf: Shelf, tenants: TenantIntents
) -> None:
    own = shelf.of("shop")
    own.add("mine", small)
    tenants.of("shop").opinions([])
    own.use("mine")
    (own.root / "mine" / "head.safetensors").write_bytes(b"half")

    (told,) = tenants.refresh()

    assert (told.served, told.tenant) == ("shared", "shop")
    assert "damaged" in told.refused
    assert first(tenants.of("shop")) == "restart_service"


def test_a_canary_set_that_cannot_be_read_refuses_and_does_not_stop_the_looks(
    small: Adapter, shelf: Shelf, tmp_path: Path
) -> None:
    broken = tmp_path / "canary.jsonl"
    broken.write_text("no json")
    serving = ServedIntents(shelf, Canary(lambda: read_lessons(broken)))
    serving.opinions([])
    shelf.add("mine", small)
    shelf.use("mine")

    swap = serving.refresh()

    assert swap is not None
    assert "canary.jsonl:1" in swap.refused
    assert first(serving) == "restart_service"


def test_swaps_of_one_tenant_under_load_leave_the_answers_of_another_as_they_are(
    small: Adapter, shelf: Shelf, tenants: TenantIntents
) -> None:
    texts = ["restart the cart service", "购物车的内存是多少"]
    for tenant in ("shop", "bank"):
        shelf.of(tenant).add("mine", small)
    shelf.of("bank").use("mine")
    before = {tenant: tenants.of(tenant).opinions(texts) for tenant in ("shop", "bank")}
    heard: dict[str, set[tuple[Opinion, ...]]] = {"shop": set(), "bank": set()}
    stop = threading.Event()

    def ask(tenant: str) -> None:
        while not stop.is_set():
            heard[tenant].add(tenants.of(tenant).opinions(texts))

    threads = [threading.Thread(target=ask, args=(tenant,)) for tenant in heard]
    for thread in threads:
        thread.start()
    for _ in range(4):
        for name in ("mine", "shared"):
            shelf.of("shop").use(name)
            (swap,) = tenants.refresh()
            assert (swap.tenant, swap.refused) == ("shop", "")
    stop.set()
    for thread in threads:
        thread.join()

    assert heard["bank"] == {before["bank"]}
    assert heard["shop"] <= {before["shop"], before["bank"]}


async def test_a_process_that_serves_takes_a_swap_up_by_itself(
    small: Adapter, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, hot_reload_interval_ms=10)
    shelf = Shelf(tmp_path / "intent", SHIPPED)
    shelf.root.mkdir()
    (shelf.root / "canary.jsonl").write_text(
        json.dumps({"text": LESSONS[0].text, "intent": LESSONS[0].intent})
    )
    assert (
        intents(settings, "shop").opinions([LESSONS[0].text])[0].ranked[0][0] == "restart_service"
    )
    told: asyncio.Queue[Swap] = asyncio.Queue()
    task = asyncio.create_task(keep_fresh(settings, told.put))
    shelf.add("mine", small)
    shelf.use("mine")

    swap = await asyncio.wait_for(told.get(), 20)
    task.cancel()

    assert (swap.served, swap.refused) == ("mine", "")
    assert intents(settings, "shop").opinions([LESSONS[0].text])[0].ranked[0][0] == "restart"


async def test_a_process_that_serves_takes_the_swap_of_a_tenant_up_too(
    small: Adapter, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, hot_reload_interval_ms=10)
    own = Shelf(tmp_path / "intent", SHIPPED).of("shop")
    own.add("mine", small)
    (own.root / "canary.jsonl").write_text(
        json.dumps({"text": LESSONS[0].text, "intent": LESSONS[0].intent})
    )
    shop, bank = intents(settings, "shop"), intents(settings, "bank")
    before = first(shop)
    told: asyncio.Queue[Swap] = asyncio.Queue()
    task = asyncio.create_task(keep_fresh(settings, told.put))
    own.use("mine")

    swap = await asyncio.wait_for(told.get(), 60)
    task.cancel()

    assert (swap.served, swap.tenant, swap.refused) == ("mine", "shop", "")
    assert (before, first(shop), first(bank)) == ("restart_service", "restart", "restart_service")
