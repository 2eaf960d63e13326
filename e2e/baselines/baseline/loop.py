"""Consume a batch, handle it, produce, commit with the offsets: the one loop of all four hops. Knows no application.

The commit of a batch runs on a thread while the next one is consumed and handled (librdkafka lets the interpreter go
meanwhile); nothing of the next batch is produced before that commit has returned. Any failure ends the process.
"""

import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

BATCH = 2000
TIMEOUT_S = 10.0


def run(hop, bootstrap, prefix, topic, handler, changelog=None, batch=BATCH):
    """Runs a hop until SIGTERM."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    signal.signal(signal.SIGINT, lambda *_: stopping.append(True))
    # Parsed JSON has no cycles: looking for some after every 700 containers would only cost time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)

    shared = {"bootstrap.servers": bootstrap, "client.id": f"baseline-{hop}", "message.max.bytes": 17 << 20}
    producer = Producer({
        **shared,
        "transactional.id": f"{prefix}baseline-{hop}",
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "retry.backoff.ms": 5,
        "transaction.timeout.ms": 10_000,
        "message.timeout.ms": 9_000,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 65_536,
        "batch.num.messages": 10_000,
        "batch.size": 524_288,
    })
    # First of all: it fences a predecessor, so that what is restored below is all there is.
    producer.init_transactions(TIMEOUT_S * 3)
    consumer = Consumer({
        **shared,
        "group.id": f"{prefix}baseline-{hop}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": 8192 * batch // BATCH,
    })

    committer = ThreadPoolExecutor(1, "commit")
    in_flight = None

    def on_assign(_, partitions):
        if changelog and partitions:
            restore(shared, prefix + changelog, [p.partition for p in partitions], handler)

    def on_revoke(_, partitions):
        # One instance of each hop: partitions go only when it ends, or when it lost its group and must start anew.
        if not stopping:
            os._exit(3)

    def commit(offsets, group):
        producer.send_offsets_to_transaction(offsets, group, TIMEOUT_S)
        producer.commit_transaction(TIMEOUT_S)

    consumer.subscribe([prefix + topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)
    consume, handle, produce = consumer.consume, handler.handle, producer.produce
    log_topic = prefix + changelog if changelog else None
    while not stopping:
        messages = consume(num_messages=batch, timeout=0.01)
        while in_flight is not None and len(messages) < batch and not in_flight.done():
            messages += consume(num_messages=batch - len(messages), timeout=0.005)
        if not messages:
            continue
        next_offsets = {}
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            next_offsets[message.partition()] = message.offset() + 1
        outputs, entries = handle(messages)
        if in_flight is not None:
            in_flight.result()
        producer.begin_transaction()
        for to, value, key, partition, headers in outputs:
            produce(to, value, key, partition, headers=headers)
        for partition, logged in (entries or {}).items():
            # Without headers a list goes to the client in one call. The partition is the call's: the client does not
            # heed one inside a message of the list.
            if producer.produce_batch(log_topic, logged, partition) != len(logged):
                raise BufferError("the producer's queue is full")
        producer.poll(0)
        offsets = [TopicPartition(prefix + topic, p, o) for p, o in next_offsets.items()]
        in_flight = committer.submit(commit, offsets, consumer.consumer_group_metadata())
    if in_flight is not None:
        in_flight.result()
    committer.shutdown()
    consumer.close()


def restore(shared, topic, partitions, handler):
    """Reads the changelog of the partitions to its end, into the handler's state."""
    reader = Consumer({
        **shared,
        "group.id": f"{topic}-restore",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    })
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    left = set(partitions)
    while left:
        for message in reader.consume(num_messages=10_000, timeout=0.1):
            error = message.error()
            if error is None:
                handler.remember(message.partition(), message.key(), message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
            else:
                raise KafkaException(error)
    reader.close()
