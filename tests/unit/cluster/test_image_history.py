"""The newest tags of each image stay, older ones go."""

from pathlib import Path

from cluster.images.history import KEPT, outdated


def test_only_the_newest_tags_stay(tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    gone = [reference for number in range(KEPT + 2) for reference in outdated([f"a:{number}", "b:1"], file)]
    assert gone == ["a:0", "a:1"]


def test_tag_that_is_used_again_is_new_again(tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    outdated(["a:old"], file)
    for number in range(KEPT - 1):
        outdated([f"a:{number}"], file)
    assert outdated(["a:old"], file) == []
    assert outdated(["a:next"], file) == ["a:0"]
