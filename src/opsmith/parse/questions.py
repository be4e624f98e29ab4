"""Questions back: what is missing, in the language of the asker."""

from __future__ import annotations

from opsmith.parse.catalogue import Catalogue
from opsmith.parse.draft import Draft

_ASK = {
    "target": ("For which service, host or namespace?", "针对哪个服务、主机或命名空间?"),
    "service": ("Which service?", "哪个服务?"),
    "host": ("On which host or host group?", "在哪台主机或主机组上?"),
    "metric": ("Which metric?", "哪个指标?"),
    "replicas": ("To how many replicas?", "需要扩缩到几个副本?"),
    "duration": ("For how long?", "持续多长时间?"),
    "alert": ("Which alert?", "哪条告警?"),
    "command": ("Which command?", "执行什么命令?"),
    "report_type": ("Which kind of report?", "哪一类报告?"),
    "targets": ("Which two things should be compared?", "对比哪两者?"),
    "intent": ("What should be done?", "需要做什么?"),
    "condition": (
        "opsmith cannot check that condition; should it be done in any case?",
        "无法检查这个条件;仍然要执行吗?",
    ),
    "schedule": (
        "opsmith does not put changes off; should it be done now?",
        "暂不支持定时变更;现在执行吗?",
    ),
}


def question_for(
    missing: tuple[str, ...], drafts: list[Draft], catalogue: Catalogue, *, chinese: bool
) -> str:
    """One question for everything that is missing, with the names that come near."""
    said = [_ASK.get(name, (f"Which {name}?", f"{name} 是什么?"))[chinese] for name in missing]
    unknown = sorted({name for draft in drafts for name in draft.unknown})
    known = sorted(catalogue.services.intersection(unknown))
    near = known or sorted({name for word in unknown for name in catalogue.nearest(word)})
    if near:
        said.append(("Perhaps: " if not chinese else "可能是:") + ", ".join(near))
    elif unknown:
        said.append(("Not known: " if not chinese else "未知:") + ", ".join(unknown))
    return " ".join(said)
