"""The stack of a stage: how it is, what a change would do, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.account import Account, refused
from infra.problems import Stuck

TRIES = 400
NOTHING = ("didn't contain changes", "No updates are to be performed")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stack:
    """``poll_s``: seconds between two looks while something is under way."""

    account: Account
    name: str
    poll_s: int = 10

    def state(self) -> str | None:
        """None: there is none."""
        found = self._described()
        return None if found is None else str(found["StackStatus"])

    def outputs(self) -> Mapping[str, str]:
        found = self._described() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}

    def ready(self) -> bool:
        """Whether it exists, and can be changed.

        Raises:
            Stuck: neither; what has to be done first.
        """
        state = self.state()
        if state is None or state == "REVIEW_IN_PROGRESS":
            return False
        if state.endswith("_IN_PROGRESS"):
            raise Stuck(
                f"{self.name} is being changed ({state}); wait until that is over, then repeat"
            )
        if state in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
            raise Stuck(
                f"{self.name} is {state}: its creation or deletion failed, and CloudFormation changes it no "
                f"more. See why: {self._reasons()}. Then remove what is left, and repeat: "
                f"aws cloudformation delete-stack --stack-name {self.name} --region {self.account.region}"
            )
        if state == "UPDATE_ROLLBACK_FAILED":
            raise Stuck(
                f"{self.name} is {state}: {self._reasons()}. Mend that, then: aws cloudformation "
                f"continue-update-rollback --stack-name {self.name} --region {self.account.region}"
            )
        return True

    def plan(self, change_set: str, template_url: str) -> Sequence[str] | None:
        """What the change would do, a line for each resource; None when nothing would change."""
        asked: dict[str, Any] = {
            "ChangeSetName": change_set,
            "ChangeSetType": "UPDATE" if self.ready() else "CREATE",
            "TemplateURL": template_url,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Tags": [{"Key": "application", "Value": "noonday"}],
        }
        try:
            self._call("create_change_set", **asked)
        except ClientError as error:
            if not refused(error, "AlreadyExistsException"):
                raise
            # Of a deployment that was interrupted, perhaps of another template: never executed.
            self._call("delete_change_set", ChangeSetName=change_set)
            self._call("create_change_set", **asked)
        try:
            self._wait("change_set_create_complete", ChangeSetName=change_set)
        except WaiterError:
            why = self._change_set(change_set).get("StatusReason", "")
            self._call("delete_change_set", ChangeSetName=change_set)
            if any(text in why for text in NOTHING):
                return None
            raise Stuck(f"CloudFormation refuses the template: {why}") from None
        return [_line(one) for one in self._change_set(change_set).get("Changes", ())]

    def execute(self, change_set: str) -> None:
        """Raises Stuck when it fails; CloudFormation has taken everything back then."""
        waiting = "stack_update_complete" if self.ready() else "stack_create_complete"
        self._call("execute_change_set", ChangeSetName=change_set)
        try:
            self._wait(waiting)
        except WaiterError:
            raise Stuck(f"{self.name} is {self.state()}: {self._reasons()}") from None

    def delete(self) -> None:
        self._call("delete_stack")
        try:
            self._wait("stack_delete_complete")
        except WaiterError:
            raise Stuck(f"{self.name} is {self.state()}: {self._reasons()}") from None

    def _described(self) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._call("describe_stacks")["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _change_set(self, name: str) -> Mapping[str, Any]:
        return self._call("describe_change_set", ChangeSetName=name)

    def _reasons(self) -> str:
        """The first failures of the last change, oldest first: later ones are their consequences."""
        events = self._call("describe_stack_events")["StackEvents"]
        failed = [
            f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}"
            for one in events
            if one["ResourceStatus"].endswith("_FAILED")
        ]
        return "; ".join(failed[::-1][:3]) or "no failure is on record"

    def _call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return self.account.call("cloudformation", operation, StackName=self.name, **parameters)

    def _wait(self, waiter: str, **parameters: Any) -> None:
        client = self.account.session.client("cloudformation", region_name=self.account.region)
        often = {"Delay": self.poll_s, "MaxAttempts": TRIES}
        client.get_waiter(waiter).wait(StackName=self.name, WaiterConfig=often, **parameters)


def _line(change: Mapping[str, Any]) -> str:
    one = change["ResourceChange"]
    replaced = ", replaced" if one.get("Replacement") == "True" else ""
    return f"{one['Action'].lower()} {one['LogicalResourceId']} ({one['ResourceType']}){replaced}"
