"""Names in a text: targets from the catalogue or by their shape, alerts, versions, paths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from opsmith.parse.catalogue import Catalogue, shared_words, spoken_names, stems
from opsmith.parse.lexicon import group_words, stop_words, values
from opsmith.parse.spans import Found, Reader, Tagger, pattern

_NAME = r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?"
_EDGE, _END = r"(?<![\w.-])", r"(?![\w-])"
_NAMESPACE = (
    pattern(
        rf"\b(?:namespaces?|ns)(?: (?:named|called))?[ /:=]+({_NAME}){_END}"
        rf"|(?<!\S)-n ({_NAME}){_END}"
    ),
    pattern(rf"{_EDGE}({_NAME}) (?:namespace|ns)\b"),
    pattern(rf"(?:命名空间|名字空间|名称空间)(?:为|是|叫)? ?({_NAME}){_END}"),
    pattern(rf"{_EDGE}({_NAME}) ?(?:这个|的)? ?(?:命名空间|名字空间|名称空间)"),
)
_HOST_SHAPE = (
    r"(?:[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d{1,4}[a-z]?(?:\.[a-z0-9][a-z0-9.-]*[a-z0-9])?"
    r"|ip(?:-\d{1,3}){4}|\d{1,3}(?:\.\d{1,3}){3})"
)
_HOST = pattern(
    rf"(?<![\w./-])({_HOST_SHAPE})(?:\W?s\b)?(?![\w-])(?: (?:node|host|server|machine)\b)?"
)
_HOST_WORD = pattern(
    rf"\b(?:host|node|server|machine|vm)s? (?=[a-z0-9.-]*\d)({_NAME}){_END}"
    rf"|(?:主机|节点|机器|服务器) ?(?=[a-z0-9.-]*\d)({_NAME}){_END}"
)
_HOST_RANGE = pattern(
    rf"{_EDGE}([a-z][a-z0-9-]*-)(\d{{1,4}})(?: ?(?:to|through|thru|~|\.\.|–|到|至) ?| - )(?:\1)?"
    rf"(\d{{1,4}}){_END}"
)
_HOST_BRACKET = pattern(
    rf"{_EDGE}([a-z][a-z0-9-]*-)[\[{{](\d{{1,4}})(?:-|\.\.|:)(\d{{1,4}})[\]}}]"
)
_MOST_HOSTS = 100
_ALERT_ID = re.compile(r"(?<![\w-])(?:[A-Z]{2,8}-\d{3,}|#\d{3,})(?![\w-])", re.ASCII)
_CAMEL = re.compile(
    r"(?<![\w.-])(?:[A-Z][a-z0-9]+|[A-Z]{2,}(?=[A-Z][a-z]|\d|\b|$)){2,}\d*(?![\w-])"
    r"|(?<![\w.-])[A-Z][a-z]+\d[A-Za-z0-9]*(?![\w-])",
    re.ASCII,
)
_SNAKE = "(?:[a-z0-9]+_)+[a-z0-9]+"
_ALERT_WORD = pattern(
    rf"\balert(?: named| called| id)?[ :]+({_SNAKE})\b|\b({_SNAKE}) alerts?\b"
    rf"|({_SNAKE}) ?(?:这个|这条|的)?(?:告警|报警)|(?:告警|报警) ?({_SNAKE})"
)
_PLURAL_ACRONYM = re.compile("[A-Z]{2,}s")
_EXCEPTION = re.compile(r"(?:Exception|Error|Timeout|Fault)$")
_CALLED_ALERT = re.compile(r" ?(?:alerts?\b|alarms?\b|告警|报警)", re.IGNORECASE)
_NOT_ALERTS = frozenset(
    [
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "OOMKilled",
        "ContainerCreating",
        "NotReady",
        "NetworkPolicy",
        "ConfigMap",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "CronJob",
        "PromQL",
        "GitHub",
        "GitLab",
        "MySQL",
        "RabbitMQ",
        "NewRelic",
        "DataDog",
        "PostgreSQL",
        "JavaScript",
        "TypeScript",
        "ElasticSearch",
        "OpenSearch",
        "OpenShift",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ServiceAccount",
        "CreateContainerConfigError",
        "RunContainerError",
        "ArgoCD",
        "MongoDB",
        "CoreDNS",
        "NodePort",
        "LoadBalancer",
        "ReadOnly",
        "FailedScheduling",
        "FailedMount",
        "BackOff",
        "PodDisruptionBudget",
        "ServiceMonitor",
    ]
)
_VERSION = pattern(
    r"(?<![\w.-])(?:versions? |revisions? |release |rev |build |tag |commit |版本号?|修订版?) ?"
    r"(v?\d+(?:\.\d+)*(?:[-+][\w.]+)?|[0-9a-f]{7,40})(?![\w-])"
    r"|(?<![\w.-])(v\d+(?:\.\d+)*(?:[-+][\w.]+)?|\d+\.\d+\.\d+(?:[-+][\w.]+)?|r\d+|release-[\w.]+)(?![\w-])"
    r"|(?<![\w.-])(\d+\.\d+)(?= ?(?:版|version\b|release\b))"
    r"|(?<![\w.-])#?(\d+) ?(?:号)?版本"
)
_PATH = pattern(
    r"(?<![\w/.])((?:/[\w.*@+-]+){1,12}/?|~/[\w./*-]+|[\w-]+\.(?:conf|cnf|ya?ml|json|ini|properties|toml|env))(?![\w/])"
)
_NOUNS = (
    "(?:service|svc|deployment|deploy|app|application|pod|job|cronjob|statefulset|daemonset"
    "|container|microservice|workload|endpoint|cluster)"
)
_OPEN_BEFORE = pattern(rf"\b{_NOUNS} (?:named |called )?({_NAME}){_END}(?=$|[^\w-]|\b)")
_OPEN_AFTER = pattern(rf"{_EDGE}({_NAME}) {_NOUNS}\b")
_HYPHENATED = pattern(rf"{_EDGE}([a-z0-9]+(?:[-_][a-z0-9]+)+){_END}")
_COMPOUNDS = frozenset(
    [
        "read-only",
        "on-call",
        "up-to-date",
        "follow-up",
        "roll-back",
        "rolled-back",
        "out-of-memory",
        "real-time",
        "long-term",
        "short-term",
        "high-level",
        "low-level",
        "re-run",
        "pre-check",
        "post-mortem",
        "one-by-one",
        "day-to-day",
        "root-cause",
        "so-called",
        "scale-in",
        "scale-out",
        "scale-up",
        "scale-down",
        "end-to-end",
        "year-over-year",
        "week-over-week",
        "back-end",
        "front-end",
        "time-out",
        "error-rate",
        "non-zero",
        "multi-region",
        "us-east-1",
        "us-west-2",
        "eu-west-1",
        "well-known",
        "at-a-time",
        "auto-scaling",
        "health-check",
    ]
)
# Ordinary compounds by their parts: "power-cycle", "double-check", "spin-up", "two-week".
_COMPOUND_WORD = pattern(
    "|".join(sorted(_COMPOUNDS))
    + r"|(?:re|pre|post|non|un|self|co|over|under|all|half|well|so|multi|cross|long|short|high|low"
    r"|crash|real|double|power|kick|quick|right|left|hard|soft|one|two|three|four|five|six|ten|few)-[a-z]+"
    r"|[a-z]+-(?:over|up|down|in|out|off|on|back|by|wide|based|level|hour|day|week|month|minute|related"
    r"|friendly|sensitive|long|old|term|time|only|free|ish|and|or|the|of|to|checks?|starts?)"
)
_GROUP_TAIL = (
    r"(?: (?:host ?|server |node )?"
    r"(?:group|pool|tier|fleet|hosts|nodes|servers|machines|boxes|layer)"
    r"\b| ?(?:全|整个?|这个|那个|的?所有)?(?:主机|机器|节点|服务器)?"
    r"(?:组|集群|层|这组|那组|主机|机器|节点|服务器|池))"
)
_TAIL = (
    r"(?: ?(?:service|svc|microservice|deployment|application)(?![a-z])| ?(?:服务|微服务|应用))?"
)


def tag_names(tagger: Tagger, finder: NameFinder) -> None:
    """Tag every name, longest and most certain kinds first."""
    tagger.tag(finder.hosts, finder.read_listed_host)
    tagger.tag(
        _VERSION, lambda match: Found(kind="ver", value=next(g for g in match.groups() if g))
    )
    for compiled in _NAMESPACE:
        tagger.tag(compiled, _read_namespace)
    tagger.tag(_PATH, _read_path)
    tagger.tag(finder.compound, finder.read_service)
    tagger.tag(_ALERT_ID, lambda match: Found(kind="alert", value=match[0].lstrip("#")))
    for compiled in (_HOST_BRACKET, _HOST_RANGE):
        tagger.tag(compiled, finder.read_range)
    tagger.tag(_HOST_WORD, finder.read_host)
    tagger.tag(_HOST, finder.read_host)
    tagger.tag(_ALERT_WORD, lambda m: Found(kind="alert", value=next(g for g in m.groups() if g)))
    if finder.alerts:
        tagger.tag(finder.alerts, lambda match: Found(kind="alert", value=match[0]))
    tagger.tag(_CAMEL, _read_camel)
    tag_metrics(tagger)
    tagger.tag(finder.simple, finder.read_service)
    for compiled in finder.groups:
        tagger.tag(compiled, finder.read_group)
    tagger.tag(finder.listed_stem, finder.read_stem)
    _tag_environments(tagger, finder.catalogue)
    _tag_open_names(tagger, finder)


def tag_stems(tagger: Tagger, finder: NameFinder) -> None:
    """Tag stems of aliases, once it is clear that the text names no other target."""
    tagger.tag(finder.stem, finder.read_stem)


def tag_metrics(tagger: Tagger) -> None:
    """Tag the words for metrics; a bare word ("latency") counts for the usual figure."""
    # A part of a hyphenated name ("data-processor") is no metric.
    for metric, compiled in _bounded("metric", r"(?<!\w-)", ""):
        tagger.tag(compiled, _always("metric", metric.removesuffix("_bare")))


class NameFinder:
    """The compiled names of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.spoken = spoken_names(catalogue)
        self.shared = shared_words(catalogue)
        self.words = frozenset(
            word
            for name in (*self.spoken, *catalogue.host_groups, *catalogue.namespaces)
            for word in name.lower().split()
        )
        self.stems = stems(catalogue)
        self.stem = _alternatives(self.stems, "")
        self.listed_stem = _listed(self.stems)
        every = {*self.spoken, *self.shared}
        self.compound = _alternatives({word for word in every if _compound(word)}, _TAIL)
        self.simple = _alternatives({word for word in every if not _compound(word)}, _TAIL)
        # Hosts by their listed names, whatever their shape: `vm`, `10.0.0.7`, `db.example.org`.
        self.host_names = {
            host.lower(): host for host in catalogue.hosts if host.lower() not in self.spoken
        }
        self.hosts = _alternatives(self.host_names, "")
        groups = {group.lower(): group for group in catalogue.host_groups}
        called = {word: groups[name] for word, name in group_words().items() if name in groups}
        self.group_names = groups | called
        self.groups = (
            _alternatives(self.group_names, _GROUP_TAIL),
            _alternatives(
                groups,
                "",
                lead=r"(\b(?:(?:on|across|over|at|in)(?: (?:all|every|each))?(?: of)?(?: the)?"
                r"|(?:hosts?|nodes?|machines?|servers?|box|boxes|instances?|members?)"
                r" (?:of|in|from)(?: the)?) )",
            ),
        )
        self.alerts = _alternatives(set(catalogue.alerts), "") if catalogue.alerts else None

    def read_service(self, match: re.Match[str]) -> Found:
        """A service by any of its names, or a word that several share."""
        word = match[2].lower()
        if word in self.spoken:
            return Found(kind="svc", value=self.spoken[word])
        return Found(kind="unknown", value=self.shared[word])

    def read_stem(self, match: re.Match[str]) -> Found:
        """A service by the stem of its alias."""
        return Found(kind="svc", value=self.stems[next(g for g in match.groups() if g)])

    def read_group(self, match: re.Match[str]) -> Found:
        """A host group."""
        lead, name = match[1] or "", match[2]
        return Found(kind="grp", value=self.group_names[name.lower()], before=lead)

    def read_listed_host(self, match: re.Match[str]) -> Found:
        """A host by its listed name."""
        return Found(kind="host", value=self.host_names[match[2].lower()])

    def read_host(self, match: re.Match[str]) -> Found | None:
        """A host; one that no list holds is unknown."""
        name = next(group for group in match.groups() if group).lower()
        if _COMPOUND_WORD.fullmatch(name):
            return None
        if self.catalogue.hosts and name not in self.catalogue.hosts:
            return Found(kind="unknown", value=(name,))
        return Found(kind="host", value=name)

    def read_range(self, match: re.Match[str]) -> Found | None:
        """A range of hosts (`web-01 to web-05`)."""
        stem, first, last = match[1].lower(), match[2], match[3]
        numbers = range(int(first), int(last) + 1)
        if not 1 < len(numbers) <= _MOST_HOSTS:
            return None
        names = tuple(f"{stem}{number:0{len(first)}d}" for number in numbers)
        if self.catalogue.hosts and not self.catalogue.hosts.issuperset(names):
            return Found(kind="unknown", value=names)
        return Found(kind="host", value=names)

    def read_open(self, match: re.Match[str]) -> Found | None:
        """A name by its place alone: unknown when the catalogue lists services."""
        name = match[1].lower()
        if name in stop_words() or _COMPOUND_WORD.fullmatch(name) or name.isdigit():
            return None
        if self.catalogue.services:
            return Found(kind="unknown", value=(name,))
        return Found(kind="name", value=name)


def _compound(word: str) -> bool:
    return bool(re.search(r"[-_ ]|[^\x00-\x7f]", word))


def _alternatives(words: Iterable[str], tail: str, *, lead: str = "()") -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    if not longest_first:
        return re.compile(r"(?!)()()")
    either = "|".join(re.escape(word) for word in longest_first)
    # A Chinese name needs no space beside Latin letters: "网关QPS".
    start, end = r"(?:(?<![\w-])|(?=[\u4e00-\u9fff]))", r"(?:(?<=[\u4e00-\u9fff])|(?![\w-]))"
    return pattern(rf"{lead}{start}({either}){tail}(?:['’]s?(?![a-z]))?{end}")


def _listed(stems: Iterable[str]) -> re.Pattern[str]:
    """Stems that stand in one list with a service: "支付、网关"."""
    either = "|".join(re.escape(stem) for stem in sorted(stems, key=len, reverse=True)) or "(?!)"
    return (
        pattern(
            rf"()({either})(?= ?(?:(?:{either})|[、,和与及跟])*[、,和与及跟] ?<svc>)"
            rf"|(?<=<svc>[、和与及跟])()({either})"
        )
        if stems
        else re.compile(r"(?!)()()")
    )


def _read_namespace(match: re.Match[str]) -> Found | None:
    name = next(group for group in match.groups() if group).lower()
    return None if name in stop_words() else Found(kind="ns", value=name)


def _read_path(match: re.Match[str]) -> Found | None:
    return Found(kind="path", value=match[1]) if match[1] not in {"/", "/s"} else None


def _read_camel(match: re.Match[str]) -> Found | None:
    word = match[0]
    if word in _NOT_ALERTS or _PLURAL_ACRONYM.fullmatch(word):
        return None
    called = _CALLED_ALERT.match(match.string[match.end() : match.end() + 8])
    fault = _EXCEPTION.search(word) and not called
    return Found(kind="exc" if fault else "alert", value=word)


@cache
def _bounded(slot: str, before: str, after: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (value, pattern(f"{before}(?:{compiled.pattern}){after}"))
        for value, compiled in values()[slot].items()
    )


def _always(kind: str, value: str) -> Reader:
    # A question word that belongs to the name ("how often did ... restart") stays in the text.
    def read(match: re.Match[str]) -> Found:
        asked = _QUESTION.match(match[0])
        return Found(kind=kind, value=value, before=f"{asked[0]} " if asked else "")

    return read


_QUESTION = pattern(
    r"\W?how (?:many(?: times)?|much|often|far)(?: (?:has|have|did|does|do|was|were|is|are)\b)?"
)


def _tag_environments(tagger: Tagger, catalogue: Catalogue) -> None:
    if catalogue.env_aliases:
        names = {alias.lower(): env for alias, env in catalogue.env_aliases.items()}
        tagger.tag(
            _alternatives(names, "(?:环境|集群)?"),
            lambda match: Found(kind="env", value=names[match[2].lower()]),
        )
    for env, compiled in _bounded("env", r"(?<![\w.-])", r"(?![\w-])"):
        tagger.tag(compiled, _always("env", env))


def _tag_open_names(tagger: Tagger, finder: NameFinder) -> None:
    for compiled in (_OPEN_BEFORE, _OPEN_AFTER, _HYPHENATED):
        tagger.tag(compiled, finder.read_open)
