"""loan.applications.v1 → credit.intake.v1, identities, protected; refusals → a reply and a dead letter."""

import hmac
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import jsonschema_rs
import orjson

from baseline.ids import child, coordinates_id

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas/json"
SOURCE = b"/defaultx/ingest"
TENANT = "demo"
KEY_ID = "demo-1"
KEY = bytes.fromhex("00112233445566778899aabbccddeeff" * 2)
PRODUCTS = {"credit_card", "small_business_term", "consumer_instalment"}
MAX_BODY = 1 << 20
SLACK_S = 300


class Refused(ValueError):
    """A record that is not taken; `args` are the word, JSON pointers and attributes."""


def compiled_schema(event_type: str):
    """The published schema of an event type, with the documents it refers to, formats asserted."""
    documents = [orjson.loads(path.read_bytes()) for path in SCHEMAS.glob("*.json")]
    registry = jsonschema_rs.Registry([(document["$id"], document) for document in documents if "$id" in document])
    schema = orjson.loads((SCHEMAS / f"{event_type}.json").read_bytes())
    return jsonschema_rs.Draft202012Validator(schema, registry=registry, validate_formats=True)


class Handler:
    """The hop."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.submitted = compiled_schema("application.submitted.v1")
        self.withdrawn = compiled_schema("application.withdrawn.v1")

    def handle(self, messages):
        outputs = []
        for message in messages:
            try:
                self.one(message, outputs)
            except Refused as refusal:
                self.refuse(message, refusal, outputs)
        return outputs, None

    def one(self, message, outputs, dumps=orjson.dumps, sorted_keys=orjson.OPT_SORT_KEYS):
        body = message.value()
        if not body:
            raise Refused("empty", [], [])
        if len(body) > MAX_BODY:
            raise Refused("body_too_large", [], [])
        heads = dict(message.headers() or ())
        if heads.get("ce_specversion") != b"1.0":
            raise Refused("bad_envelope", [], ["specversion"])
        for name in ("ce_id", "ce_source", "ce_type"):
            if not heads.get(name):
                raise Refused("bad_envelope", [], [name[3:]])
        try:
            data = orjson.loads(body)
        except ValueError:
            raise Refused("not_json", [""], []) from None
        event_type = heads["ce_type"]
        if event_type == b"application.submitted.v1":
            schema = self.submitted
        elif event_type == b"application.withdrawn.v1":
            schema = self.withdrawn
        else:
            raise Refused("unknown_event_type", [], ["type"])
        if not schema.is_valid(data):
            raise Refused("bad_value", [pointer(e.instance_path) for e in schema.iter_errors(data)], [])
        application_id = data["application_id"]
        if data["tenant"] != TENANT:
            raise Refused("wrong_tenant", ["/tenant"], [])
        subject = heads.get("ce_subject")
        if subject is not None and subject != application_id.encode():
            raise Refused("subject_mismatch", ["/application_id"], [])

        prefix, topic = self.prefix, message.topic()
        base, partition, offset = topic[len(prefix):], message.partition(), message.offset()
        at_ms = message.timestamp()[1]
        key = f"{TENANT}|{application_id}".encode()
        heads["ce_subject"], heads["ce_partitionkey"] = application_id.encode(), key
        origin = [
            ("ce_originid", heads["ce_id"]),
            ("ce_originchannel", b"kafka"),
            ("ce_receivedat", b"%d" % at_ms),
            ("ce_origintopic", base.encode()),
            ("ce_originpartition", b"%d" % partition),
            ("ce_originoffset", b"%d" % offset),
        ]
        tenant = ("ce_tenant", TENANT.encode())
        if schema is self.withdrawn:
            event = coordinates_id("application.withdrawn.v1", base, partition, offset)
            headers = child(heads, SOURCE, event_type, event) + [tenant] + origin
            outputs.append((prefix + "credit.intake.v1", dumps(data, option=sorted_keys), key, -1, headers))
            return

        if data["product"] not in PRODUCTS:
            raise Refused("unknown_product", ["/product"], [])
        now_s = at_ms / 1000 + SLACK_S
        for moment in ("submitted_at", "completed_at"):
            text = data.get(moment)
            if text is not None and datetime.fromisoformat(text).timestamp() > now_s:
                raise Refused("bad_time", ["/" + moment], [])
        digest = sha256(dumps(data, option=sorted_keys)).hexdigest()
        revision = data["revision"]
        identities, protected = strip(data)
        apart = {"application_id": application_id, "data_digest": digest, "revision": revision, "tenant": TENANT}
        facts = [tenant, ("ce_revision", b"%d" % revision), ("ce_datadigest", digest.encode())]
        event = coordinates_id("identity.received.v1", base, partition, offset)
        outputs.append((
            prefix + "credit.identities.v1",
            dumps({"applicants": identities, **apart}, option=sorted_keys),
            key, -1, child(heads, SOURCE, b"identity.received.v1", event) + facts,
        ))
        if protected:
            event = coordinates_id("protected.received.v1", base, partition, offset)
            outputs.append((
                prefix + "credit.protected.v1",
                dumps({"applicants": protected, **apart}, option=sorted_keys),
                key, -1, child(heads, SOURCE, b"protected.received.v1", event) + facts,
            ))
        event = coordinates_id("application.received.v1", base, partition, offset)
        outputs.append((
            prefix + "credit.intake.v1",
            dumps(data, option=sorted_keys),
            key, -1, child(heads, SOURCE, b"application.received.v1", event) + facts + origin,
        ))

    def refuse(self, message, refusal, outputs):
        """One reply and one dead letter, byte for byte."""
        word, pointers, attributes = refusal.args
        base, partition, offset = message.topic()[len(self.prefix):], message.partition(), message.offset()
        original = message.headers() or []
        heads = dict(original)
        problem = {"type": word}
        if pointers:
            problem["pointers"] = pointers
        if attributes:
            problem["attributes"] = attributes
        reply = {"status": "rejected", "tenant": TENANT}
        if "ce_id" in heads:
            reply["origin_id"] = heads["ce_id"].decode("utf-8", "replace")
        reply["origin"] = {"topic": base, "partition": partition, "offset": offset}
        reply["problem"] = problem
        event = coordinates_id("application.replied.v1", base, partition, offset)
        headers = child(heads, SOURCE, b"application.replied.v1", event) + [("ce_tenant", TENANT.encode())]
        outputs.append((self.prefix + "loan.replies.v1", orjson.dumps(reply), None, partition, headers))
        place = [
            ("dl_reason", word.encode()),
            ("dl_stage", b"receive"),
            ("dl_topic", base.encode()),
            ("dl_partition", b"%d" % partition),
            ("dl_offset", b"%d" % offset),
        ]
        to = self.prefix + "credit.dead-letters.v1"
        outputs.append((to, message.value(), message.key(), partition, original + place))


def pointer(path) -> str:
    """A JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def strip(data: dict, digest=hmac.digest) -> tuple[list, list]:
    """Takes personal data out of `data` in place, and gives what was taken: identities and protected characteristics."""
    identities, protected = [], []
    data.setdefault("collateral", [])
    data.setdefault("documents", [])
    for applicant in data["applicants"]:
        reference = applicant.pop("customer_ref")
        subject = digest(KEY, reference.encode(), "sha256").hex()
        applicant["subject"] = {"key_id": KEY_ID, "subject": subject}
        who = {"key_id": KEY_ID, "kind": applicant["kind"], "role": applicant["role"], "subject": subject}
        taken = applicant.pop("protected", None)
        if taken:
            protected.append({**who, "protected": taken})
        identities.append({**who, "customer_ref": reference, "identity": applicant.pop("identity", {})})
        applicant.setdefault("consents", [])
        applicant.setdefault("reports", [])
    return identities, protected
