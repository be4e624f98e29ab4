"""The sources file: checked before anything is opened."""

import re
from pathlib import Path

import pytest
import yaml

from opsmith.errors import BadInput
from opsmith.flows.collect import CollectRules
from opsmith.settings import Settings
from opsmith.wiring.source_file import SourcesShape, read
from opsmith.wiring.sources import open_changes, open_metrics, probes


def settings(folder: Path, *metrics: object, url: str | None = None) -> Settings:
    file = folder / "sources.yml"
    file.write_text(yaml.safe_dump({"metrics": list(metrics)}))
    return Settings(data_dir=folder, sources_file=file, prometheus_url=url)


def named(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "url": f"http://{name}:9090", **more}


def test_every_word_of_a_source_reaches_its_access(tmp_path: Path) -> None:
    source = named(
        "a",
        token_file="/run/token",
        tenant="team-a",
        headers={"X-From": "opsmith"},
        header_files={"X-Key": "/run/key"},
        params={"dedup": "true"},
        tls={"ca_file": "/ca", "cert_file": "/c", "key_file": "/k", "verify": False},
        timeout_s=5,
        retries=0,
    )
    (one,) = read(settings(tmp_path, source).sources_file).metrics

    access = one.access()

    assert access.headers == (("X-From", "opsmith"), ("X-Scope-OrgID", "team-a"))
    assert access.header_files == (("X-Key", Path("/run/key")),)
    assert access.params == (("dedup", "true"),)
    assert (str(access.token_file), access.timeout_s, access.retries) == ("/run/token", 5, 0)
    assert (str(access.tls.ca_file), access.tls.verify) == ("/ca", False)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ({"url": "http://a"}, r"metrics\.0\.name"),
        (named("A"), r"metrics\.0\.name"),
        (named("a", url="ftp://a"), r"metrics\.0\.url"),
        (named("a", tokenfile="x"), r"metrics\.0\.tokenfile"),
        (named("a", headers={"X": "a\nb"}), r"metrics\.0\.headers"),
        (named("a", user="x", token_file="y"), "exclude each other"),
        (named("a", password_file="y"), "needs a user"),
        (named("a", tls={"cert_file": "x"}), "belong together"),
        (named("a", timeout_s=0), "timeout_s"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(tmp_path: Path, source: object, where: str) -> None:
    with pytest.raises(BadInput, match=where):
        open_metrics(settings(tmp_path, source))


def test_two_sources_cannot_share_a_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one name"):
        open_metrics(settings(tmp_path, named("a"), named("a")))


@pytest.mark.parametrize("content", [b"[", b"\xff", b"- a"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.yml").write_bytes(content)

    with pytest.raises(BadInput, match=r"s\.yml"):
        read(tmp_path / "s.yml")


def test_a_missing_and_an_endless_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b" " * 2_000_000)

    for name in ("none", "long"):
        with pytest.raises(BadInput, match=name):
            read(tmp_path / name)


def test_without_anything_there_is_no_server(tmp_path: Path) -> None:
    assert open_metrics(Settings(data_dir=tmp_path)) is None
    assert probes(Settings(data_dir=tmp_path)) == {}


def test_a_server_is_chosen_by_name_or_address_and_else_all_are_asked(tmp_path: Path) -> None:
    both = settings(tmp_path, named("a"), named("b"))

    assert type(open_metrics(both)).__name__ == "SeveralMetrics"
    assert type(open_metrics(both, url="b")).__name__ == "PrometheusMetrics"
    assert type(open_metrics(both, url="http://elsewhere")).__name__ == "PrometheusMetrics"
    assert list(probes(both)) == ["a", "b"]
    with pytest.raises(BadInput, match="It knows a, b"):
        open_metrics(both, url="c")


def test_an_address_that_the_file_knows_is_asked_as_the_file_says(tmp_path: Path) -> None:
    one = settings(tmp_path, named("a", token_file=str(tmp_path / "t")), url="http://a:9090/")

    assert list(probes(one)) == ["prometheus", "a"]
    assert type(open_metrics(one)).__name__ == "PrometheusMetrics"


def rules_of(folder: Path, **collector: object) -> CollectRules:
    file = folder / "sources.yml"
    file.write_text(yaml.safe_dump({"collector": collector}))
    return read(file).collector.rules()


def test_the_collector_follows_the_file_and_else_its_defaults(tmp_path: Path) -> None:
    assert read(None).collector.rules() == CollectRules()

    rules = rules_of(
        tmp_path,
        sampling=[{"up_to": 5, "share": 0.5}, {"share": 0.25}],
        keep=["tenant"],
        drop=["pod"],
        most_mib=1,
    )

    assert [step.share for step in rules.thinning.steps] == [0.5, 0.25]
    assert rules.folding.keep == {"__name__", "service", "tenant"}
    assert (rules.folding.drop, rules.budget.most_bytes) == ({"pod"}, 2**20)


@pytest.mark.parametrize(
    "steps", [[{"up_to": 5, "share": 1}], [{"share": 1}, {"share": 1}], [{"share": 2}]]
)
def test_steps_of_sampling_that_cannot_be_are_refused(tmp_path: Path, steps: object) -> None:
    with pytest.raises(BadInput, match="collector"):
        rules_of(tmp_path, sampling=steps)


@pytest.mark.parametrize("page", ["sources", "logs", "changes"])
def test_the_files_of_the_documentation_are_read(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / f"{page}.md").read_text("utf-8")
    file = tmp_path / "sources.yml"

    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)

    assert blocks
    for block in blocks:
        file.write_text(block, encoding="utf-8")
        assert read(file) != read(None) or "collector" in block


def test_the_defaults_of_the_documentation_are_the_defaults() -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "sources.md").read_text("utf-8")
    block = next(b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "collector" in b)

    told = SourcesShape.model_validate(yaml.safe_load(block))

    assert told.collector.rules() == CollectRules()


def changes(folder: Path, *sources: object) -> Settings:
    file = folder / "sources.yml"
    file.write_text(yaml.safe_dump({"changes": list(sources)}))
    return Settings(data_dir=folder, sources_file=file)


def test_sources_of_changes_are_opened_and_faults_named(tmp_path: Path) -> None:
    git = {"name": "a", "kind": "git", "folder": str(tmp_path), "entity": "service:a", "tags": "v"}

    assert list(open_changes(changes(tmp_path, git))) == ["a"]
    for wrong, said in (
        ({**git, "tags": ""}, "needs `tags` or `branch`"),
        ({**git, "entity": "a"}, "TYPE:NAME"),
        ({**git, "kind": "svn"}, "changes.0"),
        ({"name": "k", "kind": "kubernetes", "kubeconfig": "/none"}, "No cluster is known"),
    ):
        with pytest.raises(BadInput, match=re.escape(said)):
            open_changes(changes(tmp_path, wrong))
