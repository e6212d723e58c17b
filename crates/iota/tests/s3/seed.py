"""Puts objects into moto. Reads JSON from standard input: {"endpoint", "bucket", "kms", "objects": [{"key", "body" (base64), "metadata"}]}."""

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

asked = json.load(sys.stdin)
config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5})
session = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1", "endpoint_url": asked["endpoint"]}
s3 = boto3.client("s3", config=config, **session)
s3.create_bucket(Bucket=asked["bucket"])
extra = {}
if asked.get("kms"):
    key = boto3.client("kms", **session).create_key()["KeyMetadata"]["KeyId"]
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def put(item):
    body = base64.b64decode(item["body"])
    s3.put_object(Bucket=asked["bucket"], Key=item["key"], Body=body, Metadata=item.get("metadata") or {}, **extra)


with ThreadPoolExecutor(4) as pool:
    list(pool.map(put, asked["objects"]))
for trail in asked.get("trails") or []:
    boto3.client("cloudtrail", **session).create_trail(Name=trail, S3BucketName=asked["bucket"], S3KeyPrefix="p")
