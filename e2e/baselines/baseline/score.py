"""credit.applications.v1 → credit.risk.v1: one call of the engine for each product of a batch."""

from hashlib import sha256

import orjson

from baseline.contract import Unscorable
from baseline.ids import child, event_id, rfc3339
from baseline.package import Package

SOURCE = b"/defaultx/scorer"
TOPIC = "credit.applications.v1"
SCORECARDS = {
    "consumer_instalment": "german-scorecard",
    "credit_card": "taiwan-scorecard",
    "small_business_term": "sba-scorecard",
}
XGBOOST = SCORECARDS | {"credit_card": "taiwan-xgboost", "small_business_term": "sba-xgboost"}


class Handler:
    """The hop with its packages: scorecards, or XGBoost where an explainer of its trees is named."""

    def __init__(self, prefix: str, explainer: str = ""):
        self.risk = prefix + "credit.risk.v1"
        self.routes = XGBOOST if explainer else SCORECARDS
        self.packages = {product: Package(name, explainer) for product, name in self.routes.items()}
        table = "".join(f"{product}={name}@1.0.0\n" for product, name in sorted(self.routes.items()))
        self.route_digest = sha256(table.encode()).hexdigest()

    def handle(self, messages, loads=orjson.loads):
        events = [None] * len(messages)
        passed = [None] * len(messages)
        blocks: dict[str, tuple[list, list]] = {product: ([], []) for product in self.routes}
        for index, message in enumerate(messages):
            heads = dict(message.headers())
            if heads["ce_type"] != b"application.accepted.v1":
                # Withdrawals and activation records go on as they are.
                passed[index] = (self.risk, message.value(), message.key(), message.partition(), message.headers())
                continue
            data = loads(message.value())
            product = data["product"]
            events[index] = event = self.event(message, heads, data)
            if product not in blocks:
                event["unscorable"] = [f"no_model:{product}"]
                continue
            try:
                row = self.packages[product].row(data)
            except Unscorable as cause:
                event["unscorable"] = [":".join(cause.args)]
                continue
            indices, rows = blocks[product]
            indices.append(index)
            rows.append(row)
        for product, (indices, rows) in blocks.items():
            if rows:
                for index, parts in zip(indices, self.packages[product].score(rows), strict=True):
                    event = events[index]
                    event["status"] = "scored"
                    event["score"], event["features"], event["explanation"], event["reasons"] = parts
        return self.outputs(messages, events, passed), None

    def event(self, message, heads, data):
        """All of an event but the score. `heads` stay in it until it is written."""
        applicants = data["applicants"]
        primary = applicants[0]
        subject = primary["subject"]["subject"]
        times = {
            "submitted_at": data["submitted_at"],
            "received_at": rfc3339(int(heads["ce_receivedat"])),
            "as_of": data["as_of"],
        }
        completed_at = data.get("completed_at")
        if completed_at is not None:
            times["completed_at"] = completed_at
        event = {
            "application": {
                "tenant": data["tenant"], "application_id": data["application_id"], "revision": data["revision"],
            },
            "subjects": [{"role": a["role"], "kind": a["kind"], **a["subject"]} for a in applicants],
            "input": {
                "event_id": heads["ce_id"].decode(), "topic": TOPIC, "partition": message.partition(),
                "offset": message.offset(), "data_digest": heads["ce_datadigest"].decode(),
            },
            "product": data["product"],
            "intent": data["intent"],
            "request_type": data["request_type"],
            "channel": data["channel"],
            "jurisdiction": data["jurisdiction"],
            "requested": data["requested"],
            "facts": primary.get("facts", {}),
            "times": times,
            "status": "unscorable",
            "route": {
                "digest": self.route_digest,
                "bucket": int.from_bytes(sha256(subject.encode()).digest()[:8], "big") % 10_000,
            },
            "features": [],
            "reasons": [],
            "heads": heads,
        }
        package = self.packages.get(data["product"])
        if package is not None:
            event["model"] = package.model_ref
        return event

    def outputs(self, messages, events, passed, dumps=orjson.dumps):
        """Events as records, in the order of the applications."""
        outputs, risk = [], self.risk
        for message, event, as_it_is in zip(messages, events, passed, strict=True):
            if event is None:
                outputs.append(as_it_is)
                continue
            heads, about = event.pop("heads"), event["application"]
            name = self.routes.get(event["product"])
            ordinal = f"champion:{name}" if name else "none"
            made = event_id("score.computed.v1", about["tenant"], about["application_id"], about["revision"], ordinal)
            headers = child(heads, SOURCE, b"score.computed.v1", made)
            outputs.append((risk, dumps(event), message.key(), message.partition(), headers))
        return outputs
