"""credit.risk.v1 → credit.decisions.v1."""

import time

import orjson

from baseline.ids import child, event_id, rfc3339
from baseline.policy import POLICY, decide

SOURCE = b"/defaultx/decision"
MADE = "decision.made.v1"


class Handler:
    """The hop."""

    def __init__(self, prefix: str):
        self.decisions = prefix + "credit.decisions.v1"

    def handle(self, messages, loads=orjson.loads, dumps=orjson.dumps):
        outputs, decisions = [], self.decisions
        policy = orjson.Fragment(dumps(POLICY))
        decided_at = rfc3339(time.time_ns() // 1_000_000)
        for message in messages:
            heads = dict(message.headers())
            kind = heads["ce_type"]
            if kind == b"score.computed.v1":
                event = loads(message.value())
                if event["intent"] == "score_only":
                    continue
                decision = on_score(event, heads["ce_id"].decode(), policy, decided_at)
            elif kind == b"application.withdrawn.v1":
                decision = on_withdrawal(loads(message.value()), int(heads["ce_revision"]), policy, decided_at)
            else:
                continue
            about = decision["application"]
            made = event_id(
                MADE, about["tenant"], about["application_id"], about["revision"], str(decision["decision_number"])
            )
            headers = child(heads, SOURCE, MADE.encode(), made)
            headers += [
                ("ce_time", decided_at.encode()),
                ("ce_tenant", about["tenant"].encode()),
                ("ce_revision", b"%d" % about["revision"]),
            ]
            outputs.append((decisions, dumps(decision), message.key(), message.partition(), headers))
        return outputs, None


def on_score(event: dict, event_id_: str, policy, decided_at: str) -> dict:
    """The decision on a score event."""
    risk = {"event_id": event_id_, "status": event["status"]}
    if event.get("unscorable"):
        risk["unscorable"] = event["unscorable"]
    model = event.get("model")
    if model is not None:
        risk["model"] = {
            "name": model["name"], "version": model["version"], "digest": model["digest"], "role": model["role"],
            "target": model["target"],
        }
    if "score" in event:
        risk["score"] = event["score"]
    return {
        "application": event["application"],
        "subjects": event["subjects"],
        "decision_number": 1,
        "automation": "automatic",
        "product": event["product"],
        "intent": event["intent"],
        "channel": event["channel"],
        "jurisdiction": event["jurisdiction"],
        "requested": event["requested"],
        "risk": risk,
        "policy": policy,
        **decide(event),
        "inputs": {"route_digest": event["route"]["digest"], "bucket": event["route"]["bucket"]},
        "times": event["times"],
        "decided_at": decided_at,
    }


def on_withdrawal(body: dict, revision: int, policy, decided_at: str) -> dict:
    """The decision that a withdrawal is."""
    return {
        "application": {"tenant": body["tenant"], "application_id": body["application_id"], "revision": revision},
        "subjects": [],
        "decision_number": 2,
        "supersedes": 1,
        "outcome": "withdrawn",
        "final": True,
        "automation": "automatic",
        "step": "withdrawal",
        "product": "unknown",
        "intent": "unknown",
        "channel": "unknown",
        "jurisdiction": "ZZ-ZZZ",
        "policy": policy,
        "rules": [],
        "principal_reasons": [],
        "adverse_action": False,
        "inputs": {},
        "decided_at": decided_at,
    }
