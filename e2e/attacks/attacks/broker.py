"""Kafka and PostgreSQL without credentials, or with somebody else's: nothing is read and nothing is written."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from .database import psql
from .deployment import Deployment
from .report import Report

GROUP = "brokers and databases"
TIMEOUT_S = 6.0
# What the contract lets senders read.
OF_SENDERS = {"credit.decisions.v1", "loan.replies.v1"}
READ = ["loan.applications.v1", "credit.intake.v1", "credit.identities.v1", "credit.protected.v1", "credit.decisions.v1", "credit.dead-letters.v1", "credit.admit-state.v1"]
WRITE = ["loan.replies.v1", "credit.intake.v1", "credit.identities.v1", "credit.applications.v1", "credit.risk.v1", "credit.decisions.v1", "credit.notifications.v1", "credit.checkpoints.v1", "credit.gaps.v1", "credit.admit-state.v1"]


def attack(d: Deployment, report: Report) -> None:
    honest = {**d.kafka}
    report.control(GROUP, "the deployment's client reads", reads(honest, d.topic("credit.decisions.v1")) is None)
    stranger = {"bootstrap.servers": d.kafka["bootstrap.servers"]}
    wrong = {**honest, "sasl.username": "nobody", "sasl.password": "wrong"} if "sasl.username" in honest else stranger
    someone = d.stranger or stranger
    for who, client in [("nobody", stranger), ("a wrong password", wrong), ("a sender", someone)]:
        # Whoever is refused waits for the end of the client's patience: all at once.
        with ThreadPoolExecutor(len(READ) + len(WRITE)) as pool:
            looks = [(base, pool.submit(reads, client, d.topic(base))) for base in READ]
            records = [(base, pool.submit(writes, client, d.topic(base), d.tenants[0])) for base in WRITE]
            for base, refused in looks:
                if client is d.stranger and base in OF_SENDERS:
                    report.control(GROUP, f"{who} reads {base}", refused.result() is None, refused.result())
                else:
                    report.attack(GROUP, f"{who} reads {base}", refused.result() is not None, "read")
            for base, refused in records:
                report.attack(GROUP, f"{who} writes {base}", refused.result() is not None, "written")
    parts = urlsplit(d.owner_url)
    host = f"{parts.hostname}:{parts.port or 5432}"
    for user, password in [("defaultx", ""), ("postgres", ""), ("postgres", "postgres"), ("defaultx", "defaultx"), ("defaultx_read", ""), ("defaultx_audit", ""), (parts.username or "", "wrong")]:
        who = f"{user}:{password}" if password else user
        done = psql(urlunsplit(parts._replace(netloc=f"{who}@{host}")), "SELECT 1", 20)
        report.attack(GROUP, f"PostgreSQL as {user} with {password or 'no password'!r}", done.returncode != 0, "logged in")
    report.control(GROUP, "the owner logs in", psql(d.owner_url, "SELECT 1").returncode == 0)


def reads(client: dict[str, str], topic: str) -> str | None:
    """Why a topic cannot be read; None when it can, even if nothing is in it."""
    consumer = Consumer({**client, "group.id": f"attack-{uuid.uuid4().hex}", "enable.partition.eof": True, "auto.offset.reset": "earliest", "log_level": 0})
    try:
        known = consumer.list_topics(topic, TIMEOUT_S).topics[topic]
        if known.error:
            return str(known.error)
        consumer.assign([TopicPartition(topic, part, 0) for part in known.partitions])
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            message = consumer.poll(0.5)
            # A word without a topic is on the group or the connection: it says nothing of this topic, which may come all the same.
            if message is None or message.topic() is None:
                continue
            if not message.error() or message.error().name() == "_PARTITION_EOF":
                return None
            return str(message.error())
        return "nothing came"
    except KafkaException as error:
        return str(error)
    finally:
        consumer.close()


def writes(client: dict[str, str], topic: str, tenant: str) -> str | None:
    """Why a topic cannot be written; None when a record was acknowledged. The record is one that no reader takes for its own."""
    ended: list[str | None] = []
    producer = Producer({**client, "message.timeout.ms": int(TIMEOUT_S * 1000), "log_level": 0})
    try:
        value = json.dumps({"attack": True}).encode()
        producer.produce(topic, value, f"{tenant}|attack", headers=[("ce_type", b"attack.made.v1")], on_delivery=lambda error, _: ended.append(str(error) if error else None))
        producer.flush(TIMEOUT_S + 2)
    except (KafkaException, BufferError) as error:
        return str(error)
    return ended[0] if ended else "no acknowledgement"
