"""Values that CloudFormation fills in."""

from __future__ import annotations

from typing import Any

Value = Any
"""A text, or a function of CloudFormation that becomes one."""


def ref(name: str) -> Value:
    return {"Ref": name}


def attribute(name: str, of: str) -> Value:
    return {"Fn::GetAtt": [name, of]}


def sub(text: str) -> Value:
    return {"Fn::Sub": text} if "${" in text else text


def arn(service: str, resource: str) -> Value:
    """Of this account and region."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
