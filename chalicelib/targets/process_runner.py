"""Runs one command under one token, whatever becomes of the server that asked for it.

Started as ``python -I -S process_runner.py`` in a session of its own, with an order (JSON) on standard
input. The folder of the run is all that it shares with the server:

``lock``        locked while this runner lives, and until the command's process has begun or died
``child``       the command's process: written whole, exclusively, before the command begins
``output.log``  what it said; with a result, only what it said on standard error
``result``      its standard output, if the order wants a result
``status``      how it ended; written whole, as the last thing
``stop``        a mark of the server's: the command was asked to end

So ``child`` decides: whoever finds it never starts the command again, and a free lock without it means
that the command never began. Standard library only: each run pays for these imports.
"""
# Without pathlib, which would be a third of this program's start.
# ruff: noqa: PTH103, PTH104, PTH108, PTH110, PTH112, PTH115, PTH123

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import sys

TYPE_CHECKING = False  # without typing, which would take as long as json
if TYPE_CHECKING:
    from typing import Any

TAKEN = 75
NO_ORDER = 65
CHUNK = 65_536


def main() -> int:
    """0 when there is a status, TAKEN when the run is somebody else's or has begun already."""
    try:
        order = json.loads(sys.stdin.buffer.read())
    except ValueError:  # the server died while it wrote: nothing has happened, nothing shall
        return NO_ORDER
    os.umask(0o022)
    os.makedirs(order["folder"], exist_ok=True)
    os.chdir(order["folder"])
    lock = take("lock")
    if lock is None or os.path.exists("child") or os.path.exists("status"):
        return TAKEN
    return Runner(order).run()


def take(path: str) -> int | None:
    """The lock as a descriptor; the kernel gives it up when the last holder of it is gone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class Runner:
    """One command, its output and its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._kept = 0
        self._log = os.open("output.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def run(self) -> int:
        woken = self._wake_on_exit()
        reading, writing = os.pipe()
        said, saying = os.pipe()
        pid = os.fork()
        if pid == 0:
            become(self._order, writing, saying)
        os.close(writing)
        os.close(saying)
        complaint = read_all(said)
        if complaint == b"TAKEN":
            os.waitpid(pid, 0)
            return TAKEN
        os.set_blocking(reading, False)
        self._follow(pid, reading, woken)
        self._end(pid, complaint.decode("utf-8", "replace"))
        return 0

    @staticmethod
    def _wake_on_exit() -> int:
        """A descriptor that becomes readable when the child ends, so that one poll waits for all."""
        woken, waking = os.pipe()
        os.set_blocking(waking, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        return woken

    def _follow(self, pid: int, reading: int, woken: int) -> None:
        """Keep the output until the command has ended. Its descendants may hold the pipe: not waited for."""
        poll = select.poll()
        poll.register(reading, select.POLLIN | select.POLLHUP)
        poll.register(woken, select.POLLIN)
        while not has_ended(pid):
            for descriptor, _ in poll.poll():
                if descriptor == woken:
                    os.read(woken, CHUNK)
                elif not self._keep_some(reading):
                    poll.unregister(reading)
        for _ in range(64):  # more than a pipe holds; a descendant may go on writing for ever
            if not self._keep_some(reading):
                return

    def _keep_some(self, reading: int) -> bool:
        """False when there is nothing to read now or ever again."""
        try:
            data = os.read(reading, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._keep(data)
        return bool(data)

    def _keep(self, data: bytes) -> None:
        """Beyond the limit output is read and forgotten: a full pipe would stop the command."""
        limit = self._order["output_limit"]
        if self._kept > limit:
            return
        write_all(self._log, data[: limit - self._kept])
        self._kept += len(data)
        if self._kept > limit:
            write_all(self._log, f"\n[the output is cut after {limit} bytes]\n".encode())

    def _end(self, pid: int, complaint: str) -> None:
        """The status is on the disk before the process is reaped: until then its id is nobody else's."""
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None  # noqa: S101  waitid without WNOHANG always finds it
        status: dict[str, object] = {"pid": pid}
        if complaint:
            status["error"] = complaint
            write_all(self._log, f"[{complaint}]\n".encode())
        elif ended.si_code == os.CLD_EXITED:
            status["exit_code"] = ended.si_status
        else:
            status["signal"] = ended.si_status
        os.fsync(self._log)
        if os.path.exists("result"):
            sync("result")
        write_whole("status", json.dumps(status).encode())
        if os.path.exists("stop"):  # who was asked to end leaves nobody behind
            kill_group(pid)
        os.waitpid(pid, 0)


def become(order: dict[str, Any], writing: int, saying: int) -> None:
    """In the child: declare itself, then turn into the command. Never returns."""
    try:
        os.setsid()
        if not declare("child", json.dumps(identity(os.getpid())).encode()):
            os.write(saying, b"TAKEN")
            os._exit(TAKEN)
        result = order["result"]
        output = os.open("result", os.O_WRONLY | os.O_CREAT, 0o644) if result else writing
        os.dup2(standard_input(order["stdin"]), 0)
        os.dup2(output, 1)
        os.dup2(writing, 2)
        for number in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores them; a command expects them
            signal.signal(number, signal.SIG_DFL)
        os.chdir(order["cwd"])
        os.execvpe(order["command"][0], order["command"], order["env"])  # noqa: S606
    except BaseException as error:  # noqa: BLE001  whatever it is, the runner must hear of it
        os.write(saying, explain(error, order).encode("utf-8", "replace")[:2000])
    os._exit(127)


def explain(error: BaseException, order: dict[str, Any]) -> str:
    command, cwd = order["command"][0], order["cwd"]
    if isinstance(error, OSError) and not os.path.isdir(cwd):
        return f"the working folder {cwd} does not exist"
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return f"there is no program {command!r} in {order['env'].get('PATH', 'PATH')}"
    if isinstance(error, OSError):
        return f"the program {command!r} cannot be started: {os.strerror(error.errno or 0)}"
    return f"the program {command!r} cannot be started: {type(error).__name__}: {error}"


def standard_input(text: str | None) -> int:
    """A file rather than a pipe: nobody has to feed it."""
    if text is None:
        return os.open(os.devnull, os.O_RDONLY)
    descriptor = os.open("stdin", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.unlink("stdin")
    write_all(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def kill_group(pid: int) -> None:
    """Before the leader is reaped: its id names its group and no other."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def read_all(descriptor: int) -> bytes:
    data = b""
    while piece := os.read(descriptor, CHUNK):
        data += piece
    os.close(descriptor)
    return data


def write_all(descriptor: int, data: bytes) -> None:
    """A full disk loses output, never the command."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return


def declare(path: str, data: bytes) -> bool:
    """Write the file whole, and only if there is none: false when somebody did so before."""
    draft = f"{path}.{os.getpid()}"
    write_synced(draft, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    sync(".")
    return True


def write_whole(path: str, data: bytes) -> None:
    write_synced(f"{path}.part", data)
    os.rename(f"{path}.part", path)
    sync(".")


def write_synced(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)


def sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def identity(pid: int) -> dict[str, object]:
    """What tells this process from a later one of the same id."""
    return {"pid": pid, "born": born(pid), "machine": machine()}


def born(pid: int) -> str | None:
    """When the process began, in the kernel's ticks since its start; None when it is gone.

    Where there is no /proc, "unknown" for any process that is there.
    """
    if not os.path.isdir("/proc/self"):
        return "unknown" if exists(pid) else None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def machine() -> str:
    """The present life of this machine, and whose process ids count in it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return os.uname().nodename


if __name__ == "__main__":
    sys.exit(main())
