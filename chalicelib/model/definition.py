"""The definition: the document that a user writes, and all that can be said about it without a store."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from chalicelib.model.document import Document
from chalicelib.model.identity import Slug
from chalicelib.model.instants import parse_duration
from chalicelib.model.prerequisite import MOST, Prerequisite
from chalicelib.model.retention import DAY_MS, MOST_COUNT, MOST_DAYS
from chalicelib.model.schedule import Schedule

Value = str | int | float | bool
Overlap = Literal["allow", "skip", "queue", "queue_one", "replace"]


def _duration(text: str) -> str:
    parse_duration(text)
    return text


LONGEST_REPORTED_MS = 365 * DAY_MS
"""How long a run may take whose target reports itself: as long as the key that signed its token is kept."""

Duration = Annotated[
    str,
    AfterValidator(_duration),
    Field(
        description="ISO 8601 duration of weeks, days, hours, minutes, seconds", examples=["PT15M"]
    ),
]


def _mode_alone(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


class CatchUp(Document):
    """What becomes of nominal times that nobody was there to launch."""

    mode: Literal["all", "latest", "none"] = "all"
    limit: int = Field(100, ge=1, le=10_000, description="At most so many, the newest")
    window: Duration | None = Field(None, description="None that are older than this")


class Backoff(Document):
    """How long the next try waits: exponential, capped, and spread by the run's token."""

    delay: Duration = "PT30S"
    factor: float = Field(
        2.0, ge=1, le=10, description="Each delay is so many times the one before"
    )
    max_delay: Duration = "PT1H"
    jitter: float = Field(
        0.1, ge=0, le=1, description="Share of the delay that is spread, by the run's token"
    )


class LaunchRetries(Backoff):
    """How often a launch that failed is tried: nothing of the run had begun."""

    max_attempts: int = Field(3, ge=1, le=100, description="Launches in all; 1 is no retry")
    max_delay: Duration = "PT10M"


class Retries(Backoff):
    """How often a run that failed is tried, and how long each try waits."""

    max_attempts: int = Field(1, ge=1, le=100, description="Runs in all; 1 is no retry")
    launch: LaunchRetries = Field(
        LaunchRetries(),
        description="The budget of launches that fail; it begins anew with each run",
    )


class Timeouts(Document):
    """How long an instance may wait, and how long a run may take."""

    wait: Duration = "PT24H"
    run: Duration = "PT24H"
    heartbeat: Duration | None = Field(
        None,
        description="With completion: callback or either: a run whose target reports nothing for so long has"
        " failed; 10 seconds to 24 hours",
        examples=["PT2M"],
    )

    @field_validator("heartbeat")
    @classmethod
    def _within_limits(cls, heartbeat: str | None) -> str | None:
        if heartbeat is not None and not 10_000 <= parse_duration(heartbeat) <= DAY_MS:
            raise ValueError(f"{heartbeat} is less than 10 seconds or more than a day; write PT2M")
        return heartbeat


class OnFailure(Document):
    """What a series of failures does to the job."""

    suspend_after: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Suspend the job when so many instances in a row have failed",
    )


class RetentionPolicy(Document):
    """How long the record of ended instances is kept; what is not said is the installation's default."""

    age: Duration | None = Field(
        None, description="Purge what ended longer ago; a day at least", examples=["P90D"]
    )
    count: int | None = Field(
        None, ge=1, le=MOST_COUNT, description="Purge all but the newest so many instances"
    )

    @field_validator("age")
    @classmethod
    def _a_day_at_least(cls, age: str | None) -> str | None:
        if age is not None and not DAY_MS <= parse_duration(age) <= MOST_DAYS * DAY_MS:
            raise ValueError(f"{age} is less than a day or more than {MOST_DAYS} days; write P90D")
        return age


Occasion = Literal["success", "failure", "timeout", "kill", "skip", "suspension"]


CHANNELS = {"url": "webhook", "topic": "sns", "bus": "events"}
"""Kinds of channel by the field that names where they lead."""


class Notify(Document):
    """Whom to tell of what: a channel, and the occasions that it hears of."""

    on: list[Occasion] = Field(
        [],
        max_length=6,
        description="Ends of instances, and the job's suspension; a retry is no failure yet",
        examples=[["failure", "timeout"]],
    )
    not_started_within: Duration | None = Field(
        None, description="Tell when nothing has begun so long after a nominal time"
    )
    not_ended_within: Duration | None = Field(
        None, description="Tell when the instance has not ended so long after its nominal time"
    )
    running_longer_than: Duration | None = Field(
        None, description="Tell when a run has been going on for so long"
    )
    url: str | None = Field(
        None,
        max_length=2000,
        description="A webhook: receives a POST with a signed JSON document",
        examples=["https://hooks.example.com/noonday"],
    )
    topic: str | None = Field(
        None,
        max_length=400,
        description="Or a topic of SNS, by its ARN",
        examples=["arn:aws:sns:eu-central-1:123456789012:jobs"],
    )
    bus: str | None = Field(
        None,
        max_length=400,
        description="Or a bus of EventBridge, by its name or ARN",
        examples=["default"],
    )

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        late = (self.not_started_within, self.not_ended_within, self.running_longer_than)
        if not self.on and not any(late):
            raise ValueError(
                "does not say of what to tell: name occasions with on, as in on: [failure, timeout], "
                "or give not_started_within, not_ended_within or running_longer_than"
            )
        return self

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        given = [field for field in CHANNELS if getattr(self, field) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of {', '.join(CHANNELS)}; here is {found}")
        return self

    @property
    def leads(self) -> str:
        """The field that says where it leads."""
        return next(field for field in CHANNELS if getattr(self, field) is not None)

    @property
    def place(self) -> str:
        return str(getattr(self, self.leads))

    @property
    def channel(self) -> dict[str, str]:
        """Where it leads, as the outbox keeps it."""
        return {"kind": CHANNELS[self.leads], self.leads: self.place}


class Policies(Document):
    """How the job behaves when times pile up, runs fail or runs take too long."""

    catch_up: Annotated[CatchUp, BeforeValidator(_mode_alone)] = CatchUp()
    overlap: Overlap = Field(
        "allow", description="What a nominal time does while another instance of the job is active"
    )
    max_active: int = Field(
        16, ge=1, le=1000, description="Instances active at once, with overlap: allow"
    )
    group: Slug | None = Field(
        None, description="The concurrency group whose slots its instances share with other jobs'"
    )
    retries: Retries = Retries()
    on_failure: OnFailure = OnFailure()
    timeouts: Timeouts = Timeouts()
    retention: RetentionPolicy = RetentionPolicy()
    notify: list[Notify] = Field([], max_length=20, description="Whom to tell of what")


class Definition(Document):
    """A job, as its user writes it."""

    name: Slug = Field(examples=["daily-revenue"])
    description: str = Field("", max_length=2000)
    tags: dict[Slug, Annotated[str, Field(max_length=200)]] = Field({}, max_length=50)
    parameters: dict[str, Value] = Field(
        {},
        max_length=100,
        description="Defaults; a trigger may override them; ${parameters.x} reads them",
    )
    schedule: Schedule
    prerequisites: list[Prerequisite] = Field(
        [],
        max_length=MOST,
        description="What must hold before an instance may launch; all of them",
    )
    target: dict[str, Any] = Field(description="What each run launches; `kind` chooses the fields")
    policies: Policies = Policies()

    @field_validator("parameters")
    @classmethod
    def _parameter_names(cls, parameters: dict[str, Value]) -> dict[str, Value]:
        for name in parameters:
            if not name.isidentifier():
                raise ValueError(
                    f"{name!r} is no parameter name: letters, digits and _, not a digit first"
                )
        return parameters

    @model_validator(mode="after")
    def _somebody_reports(self) -> Self:
        if self.policies.timeouts.heartbeat is not None and not self.calls_back:
            raise ValueError(
                "policies.timeouts.heartbeat is for targets that report themselves; "
                "set target.completion to callback (or either, for what AWS executes), or leave it out"
            )
        if self.calls_back and parse_duration(self.policies.timeouts.run) > LONGEST_REPORTED_MS:
            raise ValueError(
                f"policies.timeouts.run is {self.policies.timeouts.run}, and the token of a target that "
                f"reports itself lasts for {LONGEST_REPORTED_MS // DAY_MS} days at most"
            )
        return self

    @property
    def calls_back(self) -> bool:
        """Whether a run's target reports how it goes."""
        return self.target.get("completion") in ("callback", "either")

    @property
    def only_calls_back(self) -> bool:
        """Whether nobody else knows: its target cannot be asked, nor stopped."""
        return self.target.get("completion") == "callback"

    def to_json(self) -> str:
        """What the user wrote, and what was written in for them; defaults stay unwritten."""
        return self.model_dump_json(exclude_unset=True)
