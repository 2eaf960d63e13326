"""Runs the attacks and ends with 0 if nothing got in, every control worked, and each group tried as much as it must."""

import argparse
import sys
import time
import traceback
import uuid

from . import broker, commands, guessing, injections, matrix, resources, subscriptions, tampering, tokens
from .deployment import Deployment
from .report import Report

# Fewer than these, and something was left out.
LEAST = {
    "tokens, door": 100, "tokens, read API": 100, "roles and tenants": 80, "injections": 400, "resources": 40, "request smuggling": 40,
    "webhook addresses": 45, "log tampering, alone": 10, "log tampering, kept note": 15, "rights in the database": 60, "guessing": 500,
    "brokers and databases": 50, "terminals": 5, "secrets in output": 30, "processes left open": 10,
}
# Applications of each tenant before anything is tried: the log then has tiles and segments.
SEEDS = 40
# Seconds that a deployment may take until it takes the first of them.
START_S = 60.0
# The log and the topics are copied and read while they are small; what somebody may write who should not comes last.
GROUPS = ["tokens", "matrix", "guessing", "tampering", "commands", "subscriptions", "injections", "resources", "broker", "logins"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="e2e/attacks/run", description=__doc__)
    parser.add_argument("--deployment", required=True, metavar="FILE", help="what README.md describes, as JSON")
    parser.add_argument("--long", action="store_true", help="every payload in every parameter; minutes")
    parser.add_argument("--only", default=",".join(GROUPS), metavar="GROUP,…", help=f"of {', '.join(GROUPS)}")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := sorted(set(wanted) - set(GROUPS)):
        parser.error(f"no such group: {', '.join(unknown)}")
    d, report, started = Deployment.load(given.deployment), Report(), time.monotonic()
    seeded = seed(d)
    steps = {
        "tokens": lambda: tokens.attack(d, report, given.long),
        "matrix": lambda: matrix.attack(d, report, seeded),
        "injections": lambda: injections.attack(d, report, seeded, given.long),
        "resources": lambda: resources.attack(d, report, given.long),
        "commands": lambda: commands.attack(d, report),
        "subscriptions": lambda: subscriptions.attack(d, report, given.long),
        "guessing": lambda: guessing.attack(d, report),
        "broker": lambda: broker.attack(d, report),
        "tampering": lambda: tampering.attack(d, report),
        "logins": lambda: tampering.logins(d, report),
    }
    for name in GROUPS:
        if name not in wanted:
            continue
        begun = time.monotonic()
        try:
            steps[name]()
        except KeyboardInterrupt:
            report.control(name, "to the end", False, "interrupted")
            break
        except Exception as error:
            # The other groups are still tried; what is not tried fails the run.
            traceback.print_exc()
            report.control(name, "to the end", False, error)
        print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    print(report.table(LEAST))
    passed = report.passed(LEAST)
    print(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return 0 if passed else 1


def seed(d: Deployment) -> dict[str, str]:
    """Applications of both tenants, decided; one of each is given back."""
    run, seeded = uuid.uuid4().hex[:8], {}
    for tenant in d.tenants[:2]:
        for number in range(SEEDS):
            body, until = d.application(tenant, f"seed-{tenant}-{run}-{number}"), time.monotonic() + START_S
            answer = d.submit(body, tenant)
            # A door that has just opened may not have its broker yet.
            while answer.status == 503 and time.monotonic() < until:
                time.sleep(0.5)
                answer = d.submit(body, tenant)
            if answer.status != 202:
                raise RuntimeError(f"the door does not take an application of {tenant}: {answer}")
        seeded[tenant] = f"seed-{tenant}-{run}-0"
    for tenant, application_id in seeded.items():
        d.decided(application_id, tenant)
    return seeded


if __name__ == "__main__":
    sys.exit(main())
