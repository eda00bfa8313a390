"""The kind ``process``: a program on this machine, which outlives the server that started it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from chalicelib.engine.callbacks import Callback
from chalicelib.engine.outcomes import (
    Dropped,
    Failed,
    HandedOver,
    Outcome,
    RunTaken,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.engine.ports import Control, LaunchRequest
from chalicelib.model.document import Document
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.files import Folders, drafting
from chalicelib.targets.kind import InlineKind, check_of
from chalicelib.targets.process_folder import Folder, Phase
from chalicelib.targets.process_runner import machine
from chalicelib.targets.process_watch import Watch

OUTPUT = "output.log"
_RESERVED = "NOONDAY_"
OFF = (
    "programs are not run here; whoever operates this server turns them on with NOONDAY_PROCESS=on"
)
LOSS = "the program's runner was killed, so that nobody knows how the program ended"

Argument = Annotated[str, Field(max_length=100_000)]


class ProcessTarget(Document):
    """A program with its arguments; no shell reads them."""

    kind: Literal["process"]
    command: list[Argument] = Field(
        min_length=1,
        max_length=1000,
        description="The program and its arguments, each as it is: no shell, no expansion",
        examples=[["/usr/bin/sort", "--unique", "orders.txt"]],
    )
    env: dict[str, Argument] = Field(
        {},
        max_length=200,
        description="Added to a minimal environment; nothing of the server's is inherited",
        examples=[{"REGION": "north"}],
    )
    cwd: str | None = Field(
        None, description="Working folder under the files' root, which is the default"
    )
    stdin: str | None = Field(
        None, max_length=1_000_000, description="What the program reads; nothing by default"
    )
    success_codes: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        [0], min_length=1, max_length=256, description="Exit codes that mean success"
    )
    result: str | None = Field(
        None,
        description="File under the files' root that receives standard output, once it succeeded",
        examples=["reports/${nominal_time:%Y-%m-%d}.txt"],
    )

    completion: Literal["exit", "callback"] = Field(
        "exit",
        description="exit: the run ends with the program; callback: an exit code of success means that the"
        " work was handed on, and whoever does it reports its end",
    )

    @model_validator(mode="after")
    def _one_end(self) -> ProcessTarget:
        if self.completion == "callback" and self.result is not None:
            raise ValueError("result keeps the output of a run that ends with it; leave one out")
        return self

    @field_validator("kind")
    @classmethod
    def _enabled(cls, kind: str, info: ValidationInfo) -> str:
        check = check_of(info)
        if check is not None and not check.settings.process_enabled and not check.adopting:
            raise ValueError(OFF)
        return kind

    @field_validator("command")
    @classmethod
    def _command(cls, command: list[str]) -> list[str]:
        if not command[0].strip():
            raise ValueError("the first item names the program; it is empty")
        if any("\0" in part for part in command):
            raise ValueError("arguments cannot contain NUL characters")
        return command

    @field_validator("env")
    @classmethod
    def _env(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"{name!r} cannot be set: names have no '=', nothing has NUL")
            if name.startswith(_RESERVED):
                raise ValueError(f"{name} is set by Noonday; choose a name without {_RESERVED}")
        return env

    @field_validator("cwd", "result")
    @classmethod
    def _under_files(cls, path: str | None, info: ValidationInfo) -> str | None:
        check = check_of(info)
        return check.place(path) if check else path


class ProcessKind(InlineKind[ProcessTarget]):
    """Starts the program under a runner, or finds the one that an earlier claim started, and waits."""

    name = "process"
    spec = ProcessTarget

    def __init__(self, settings: TargetSettings) -> None:
        self._settings = settings
        self._folders = Folders(settings.files, settings.runs)

    def run(self, spec: ProcessTarget, request: LaunchRequest, control: Control) -> Outcome:
        order = self._order(spec, request)
        folder = Folder(self._place(request))
        log = self._folders.log(request.token, OUTPUT)
        strange = _of_another_machine(request.handle, folder)
        if strange:
            return Failed(error=strange, lost=True)
        if not self._settings.process_enabled and folder.phase() is Phase.FREE:
            return Failed(error=OFF, retry=False)  # it was turned off before the program began
        _begin(request, control, folder, log)
        try:
            phase = Watch(folder, order, control).until_over()
        except OSError as error:
            if folder.may_be_at_work():  # then a failure would let another token begin beside it
                return Unknown(error=f"the program cannot be watched: {error}")
            raise
        if control.lost:  # whoever has the claim now goes on waiting
            return Dropped()
        if folder.stopped() or phase is Phase.FREE:
            return Stopped(log_path=log if folder.has_begun() else None)
        if phase is Phase.LOST:
            return Failed(error=LOSS, lost=True, log_path=log)
        return self._outcome(spec, request.token, folder, log)

    def _place(self, request: LaunchRequest) -> Path:
        """Where the run began, even if the operator has moved the folder of the runs since."""
        began = (request.handle or {}).get("folder")
        return Path(began) if isinstance(began, str) else self._folders.run(request.token)

    def _order(self, spec: ProcessTarget, request: LaunchRequest) -> Mapping[str, object]:
        """Everything the runner must know."""
        cwd = self._folders.files if spec.cwd is None else self._folders.result(spec.cwd)
        if spec.cwd is None:
            cwd.mkdir(parents=True, exist_ok=True)
        return {
            "command": spec.command,
            "env": self._environment(spec, request, cwd),
            "cwd": str(cwd),
            "stdin": spec.stdin,
            "result": spec.result is not None,
            "output_limit": self._settings.output_limit,
        }

    def _environment(
        self, spec: ProcessTarget, request: LaunchRequest, cwd: Path
    ) -> Mapping[str, str]:
        callback = request.callback
        told = {} if callback is None else callback_environment(callback)
        return {
            "PATH": self._settings.process_path,
            "LANG": "C.UTF-8",
            "HOME": str(cwd),
            **spec.env,
            "NOONDAY_TOKEN": request.token,
            "NOONDAY_INSTANCE_ID": request.instance_id,
            "NOONDAY_JOB_NAME": request.job_name,
            "NOONDAY_NOMINAL_TIME": str(request.bindings.get("nominal_time") or ""),
            **told,
        }

    def _outcome(self, spec: ProcessTarget, token: str, folder: Folder, log: str) -> Outcome:
        status = folder.status()
        code = status.get("exit_code")
        if code not in spec.success_codes:
            return Failed(error=_failure(status, folder.last_line()), log_path=log)
        if spec.completion == "callback":
            return HandedOver(log_path=log)
        if spec.result is not None:
            self._publish(spec.result, folder, token)
        return Succeeded(result_path=spec.result, log_path=log, facts={"exit_code": code})

    def _publish(self, path: str, folder: Folder, token: str) -> None:
        """A copy, so that a repetition after a crash finds what it needs."""
        with drafting(self._folders, path, token) as draft:
            folder.copy_result(draft.file)
            draft.finish()
            draft.publish()


def _begin(request: LaunchRequest, control: Control, folder: Folder, log_path: str) -> None:
    """Commit the handle. A stop that was asked for meanwhile must still reach what runs already."""
    if control.stopping and request.handle is not None:
        return
    try:
        log = {"log": log_path} if request.callback is not None else {}
        control.begin({"folder": str(folder.path), "machine": machine(), **log})
    except RunTaken:
        if request.handle is None or not control.stopping or control.lost:
            raise


def _of_another_machine(handle: Mapping[str, object] | None, folder: Folder) -> str | None:
    """Why the run cannot be looked after here; its status, if it came to that, counts everywhere."""
    if handle is None or handle.get("machine") == machine() or folder.has_status():
        return None
    return (
        "it began on another machine, or before this one was started again, and left no exit status"
        f" in {folder.path}; it is not started a second time"
    )


def callback_environment(callback: Callback) -> Mapping[str, str]:
    """What ``noonday.callback`` reads."""
    return {
        "NOONDAY_CALLBACK_URL": callback.url,
        "NOONDAY_CALLBACK_TOKEN": callback.credential,
    }


def _failure(status: Mapping[str, object], last_line: str) -> str:
    error, number = status.get("error"), status.get("signal")
    if error:
        return str(error)
    what = f"exit code {status.get('exit_code')}"
    if isinstance(number, int):
        with suppress(ValueError):
            number = signal.Signals(number).name
        what = f"ended by signal {number}"
    return f"{what}: {last_line}" if last_line else what
