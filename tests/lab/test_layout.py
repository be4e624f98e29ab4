from pathlib import Path

from opsmith_lab.layout import Lab, edges, plan


def test_every_process_and_every_edge_listens_on_a_port_of_its_own(tmp_path: Path) -> None:
    lab = plan(tmp_path, seed=1, rps=5, scrape_s=5)

    ports = [*lab.ports.values(), *lab.links.values()]
    assert len(set(ports)) == len(ports)
    assert len(lab.links) == len(list(edges()))


def test_a_lab_is_read_back_as_it_was_saved_and_only_its_owner_can(tmp_path: Path) -> None:
    lab = plan(tmp_path, seed=1, rps=5, scrape_s=5, webhooks=("http://127.0.0.1:1/hook",))
    lab.save()

    assert Lab.load(tmp_path) == lab
    assert (tmp_path / "lab.json").stat().st_mode & 0o777 == 0o600
