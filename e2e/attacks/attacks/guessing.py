"""Personal and protected values in whatever anybody can read: as they are, and by guessing what a digest, an id or a length could be
made of. The contract names the places where they may be, and who reads them; everywhere else there is nothing."""

import copy
import hashlib
import json
import time
import uuid

from confluent_kafka import Producer

from . import readers, search
from .database import rows
from .deployment import Deployment
from .readers import Place
from .report import Report
from .search import Corpus

GROUP = "guessing"
# Where personal data may be, and which principals read it there, as the contract says; the operator does beside them. The writer of
# the log keeps coordinates and keyed digests of these topics. Dead letters hold what senders sent.
PERSONAL = {
    "loan.applications.v1": {"ingest", "audit-sink"},
    "credit.identities.v1": {"identity-store", "audit-sink"},
    "credit.protected.v1": {"audit-sink"},
    "credit.dead-letters.v1": {"audit-sink"},
}
OPERATOR = "operator"
# Principals that must be found to read: whoever reads nothing may have been asked wrongly.
READS = {"ingest": "loan.applications.v1", "scorer": "credit.applications.v1", "notifier": "credit.decisions.v1", "sender": "loan.replies.v1", "identity-store": "credit.identities.v1"}
SENDERS = "loan.applications.v1"
PATIENCE_S = 60.0


def victim(d: Deployment, tenant: str) -> dict:
    """An application whose values nothing else has; sex, age and marital status are to be guessed."""
    mark = uuid.uuid4().hex[:12].upper()
    body = d.application(tenant, f"guess-{mark.lower()}")
    number = int(mark, 16)
    body["applicants"][0]["identity"] = {
        "full_name": f"Véra \"V\" {mark}",
        "national_id": f"ID{mark}",
        "email": f"{mark.lower()}@example.invalid",
        "birth_date": f"18{number % 90 + 10}-{number % 12 + 1:02}-{number % 28 + 1:02}",
        "address": {"street": f"Street {mark} 1"},
    }
    body["applicants"][0]["protected"] = {"sex": "female", "age": 47, "marital_status": "widowed", "ethnicity": f"told-{mark}"}
    return body


def told(body: dict) -> tuple[dict[str, set[bytes]], dict[str, set[bytes]]]:
    """Values that nothing else has: of who it is, and of what is protected."""
    applicant = body["applicants"][0]
    identity = {name: value["street"] if isinstance(value, dict) else value for name, value in applicant["identity"].items()}
    who = search.rare({**identity, "customer_ref": applicant["customer_ref"]})
    return who, search.rare({"ethnicity": applicant["protected"]["ethnicity"]})


def attack(d: Deployment, report: Report) -> None:
    check_search(d, report)
    victims, planted, own = sent(d, report)
    by_tenant = {body["tenant"]: body["application_id"] for body in victims[:2]}
    places = list(readers.answers(d, by_tenant))
    read, who_reads = readers.topics(d), readers.topics_of_principals(d)
    right_of_topics(report, who_reads)
    places += [Place("topic", name, records) for name, records in read.items() if name not in PERSONAL]
    places += [*readers.tables(d), *readers.log(d)]
    corpora = Corpora()
    plants(report, corpora, places, planted, own)
    personal = [Place("topic", name, records) for name, records in read.items() if name in PERSONAL]
    shows(report, corpora, places, personal, victims)
    wanted = search.candidates(victims)
    for place in places:
        judge(report, corpora.of(place), place, victims, wanted)


def judge(report: Report, corpus: Corpus, place: Place, victims: list[dict], wanted: dict[bytes, tuple]) -> None:
    """Whether anything of these applications is in a place."""
    where = f"{place.reader}, {place.name}"
    value = word = None
    for body in victims:
        who, protected = told(body)
        value = value or corpus.value(protected if place.shows == body["tenant"] else who | protected)
        word = word or corpus.beside(body["application_id"], search.words(body["applicants"][0]["protected"]))
    report.attack(GROUP, f"{where}: values", value is None, value)
    report.attack(GROUP, f"{where}: protected values beside the application", word is None, word)
    report.attack(GROUP, f"{where}: by {len(wanted)} digests", (hit := corpus.confirms(wanted)) is None, hit)


class Corpora:
    """Places by their content: many readers read the same."""

    def __init__(self) -> None:
        self.known: dict[bytes, Corpus] = {}

    def of(self, place: Place) -> Corpus:
        digest = hashlib.sha256()
        for record in place.records:
            for part in record:
                digest.update(len(part).to_bytes(8) + part)
        key = digest.digest()
        if key not in self.known:
            self.known[key] = Corpus(place.records)
        return self.known[key]


def sent(d: Deployment, report: Report) -> tuple[list[dict], dict, str]:
    """Applications on every way in and with every answer: the victims, of both tenants first; one whose national id and digest are
    given away on purpose; and what is given away of it."""
    own_tenant, other_tenant = d.tenants[:2]
    accepted, other, refused, broken, planted = (victim(d, tenant) for tenant in [own_tenant, other_tenant, own_tenant, own_tenant, own_tenant])
    # The fault lies beside what is protected: the answer points there.
    faulty = copy.deepcopy(refused)
    faulty["applicants"][0]["Protected"] = faulty["applicants"][0]["protected"]
    text = json.dumps(broken)
    publish(d, [(faulty["application_id"], json.dumps(faulty)), (broken["application_id"], text[: text.rindex('"facts"')])])
    conflict = copy.deepcopy(accepted)
    conflict["applicants"][0]["protected"]["sex"] = "male"
    own = hashlib.sha256(search.canonical(planted)).hexdigest()
    give_away = [("ce-correlationid", f"{planted['applicants'][0]['identity']['national_id']}.{own}")]
    taken = [d.submit(accepted), d.submit(other, other_tenant), d.submit(planted, headers=give_away), d.submit(accepted), d.submit(conflict)]
    report.control(GROUP, "applications are taken", all(answer.status == 202 for answer in taken), taken[-1])
    for body in (accepted, other, planted):
        d.decided(body["application_id"], body["tenant"])
        wait_for(d, "decisions", body["application_id"])
    wait_for(d, "replies", refused["application_id"])
    return [accepted, other, refused, broken], planted, own


def publish(d: Deployment, records: list[tuple[str, str]]) -> None:
    """Writes records to the senders' topic, as an origination system does."""
    failed: list[str] = []
    producer = Producer({**(d.stranger or d.kafka), "message.timeout.ms": int(PATIENCE_S * 1000), "log_level": 0})
    for application_id, body in records:
        headers = {"ce_specversion": "1.0", "ce_id": f"{application_id}-1", "ce_source": "/los", "ce_type": "application.submitted.v1", "ce_subject": application_id, "content-type": "application/json"}
        producer.produce(d.topic(SENDERS), body.encode(), application_id, headers=[(name, value.encode()) for name, value in headers.items()], on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    if producer.flush(PATIENCE_S) or failed:
        raise RuntimeError(f"the senders' topic takes nothing: {failed}")


def right_of_topics(report: Report, who_reads: dict[str, set[str]]) -> None:
    """Topics with personal data are read by whom the contract names."""
    for principal, topic in READS.items():
        report.control(GROUP, f"{principal} reads {topic}", topic in who_reads.get(principal, set()), who_reads.get(principal))
    for principal, read in who_reads.items():
        for topic, named in PERSONAL.items():
            may = principal in named or principal == OPERATOR
            report.attack(GROUP, f"{principal} reads {topic}", may or topic not in read, "it is read")


def shows(report: Report, corpora: Corpora, places: list[Place], personal: list[Place], victims: list[dict]) -> None:
    """The search finds the applications where they are, and their values where the contract wants them."""
    accepted, other = victims[:2]
    who, protected = told(accepted)
    named = {place.reader for place in places if corpora.of(place).names(accepted["application_id"])}
    for reader in ["topic", "login read-api", "login dashboards", "role Officer"]:
        report.control(GROUP, f"{reader}: the application is there", reader in named, sorted(named))
    for body in victims[2:]:
        found = [place.name for place in personal if corpora.of(place).value(told(body)[0])]
        report.control(GROUP, "a refused application is where its sender wrote it", SENDERS in found, found)
    for topic, wanted in [("credit.identities.v1", who), ("credit.protected.v1", protected)]:
        found = [place.name for place in personal if corpora.of(place).value(wanted)]
        report.control(GROUP, f"values are found in {topic}", topic in found, found)
    shown = [place for place in places if place.shows == accepted["tenant"] and corpora.of(place).value(who)]
    for reader in ["login read-api", "role Officer"]:
        report.control(GROUP, f"{reader} is shown who applied", any(place.reader == reader for place in shown), [place.name for place in shown])
    theirs = [place for place in places if place.shows == other["tenant"] and corpora.of(place).value(told(other)[0])]
    report.control(GROUP, "the other tenant's identities are where it is named", bool(theirs), theirs)


def plants(report: Report, corpora: Corpora, places: list[Place], planted: dict, own: str) -> None:
    """What was given away on purpose is found, as a value and as a digest, by every kind of reader."""
    identity = search.rare({"national_id": planted["applicants"][0]["identity"]["national_id"]})
    digest = {bytes.fromhex(own)[: search.PREFIX]: ("given away",)}
    for what, found in [("a value", lambda corpus: corpus.value(identity)), ("a digest", lambda corpus: corpus.confirms(digest))]:
        readers_of_it = {place.reader for place in places if place.shows is None and found(corpora.of(place))}
        for reader in ["topic", "login read-api-log"]:
            report.control(GROUP, f"{reader}: {what} that was given away is found", reader in readers_of_it, sorted(readers_of_it))


def check_search(d: Deployment, report: Report) -> None:
    """The search finds whatever is hidden in a way that it claims to find, and nothing where nothing is."""
    body, stranger = victim(d, d.tenants[0]), victim(d, d.tenants[0])
    wanted = search.candidates([body])
    who, protected = told(body)

    def found(corpus: Corpus) -> dict[str, object]:
        beside = corpus.beside(body["application_id"], search.words(body["applicants"][0]["protected"]))
        return {"value": corpus.value(who | protected), "word": beside, "guess": corpus.confirms(wanted)}

    for finder, how, text in search.hidden(body):
        report.control(GROUP, f"the search finds what is hidden: {how}", found(Corpus([[b"key", b"before "], [text]]))[finder] is not None, text)
    honest = [[text] for _, _, text in search.hidden(stranger)]
    report.control(GROUP, "the search finds nothing of somebody else's", not any(found(Corpus(honest)).values()), found(Corpus(honest)))


def wait_for(d: Deployment, table: str, application_id: str) -> None:
    """Waits until a row of an application is there: the log has caught up with it.

    Raises RuntimeError when it does not come.
    """
    until = time.monotonic() + PATIENCE_S
    while not rows(d.owner_url, f"SELECT 1 FROM defaultx.{table} WHERE application_id = '{application_id}' LIMIT 1"):
        if time.monotonic() > until:
            raise RuntimeError(f"{application_id} has no row in {table}")
        time.sleep(0.5)
