"""What Lambda's own runtime does: awslambdaric, started beside a function's code and not from it.

Runs without site-packages, on the folder of the runtime (LAMBDA_RUNTIME_DIR) and the function's code. What
it adds for the tests: before each answer the names of all loaded modules are written to LOADED_MODULES.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

LOADED_MODULES = os.environ.pop("LOADED_MODULES")


class Client(LambdaRuntimeClient):  # type: ignore[misc]
    def post_invocation_result(self, *arguments: Any, **named: Any) -> None:
        Path(LOADED_MODULES).write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
        super().post_invocation_result(*arguments, **named)


sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
bootstrap.run(os.environ["_HANDLER"], Client(os.environ["AWS_LAMBDA_RUNTIME_API"]))
