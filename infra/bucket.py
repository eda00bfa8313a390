"""The bucket from which CloudFormation takes the zip and the template: one for an account and region."""

from __future__ import annotations

import hashlib
import json

from botocore.exceptions import ClientError

from infra.account import Account, refused
from infra.package import Package
from infra.problems import Stuck


def name_of(account: Account) -> str:
    return f"noonday-{account.id}-{account.region}"


def provide(account: Account) -> str:
    """The bucket: private, encrypted, versioned, made if it is not there.

    Raises:
        Stuck: somebody else has it.
    """
    bucket = name_of(account)
    try:
        account.call("s3", "head_bucket", Bucket=bucket)
    except ClientError as error:
        if refused(error, "403"):
            raise Stuck(f"the bucket {bucket} is there and not yours to use: {error}") from error
        if not refused(error, "404", "NoSuchBucket"):
            raise
        _make(account, bucket)
    public = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    account.call(
        "s3",
        "put_public_access_block",
        Bucket=bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(public, True),
    )
    versioning = {"Status": "Enabled"}
    account.call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=versioning)
    return bucket


def _make(account: Account, bucket: str) -> None:
    """New buckets are encrypted by themselves."""
    place = {"LocationConstraint": account.region}
    elsewhere = {} if account.region == "us-east-1" else {"CreateBucketConfiguration": place}
    account.call("s3", "create_bucket", Bucket=bucket, **elsewhere)


def zip_key(package: Package) -> str:
    return f"{package.stage.name}/{package.code}.zip"


def upload(account: Account, bucket: str, package: Package) -> str:
    """Zip and template, each under its own hash, so that what was deployed stays; the template's URL."""
    content = package.zip.read_bytes()
    account.call("s3", "put_object", Bucket=bucket, Key=zip_key(package), Body=content)
    document = package.document()
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{zip_key(package)}"
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    key = f"{package.stage.name}/{hashlib.sha256(text).hexdigest()}.json"
    account.call("s3", "put_object", Bucket=bucket, Key=key, Body=text)
    return f"https://{bucket}.s3.{account.region}.amazonaws.com/{key}"
