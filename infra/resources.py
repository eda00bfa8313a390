"""Resources of ``targets_allow`` as ARNs: an entry names them as definitions do, by name, ARN or URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from chalicelib.targets.aws_kind import Need
from infra.problems import Stuck

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
    """Where it is, and the last of its six pieces; a pattern may end before that, with a star."""
    if not text.startswith("arn:"):
        return {}, text
    pieces = text.split(":", 5)
    if len(pieces) < 6:
        if "*" in text[:-1] or not text.endswith("*"):
            raise _unclear(text, "arn:aws:SERVICE:REGION:ACCOUNT:NAME")
        pieces += ["*"] * (6 - len(pieces))
    if not re.fullmatch(r"[0-9*]+", pieces[4]):
        raise _unclear(text, "arn:aws:SERVICE:REGION:ACCOUNT:NAME")
    return dict(zip(_HERE, (pieces[1], *pieces[3:5]), strict=True)), pieces[5]


def _unclear(text: str, form: str) -> Stuck:
    """A star may stand for several pieces at once, and IAM compares each for itself."""
    return Stuck(
        f"targets_allow: {text!r} does not say which piece of a resource is what; write {form}, with * "
        "inside its pieces, or give the entry a role of your own"
    )


def _of_type(text: str, type_: str, form: str) -> tuple[dict[str, str], str]:
    """An ARN whose last piece begins with a type, or a name."""
    where, rest = _arn(text)
    if where and not rest.startswith(type_):
        if "*" in rest[:-1] or not rest.endswith("*"):
            raise _unclear(text, form)
        rest = "*"
    return where, rest.removeprefix(type_)


def _machine(resource: str) -> Parts:
    """IAM knows a machine without its version or alias; that is a condition."""
    form = "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME"
    where, rest = _of_type(resource, "stateMachine:", form)
    if not where:  # a pattern that begins with a star
        return {"machine": resource.rpartition(":")[2], "qualifier": ""}
    name, _, qualifier = rest.partition(":")
    return {**where, "machine": name, "qualifier": qualifier}


def _function(resource: str) -> Parts:
    """NAME, ACCOUNT:function:NAME or an ARN, each perhaps with a version or an alias."""
    where, rest = _of_type(resource, "function:", "arn:aws:lambda:REGION:ACCOUNT:function:NAME")
    partial = re.fullmatch(r"(\d{12}):(?:function:)?(.+)", rest)
    if partial:
        return {"account": partial[1], "function": partial[2]}
    return {**where, "function": rest}


def _queue(resource: str) -> Parts:
    """Its URL, or a pattern that begins with a star and has its name at the end."""
    form = r"https://sqs\.([a-z0-9*-]+)\.amazonaws\.com(?:\.cn)?/([0-9*]+)/(.+)"
    match = re.fullmatch(form, resource)
    if match:
        return {"region": match[1], "account": match[2], "name": match[3]}
    if resource.startswith("*"):
        name = _last(resource)
        whole = "/" in resource.replace("//", "") and not re.match(r"\d+\*", name)
        return {"name": name if whole else f"*{name.rpartition('*')[2]}"}
    if "*" in resource[:-1] or not resource.endswith("*"):
        raise _unclear(resource, "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    return {"name": "*"}


def _topic(resource: str) -> Parts:
    where, topic = _arn(resource)
    return {**where, "topic": topic}


def _bus(resource: str) -> Parts:
    bus, source = _two(resource)
    where, name = _of_type(bus, "event-bus/", "arn:aws:events:REGION:ACCOUNT:event-bus/NAME")
    return {**where, "bus": name, "source": source}


def _task(resource: str) -> Parts:
    cluster, task = _two(resource)
    where, name = _of_type(cluster, "cluster/", "CLUSTER/TASK-DEFINITION")
    also, definition = _of_type(task, "task-definition/", "CLUSTER/TASK-DEFINITION")
    return {**also, **where, "cluster": name, "task_definition": _revisions(definition)}


def _job(resource: str) -> Parts:
    queue, job = _two(resource)
    where, name = _of_type(queue, "job-queue/", "QUEUE/DEFINITION")
    also, definition = _of_type(job, "job-definition/", "QUEUE/DEFINITION")
    return {**also, **where, "queue": name, "definition": _revisions(definition)}


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
    place, database, identity = _pieces(resource, 3, "CLUSTER-OR-WORKGROUP/DATABASE/IDENTITY")
    common = {"database": database}
    if identity.startswith("arn:"):
        common["secret"] = identity
    elif identity == "iam":
        common["iam"] = identity
    else:
        common |= {"user": identity} | ({"iam": "iam"} if "*" in identity else {})
    expression = ".*".join(map(re.escape, place.split("*")))
    known = [name for name in workgroups if re.fullmatch(expression, name)]
    for name in known:
        yield {**common, "workgroup": workgroups[name]}
    if place not in known:
        yield {**common, "cluster": place}


def _pieces(resource: str, count: int, form: str) -> list[str]:
    """By slashes; a pattern may end before the last, with a star."""
    pieces = resource.split("/", count - 1)
    if len(pieces) < count:
        if "*" in resource[:-1] or not resource.endswith("*"):
            raise _unclear(resource, form)
        pieces += ["*"] * (count - len(pieces))
    return pieces


def _two(resource: str) -> tuple[str, str]:
    """``QUEUE/DEFINITION``, each a name or an ARN, which has slashes of its own."""
    match = re.fullmatch(r"(arn:[^/]*/[^/]*)/(.*)", resource)
    if match is not None:
        return match[1], match[2]
    first, second = _pieces(resource, 2, "both names with a slash between them")
    return first, second


def _revisions(definition: str) -> str:
    """Every revision, where the entry does not name one."""
    if ":" in definition:
        return definition
    return f"{definition.rstrip('*')}*" if "*" in definition else f"{definition}:*"


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
