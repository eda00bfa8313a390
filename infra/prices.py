"""What AWS charges: us-east-1, on demand, in dollars, without free tiers, each with where it was read.

These are stored copies of pages, looked at on the day that ``LOOKED`` says, most of them other people's
lists of AWS's own prices. ``infra/costs.py`` has what they are multiplied with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOOKED = "2026-11-24"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """``source``: the page, and the date that it gives itself; None: not confirmed by any page."""

    dollars: float
    unit: str
    source: str | None


_CLASSES = "github.com/hashicorp/terraform-provider-aws, internal/service/rds/consts_test.go (MySQL, 2024-02)"
_NAT = "cloudburn.io/blog/aws-nat-gateway-pricing (2026-02)"
_LAMBDA = "cloudchipr.com/blog/aws-lambda-pricing (2024)"
_WATCH = "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards (2026-06)"
_SECRETS = "hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms"
_EVENTS = "cloudburn.io/blog/amazon-eventbridge-pricing (2026-03)"
_ENDPOINTS = (
    "awsnegotiations.com/privatelink-cost-analysis (2026-05), aws.amazon.com/privatelink/pricing"
)

PRICES: Mapping[str, Price] = {
    "db.t4g.small": Price(0.032, "hour", f"{_CLASSES}; infratally.com (2026)"),
    "db.m7g.large": Price(0.168, "hour", _CLASSES),
    "db.m7g.xlarge": Price(0.337, "hour", _CLASSES),
    "db.r7g.2xlarge": Price(0.956, "hour", f"twice db.r7g.xlarge of {_CLASSES}"),
    "storage (gp3)": Price(
        0.115,
        "GB and month",
        "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator (2026-06)",
    ),
    "NAT gateway": Price(0.045, "hour", _NAT),
    "NAT gateway, data": Price(0.045, "GB", _NAT),
    "public IPv4 address": Price(0.005, "hour", _NAT),
    "interface endpoint": Price(0.01, "hour and zone", _ENDPOINTS),
    "interface endpoint, data": Price(0.01, "GB", _ENDPOINTS),
    "Lambda, x86": Price(0.0000166667, "GB-second", _LAMBDA),
    "Lambda, arm64": Price(0.0000133334, "GB-second", _LAMBDA),
    "Lambda, invocations": Price(
        0.20, "million", "git.mcrn.ar/mariano/lambda_local_runner, lambda-13-cost.md"
    ),
    "SQS": Price(0.40, "million requests", "cloudburn.io/blog/amazon-sqs-pricing (2026-03)"),
    "logs, taken in": Price(0.50, "GB", _WATCH),
    "logs, kept": Price(0.03, "GB and month", None),
    "metric of our own": Price(0.30, "month", "signoz.io/guides/cloudwatch-pricing (2026-02)"),
    "alarm": Price(0.10, "month", None),
    "dashboard": Price(3.00, "month", _WATCH),
    "secret": Price(0.40, "month", _SECRETS),
    "secret, looked up": Price(5.00, "million", _SECRETS),
    "API Gateway, REST": Price(
        3.50,
        "million requests",
        "docs.aws.amazon.com/whitepapers/latest/best-practices-api-gateway-private-apis-integration",
    ),
    "EventBridge, rules and events of AWS": Price(0.0, "million", _EVENTS),
    "EventBridge Scheduler": Price(
        1.00, "million calls", f"{_EVENTS}; 14 million a month are free"
    ),
    "MWAA, small": Price(0.49, "hour", "c3x.dev/blog/mwaa-cost-managed-airflow, awsi.click (2026)"),
}


def dollars(name: str) -> float:
    """Of one: a request, where the list has a million of them."""
    price = PRICES[name]
    return price.dollars / MILLION if price.unit.startswith("million") else price.dollars


def rows() -> list[list[str]]:
    return [
        [
            name,
            f"{one.dollars:,.10f}".rstrip("0").rstrip("."),
            one.unit,
            one.source or "**not confirmed**",
        ]
        for name, one in PRICES.items()
    ]
