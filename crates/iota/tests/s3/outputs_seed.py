"""Makes what outputs in AWS send to, in moto. Reads JSON: {"endpoint", "secret"}. With "queue" it receives from it instead."""

import json
import sys

import boto3

asked = json.load(sys.stdin)
session = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1", "endpoint_url": asked["endpoint"]}
sqs = boto3.client("sqs", **session)
if "queue" in asked:
    got = sqs.receive_message(QueueUrl=asked["queue"], MaxNumberOfMessages=10).get("Messages", [])
    print(json.dumps([message["Body"] for message in got]))
    sys.exit()
boto3.client("s3", **session).create_bucket(Bucket="alerts-out")
print(
    json.dumps(
        {
            "topic": boto3.client("sns", **session).create_topic(Name="alerts-out")["TopicArn"],
            "queue": sqs.create_queue(QueueName="alerts-out")["QueueUrl"],
            "secret": boto3.client("secretsmanager", **session).create_secret(Name="alerts-out", SecretString=asked["secret"])["ARN"],
        }
    )
)
