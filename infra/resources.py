"""Resources of ``targets_allow`` as ARNs: an entry names them as definitions do, by name, ARN or URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from chalicelib.targets.aws_kind import Need

Parts = Mapping[str, str]
"""What an entry gives the ``{parts}`` of a kind's ARNs. ``partition``, ``region`` and ``account`` are among
them where it says where its resource is; else that is where the stack is."""

_HERE = ("partition", "region", "account")


def parts(kind: str, resource: str, workgroups: Mapping[str, str]) -> Iterator[Parts]:
    """``workgroups``: ids of Redshift's serverless workgroups by name; nothing else gives several."""
    if kind == "redshift_data":
        yield from _redshift(resource, workgroups)
    else:
        yield _READ[kind](resource)


def fits(need: Need, values: Parts) -> bool:
    """Whether the entry needs it, and says on what."""
    if need.on != "*" and not need.on.startswith(("arn:aws:", "{")):
        return False
    names = {*re.findall(r"{(\w+)}", need.on), *([need.when] if need.when else ())}
    return names <= values.keys()


def filled(on: str, values: Parts) -> str:
    """The ARN, with pseudo parameters of CloudFormation where the entry does not say where."""
    text = re.sub(r"{(\w+)}", lambda part: values[part[1]], on)
    if not text.startswith("arn:aws:"):
        return text
    service, region, account, rest = text.removeprefix("arn:aws:").split(":", 3)
    region = values.get("region", "${AWS::Region}") if region == "*" else region
    account = values.get("account", "${AWS::AccountId}") if account == "*" else account
    partition = values.get("partition", "${AWS::Partition}")
    return f"arn:{partition}:{service}:{region}:{account}:{rest}"


def _arn(text: str) -> tuple[dict[str, str], str]:
    """Where it is, and the last of its six pieces; a pattern may end before that."""
    if not text.startswith("arn:"):
        return {}, text
    pieces = text.split(":", 5)
    pieces += ["*"] * (6 - len(pieces))
    return dict(zip(_HERE, (pieces[1], *pieces[3:5]), strict=True)), pieces[5]


def _machine(resource: str) -> Parts:
    """IAM knows a machine without its version or alias; that is a condition."""
    where, rest = _arn(resource)
    name, _, qualifier = rest.removeprefix("stateMachine:").partition(":")
    return {**where, "machine": name, "qualifier": qualifier}


def _function(resource: str) -> Parts:
    """NAME, ACCOUNT:function:NAME or an ARN, each perhaps with a version or an alias."""
    where, rest = _arn(resource)
    partial = re.fullmatch(r"(\d{12}):(?:function:)?(.+)", rest)
    if partial:
        return {"account": partial[1], "function": partial[2]}
    return {**where, "function": rest.removeprefix("function:")}


def _queue(resource: str) -> Parts:
    """Its URL; of a pattern that says less, only the name is known."""
    form = r"https://sqs\.([a-z0-9*-]+)\.amazonaws\.com(?:\.cn)?/([0-9*]+)/(.+)"
    match = re.fullmatch(form, resource)
    if match:
        return {"region": match[1], "account": match[2], "name": match[3]}
    return {"name": _last(resource) or "*"}


def _topic(resource: str) -> Parts:
    where, topic = _arn(resource)
    return {**where, "topic": topic}


def _bus(resource: str) -> Parts:
    bus, source = _two(resource)
    where, name = _arn(bus)
    return {**where, "bus": _last(name), "source": source}


def _task(resource: str) -> Parts:
    cluster, task = _two(resource)
    where, name = _arn(cluster)
    also, definition = _arn(task)
    revisions = _revisions(_last(definition))
    return {**also, **where, "cluster": _last(name), "task_definition": revisions}


def _job(resource: str) -> Parts:
    queue, job = _two(resource)
    where, name = _arn(queue)
    also, definition = _arn(job)
    return {**also, **where, "queue": _last(name), "definition": _revisions(_last(definition))}


def _pair(first: str, second: str) -> Callable[[str], Parts]:
    return lambda resource: dict(zip((first, second), _two(resource), strict=True))


def _only(name: str) -> Callable[[str], Parts]:
    return lambda resource: {name: resource}


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _redshift(resource: str, workgroups: Mapping[str, str]) -> Iterator[Parts]:
    """``PLACE/DATABASE/IDENTITY``. A name that is no workgroup's is a cluster's.

    An identity that is a pattern is any user and IAM's own, and no secret: that would be all of them.
    """
    place, _, rest = resource.partition("/")
    database, _, identity = rest.partition("/")
    whole = "*" if place.endswith("*") else identity
    identity = identity or whole
    common = {"database": database or "*"}
    if identity.startswith("arn:"):
        common["secret"] = identity
    elif identity == "iam":
        common["iam"] = identity
    else:
        common |= {"user": identity or "*"} | ({"iam": "iam"} if "*" in identity else {})
    expression = ".*".join(map(re.escape, place.split("*")))
    known = [name for name in workgroups if re.fullmatch(expression, name)]
    for name in known:
        yield {**common, "workgroup": workgroups[name]}
    if place not in known:
        yield {**common, "cluster": place}


def _two(resource: str) -> tuple[str, str]:
    """``QUEUE/DEFINITION``, each a name or an ARN, which has slashes of its own; or a pattern of both."""
    match = re.fullmatch(r"(arn:[^/]*/[^/]*|[^/]*)/(.*)", resource)
    if match is not None:
        return match[1], match[2]
    first, star, _ = resource.partition("*")
    _, _, last = resource.rpartition("*")
    return f"{first}{star}", f"*{last}" if star else "*"


def _revisions(definition: str) -> str:
    """Every revision, where the entry does not name one."""
    return definition if ":" in definition or definition.endswith("*") else f"{definition}:*"


_READ: Mapping[str, Callable[[str], Parts]] = {
    "athena": _only("workgroup"),
    "batch": _job,
    "codebuild": _only("project"),
    "ecs": _task,
    "events": _bus,
    "glue": _only("job"),
    "glue_data": _pair("database", "table"),
    "lambda": _function,
    "lambda_sync": _function,
    "s3": _only("bucket"),
    "s3_results": _pair("bucket", "key"),
    "sns": _topic,
    "sqs": _queue,
    "step_functions": _machine,
}
