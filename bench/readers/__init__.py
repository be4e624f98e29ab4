"""Readers of foreign incident collections, one module a format.

Each module gives

- `read(folder) -> Iterator[tuple[str, Callable[[], Recording]]]`: the incidents of one
  folder, by the name that the folder's truth file uses; calling the second reads one;
- `names(recording, entity) -> str`: the collection's own name of an entity.

No reader opens a truth or label file; whoever scores reads that apart.
"""
