"""policies/standard/1.0.0.yaml by hand: knockouts, limits, cutoffs. A score event → what is decided, as a dict of its fields."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

FILE = Path(__file__).resolve().parents[3] / "policies/standard/1.0.0.yaml"
POLICY = {"name": "standard", "version": "1.0.0", "digest": sha256(FILE.read_bytes()).hexdigest()}
NOTICE = timedelta(days=30)

PRODUCTS = {
    # product: scale, currency, approve at or above, decline below, id of the cutoff
    "credit_card": ("credit_card.v1", "TWD", 560, 500, "card_score"),
    "small_business_term": ("small_business_term.v1", "USD", 570, 540, "business_score"),
    "consumer_instalment": ("consumer_instalment.v1", "DEM", 530, 480, "instalment_score"),
}
LIMITS = {
    # id, bands (all when empty), most in minor units, reason of a decline
    "credit_card": (
        ("card_large", frozenset("BCDE"), 50_000_000, None),
        ("card_very_large", frozenset(), 80_000_000, None),
    ),
    "small_business_term": (
        ("business_large", frozenset(), 150_000_000, None),
        ("business_above_programme", frozenset(), 500_000_000, "amount_not_offered"),
    ),
    "consumer_instalment": (("instalment_large", frozenset(), 1_200_000, None),),
}
REASONS = {
    "not_of_legal_age": ("Applicant is not of legal age to enter into a binding contract", "other", 9),
    "term_not_offered": ("We do not offer credit for the term requested", "other", 9),
    "amount_not_offered": ("We do not offer credit in the amount requested", "other", 9),
    "poor_performance_with_us": ("Poor credit performance with us", "poor_performance_with_us", 3),
}


def knockouts(event: dict) -> list[tuple[str, str, str, str]]:
    """Id, value, threshold and reason of each that holds."""
    found = []
    if event["facts"].get("of_legal_age") is False:
        found.append(("not_of_legal_age", "false", "false", "not_of_legal_age"))
    product = event["product"]
    if product == "credit_card":
        values = {each["name"]: each["value"] for each in event["features"] if each.get("flag") not in ("missing", "unknown")}
        late, months = values.get("repayment_status_1"), values.get("months_late")
        if late is not None and late >= 3.0:
            found.append(("card_three_months_late", f"{late:g}", "3", "poor_performance_with_us"))
        if months is not None and months >= 6.0:
            found.append(("card_always_late", f"{months:g}", "6", "poor_performance_with_us"))
    elif product == "consumer_instalment":
        term = event["requested"].get("term_months")
        if term is not None and term > 72:
            found.append(("instalment_too_long", str(term), "72", "term_not_offered"))
    return found


def decide(event: dict) -> dict:
    """Outcome, step, rules and reasons; what cannot be decided is a referral with a word."""
    rules: list[dict] = []
    product = event["product"]
    known = PRODUCTS.get(product)
    if known is None:
        return refer("fallback", "unknown_product", rules)
    knocked = knockouts(event)
    if knocked:
        rules += [{"id": id_, "step": "knockout", "value": v, "threshold": t} for id_, v, t, _ in knocked]
        return decline(event, "knockout", rules, of_policy({reason for *_, reason in knocked}), False)
    score = event.get("score")
    if score is None:
        return refer("fallback", "unscorable", rules)
    scale, currency, approve_at, decline_below, cutoff = known
    requested = event["requested"]
    amount = requested["amount"]
    minor = amount["amount_minor"]
    if score["scale_id"] != scale:
        return refer("fallback", "scale_mismatch", rules)
    if amount["currency"] != currency:
        return refer("fallback", "unknown_currency", rules)
    declined, limited = set(), False
    for id_, bands, most, reason in LIMITS[product]:
        if minor > most and (not bands or score["band"] in bands):
            rules.append({"id": id_, "step": "limit", "value": str(minor), "threshold": str(most)})
            if reason:
                declined.add(reason)
            limited = True
    if declined:
        return decline(event, "limit", rules, of_policy(declined), False)
    if limited:
        return refer("limit", "amount_limit", rules)
    points = score["score"]
    if points >= approve_at:
        rules.append({"id": cutoff, "step": "cutoff", "value": str(points), "threshold": str(approve_at)})
        offer = {"amount_minor": minor, "currency": currency}
        term = requested.get("term_months")
        if term is not None:
            offer["term_months"] = term
        return {
            "outcome": "approve", "final": event["intent"] != "prequalify", "step": "cutoff", "rules": rules,
            "principal_reasons": [], "adverse_action": False, "offer": offer,
        }
    if points < decline_below:
        rules.append({"id": cutoff, "step": "cutoff", "value": str(points), "threshold": str(decline_below)})
        reasons = [
            {"rank": rank, "code": r["code"], "source": "model", "text": r["text"], "form_c1": r["form_c1"], "hmda": r["hmda"]}
            for rank, r in enumerate(event["reasons"], start=1)
        ]
        return decline(event, "cutoff", rules, reasons, True)
    threshold = f"{decline_below}..{approve_at}"
    rules.append({"id": cutoff, "step": "zone", "value": str(points), "threshold": threshold})
    return refer("zone", "grey_zone", rules)


def refer(step: str, word: str, rules: list) -> dict:
    return {
        "outcome": "refer", "final": False, "step": step, "referral": word, "rules": rules, "principal_reasons": [],
        "adverse_action": False,
    }


def of_policy(codes: set[str]) -> list[dict]:
    """Reasons of rules, in the order of their codes."""
    ranked = enumerate(sorted(codes)[:4], start=1)
    return [
        {"rank": rank, "code": code, "source": "policy", "text": REASONS[code][0], "form_c1": REASONS[code][1], "hmda": REASONS[code][2]}
        for rank, code in ranked
    ]


def decline(event: dict, step: str, rules: list, reasons: list[dict], score_used: bool) -> dict:
    """With specific reasons, the date of the notice and, where it was used, the score; without reasons a referral."""
    if not reasons:
        return refer(step, "explanation_unavailable", rules)
    times = event["times"]
    completed = datetime.fromisoformat(times.get("completed_at") or times["received_at"]).astimezone(UTC)
    decided = {
        "outcome": "decline", "final": event["intent"] != "prequalify", "step": step, "rules": rules, "principal_reasons": reasons,
        "adverse_action": True,
        "notice": {
            "due_by": (completed + NOTICE).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "recipients": ["primary"],
        },
    }
    if score_used:
        score = event["score"]
        decided["score_disclosure"] = [{
            "score": score["score"],
            "range": score["range"],
            "date": times["received_at"][:10],
            "agency": event["application"]["tenant"],
            "key_factors": [reason["text"] for reason in reasons],
        }]
    return decided
