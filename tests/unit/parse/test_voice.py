"""A change is made when it is asked for, in any voice; talk of a change makes none."""

import pytest

from opsmith.nouns.task import Clarify, Understood
from opsmith.parse.evidence import CHANGES
from opsmith.parse.reader import SentenceReader
from opsmith.parse.voice import actively

ASKED = [
    ("the gateway should be restarted", "restart_service"),
    ("get cart restarted please", "restart_service"),
    ("make sure nginx is restarted on web-02", "restart_service"),
    ("I'd like gateway rolled back to v1.2.3", "rollback_release"),
    ("can gateway be scaled to 5", "scale_service"),
    ("let's get node-05 drained", "drain_node"),
    ("能把网关重启一下吗", "restart_service"),
    ("给网关来一次滚动重启", "restart_service"),
    ("knock 3 pods off gateway", "scale_service"),
    ("网关留 3 个副本就行", "scale_service"),
    ("give HighErrorRate a rest for an hour", "silence_alert"),
    ("接下来一小时不想看到 HighErrorRate", "silence_alert"),
    ("logs older than 7 days on web-01 can be deleted", "clean_logs"),
    ("web-01 上 7 天前的日志都不要了", "clean_logs"),
]
TALKED_OF = [
    "gateway keeps restarting, why?",
    "the cart pods are restarting over and over",
    "网关自动重启了三次,看看日志",
    "我们十分钟前重启了网关,延迟恢复了吗",
    "show me the error logs of gateway since its last restart",
    "the drain of node-05 finished, show the health of node-05",
    "could you tell me why cart keeps restarting",
    "explain why the scale-up of cart did not happen",
    "排空 node-05 会影响哪些服务",
    "重启网关会影响谁",
    "别重启网关,看看它的日志就行",
    "list who restarted gateway",
    "after the restart of cart yesterday, did latency go up?",
]


@pytest.mark.parametrize(("text", "intent"), ASKED)
def test_a_change_is_heard_in_any_voice(text: str, intent: str, reader: SentenceReader) -> None:
    reading, _ = reader.read(text)

    assert isinstance(reading, Understood)
    assert [task.intent for task in reading.tasks] == [intent]


@pytest.mark.parametrize("text", TALKED_OF)
def test_talk_of_a_change_changes_nothing(text: str, reader: SentenceReader) -> None:
    reading, _ = reader.read(text)

    tasks = reading.tasks if isinstance(reading, Understood | Clarify) else ()
    assert not CHANGES & {task.intent for task in tasks}


def test_a_change_in_a_side_clause_is_not_dropped(reader: SentenceReader) -> None:
    reading, _ = reader.read("重启网关后看一下它的错误日志")

    assert isinstance(reading, Understood)
    assert [task.intent for task in reading.tasks] == ["restart_service", "search_logs"]
    assert reading.tasks[1].depends_on == (0,)


def test_a_condition_at_the_end_of_a_clause_is_not_dropped(reader: SentenceReader) -> None:
    reading, _ = reader.read("web-02 磁盘使用率超过 85% 时清理 7 天前的日志")

    assert isinstance(reading, Understood)
    assert reading.tasks[1].slots["condition"] == "breach"


def test_a_question_about_a_figure_does_not_become_the_target_of_a_change(
    reader: SentenceReader,
) -> None:
    reading, _ = reader.read("cart 连接数超过 3000 了吗?超过的话重启 gateway")

    changed = [
        task.slots.get("service")
        for task in getattr(reading, "tasks", ())
        if task.intent == "restart_service"
    ]
    assert "cart" not in changed


@pytest.mark.parametrize("text", ["was cart restarted", "have you restarted cart"])
def test_what_is_over_keeps_its_voice(text: str) -> None:
    assert actively(text) == text
