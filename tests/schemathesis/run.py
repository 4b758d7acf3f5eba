#!/usr/bin/env python3
"""Puts the HTTP API of a real daemon to the test against its own description, as everybody who may come to its door.

`run.py --examples N [--only ROLE,ROLE] [--seed N]`; the daemon is `$CARGO_TARGET_DIR/debug/inframe`. Ends with 1 when anything was found.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLES = Path(os.environ.get("INFRAME_SAMPLES", ROOT / "models/node_modules/@vladmandic/face-api/demo"))
API = "/api/v1"
START_WITHIN_S = 60
TOOL = Path(sys.executable).with_name("schemathesis")

# What is not called at random, with the reason. What ends something is called by name in `last_things`.
LEFT_OUT = {
    "lock_vault": "ends the node, and all that comes after it would be answered with 423",
    "sign_out": "ends the session that asks",
    "end_session": "may end the session that asks",
    "end_other_sessions": "ends the sessions of the other ways to the door",
    "make_launch_link": "exists on the unix socket only; the dashboard's port has nothing there",
    "set_notice_receiver": "would send notices to addresses made up at random; tests/tests/e2e/notices.rs names addresses",
    "test_notices": "sends to such an address",
    "make_lan_launch_link": "exists on the unix socket only; the dashboard's port has nothing there",
    "change_lan_password": "would set a password that nobody knows, and end the sessions of the other ways to the door",
    "open_live": "is a WebSocket; tests/tests/e2e/local_api.rs and tests/browser/doors.test.mjs speak to it",
}
# While the vault is locked the key file opens it without a secret, on purpose, for whoever is signed in.
LEFT_OUT_LOCKED = {"unlock_vault": "would unlock it", **LEFT_OUT}

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
# Of those who are refused, nobody is told which methods there are.
OWNERS_CHECKS = f"{CHECKS},unsupported_method"
OURS = "only_what_the_role_may_get,a_refusal_says_what_to_do,nothing_is_cached_or_embedded"
# Not asked for: the document does not say every rule of a value (an address, the right id), so that good and bad data cannot be told apart by it.


class Door(http.client.HTTPConnection):
    """The daemon's unix socket, where the owner's command line comes in."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Daemon:
    """One daemon in a throwaway folder."""

    def __init__(self, folder):
        self.folder = folder
        built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/inframe"
        self.log = folder / "log.txt"
        flags = ["--data-dir", folder / "data", "--key-file", folder / "key", "--dashboard", "127.0.0.1:0", "--p2p", "/ip4/127.0.0.1/tcp/0"]
        more = ["--no-mdns", "--nickname", "Quiet Heron", "--ready-json"]
        with open(self.log, "wb") as log:
            command = [os.environ.get("INFRAME_BIN", built), "run", *flags, *more]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
        self.ready = json.loads(self.process.stdout.readline() or b"null")
        if not self.ready:
            raise SystemExit(f"the daemon did not start:\n{self.log.read_text()}")
        self.base = self.ready["dashboard"]

    def api(self, method, path, body=None):
        """One call as the owner's command line: status and answer."""
        door = Door(self.ready["socket"])
        raw = isinstance(body, bytes)
        headers = {"content-type": "application/octet-stream" if raw else "application/json"} if body is not None else {}
        door.request(method, API + path, body if raw or body is None else json.dumps(body), headers)
        answer = door.getresponse()
        text = answer.read()
        door.close()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text

    def good(self, method, path, body=None):
        status, answer = self.api(method, path, body)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def visit(self, method, path, headers, body=None):
        """One call at the dashboard's port: status, headers and bytes."""
        door = http.client.HTTPConnection(self.base.removeprefix("http://"), timeout=60)
        door.request(method, API + path, body, headers)
        answer = door.getresponse()
        text = answer.read()
        door.close()
        return answer.status, answer.headers, text

    def sign_in(self):
        """A fresh session, as `name=value`."""
        token = self.good("POST", "/session/launch-links")["url"].split("#launch=")[1]
        headers = {"content-type": "application/json", "origin": self.base, "sec-fetch-site": "same-origin"}
        status, answered, text = self.visit("POST", "/session", headers, json.dumps({"token": token}))
        assert status == 204, f"the launch link was refused: {status} {text}"
        return answered["set-cookie"].split(";")[0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def until(what, condition):
    end = time.monotonic() + START_WITHIN_S
    while not (seen := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return seen


def furnish(daemon):
    """A little of everything, so that made-up calls meet things that exist; the ids of it."""
    texts = {scope: daemon.good("GET", f"/consent-texts/{scope}")["hash"] for scope in ("faces", "announce", "guardian")}
    daemon.good("POST", "/first-run/done")
    daemon.good("POST", "/profile/consent", {"text_hash": texts["faces"]})
    assets = [daemon.good("POST", f"/uploads?name=party{n}.jpg", (SAMPLES / f"sample{n}.jpg").read_bytes())["asset"] for n in (1, 3, 6)]
    daemon.good("DELETE", f"/assets/{assets[2]}")
    until("faces in the photo", lambda: daemon.good("GET", f"/assets/{assets[0]}")["faces"])
    daemon.good("PUT", f"/assets/{assets[0]}/faces/0/person", {"name": "Robin"})
    event = daemon.good("POST", "/events", {"name": "Party"})
    invite = daemon.good("POST", f"/events/{event['id']}/invites", {"uses": 5})
    child = daemon.good("POST", "/profiles", {"name": "Robin", "text_hash": texts["guardian"]})
    profiles = [one["id"] for one in daemon.good("GET", "/profiles")]
    people = [one["id"] for one in daemon.good("GET", "/people")["people"]]
    return {
        "asset": assets,
        "event": [event["id"]],
        "member": [event["members"][0]["id"]],
        "invite": [invite["id"]],
        "link": [invite["link"]],
        "profile": profiles,
        "person": people,
        "text": list(texts.values()),
        "scope": list(texts),
    }


def state(daemon):
    """What a stranger must not have changed."""
    kept = ("/settings", "/profiles", "/events", "/backup", "/trash", "/models", "/relay", "/watched-folders")
    seen = {path: answer for path in kept for status, answer in [daemon.api("GET", path)] if status == 200}
    # The day of the purge is counted anew each time, to the millisecond.
    seen["/trash"] = [{**item, "purged_at": None} for item in seen["/trash"]["items"]]
    return seen


def fuzz(daemon, folder, role, headers, known, options):
    """One run of schemathesis: whether it found nothing, and what it said."""
    left_out = LEFT_OUT_LOCKED if role.startswith("locked") else LEFT_OUT
    if role not in ("owner", "locked"):
        # Nobody who is refused can do harm.
        left_out = {name: left_out[name] for name in ("open_live", "make_launch_link")}
    # Who is refused is refused before anything is looked at, so that fewer calls say as much.
    examples = options.examples if role == "owner" else max(1, options.examples // 10)
    command = [TOOL, "run", folder / "openapi.json", "--url", daemon.base, "--workers", "1", "--seed", str(options.seed)]
    command += ["--checks", f"{OWNERS_CHECKS if role == 'owner' else CHECKS},{OURS}", "--continue-on-failure", "--no-color", "--warnings", "off", "--request-timeout", "60"]
    command += ["--phases", options.phases if role == "owner" else options.phases_refused, "--max-examples", str(examples)]
    command += ["--suppress-health-check", "all", "--no-shrink"]
    for operation in left_out:
        command += ["--exclude-operation-id", operation]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    told = {"ROLE": role, "FOLDER": folder / "playground", "KNOWN": json.dumps(known), "SEED": options.seed, "PHOTO": SAMPLES / "sample1.jpg"}
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "SCHEMATHESIS_HOOKS": "hooks"}
    environment |= {f"INFRAME_FUZZ_{name}": str(value) for name, value in told.items()}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


# What is answered while the vault is locked; a browser that is lost can be signed out then too, and new recovery words are made up at random and open nothing until they are set.
LOCKED_TOO = {"get_lan", "get_session", "get_vault", "list_sessions", "new_recovery_words", "sign_in", "sign_in_view"}
# Open to everybody on purpose: a page asks whether it is signed in and whether the vault is locked, and signs in.
OPEN = {"get_session": {401}, "sign_in": {401, 422}, "get_vault": {200}, "unlock_vault": {401, 403, 422, 429}, "sign_in_view": {200}, "sign_in_by_password": {403, 422}}


def sweep(daemon, role, headers, document, known):
    """One call of every operation, for the short form: what was answered otherwise than it should be."""
    expected = {"foreign-host": 421, "foreign-origin": 403, "locked": 423}.get(role, 401)
    wrong, calls = [], 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = operation["operationId"]
            if name in ("make_launch_link", "make_lan_launch_link", "open_live") or (role == "locked" and name in LEFT_OUT_LOCKED):
                continue
            kinds = {"id": path.split("/")[3].removesuffix("s")}
            address = path.removeprefix(API)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    kind = kinds.get(parameter["name"], parameter["name"])
                    address = address.replace("{" + parameter["name"] + "}", str((known.get(kind) or ["0"])[0]))
            media = next(iter(operation.get("requestBody", {}).get("content", {})), None)
            body = None if media is None else b"{}" if media == "application/json" else b"bytes"
            if name == "unlock_vault":
                body = b'{"way": "key-file"}'
            answered, _, text = daemon.visit(method.upper(), address, {**headers, **({"content-type": media} if media else {})}, body)
            calls += 1
            good = {expected}
            if role == "locked-anonymous":
                good = OPEN.get(name, {401, 423})
            elif expected == 401:
                good = OPEN.get(name, good)
            elif role == "locked" and (name in LOCKED_TOO or answered in (403, 409, 422)):
                # Refused for what it says, before the lock is looked at.
                good = {200, 204, 401, 403, 409, 422}
            if answered not in good:
                wrong.append(f"{role}: {method.upper()} {path} was answered with {answered}: {text[:200]!r}")
    return wrong, calls


def last_things(daemon, cookie):
    """What was left out above, called by name: lock, unlock, sign out, erase."""
    own = {"cookie": cookie, "origin": daemon.base, "sec-fetch-site": "same-origin", "content-type": "application/json"}

    def call(method, path, body=None):
        return daemon.visit(method, path, own, None if body is None else json.dumps(body))[0]

    # Places where no key file can be: not the daemon's failure.
    for place in ("", "key", "/dev/null/key"):
        wish = {"by": {"way": "key-file"}, "change": "add", "way": "key-file", "path": place}
        answered = call("POST", "/vault/slots", wish)
        assert answered == 422, f"a key file at {place!r} was answered with {answered}"
    assert call("POST", "/vault/erase", {"words": "erase something"}) == 422
    assert call("DELETE", "/session") == 204
    assert call("GET", "/status") == 401, "a session that was ended still works"
    own["cookie"] = daemon.sign_in()
    assert call("POST", "/vault/erase", {"words": "erase everything"}) == 204
    until("an empty node", lambda: daemon.api("GET", "/events") == (200, []))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="calls at random of each operation")
    parser.add_argument("--short", action="store_true", help="a few calls of each operation, within a minute")
    parser.add_argument("--only", default="", help="roles, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.phases, options.phases_refused = ("fuzzing", "fuzzing") if options.short else ("coverage,fuzzing,stateful", "fuzzing")
    if options.short:
        options.examples = 3

    folder = Path(tempfile.mkdtemp(prefix="inframe-fuzz-api-"))
    (folder / "playground/folder").mkdir(parents=True)
    daemon = Daemon(folder)
    wrong = []
    try:
        # The copy in the tree, which a test of the daemon holds equal to what the daemon says of itself.
        shutil.copy(ROOT / "webui/openapi.json", folder / "openapi.json")
        document = json.loads((folder / "openapi.json").read_text())
        known = furnish(daemon)
        cookie, ended = daemon.sign_in(), daemon.sign_in()
        assert daemon.visit("DELETE", "/session", {"cookie": ended, "origin": daemon.base})[0] == 204
        own = {"Origin": daemon.base, "Sec-Fetch-Site": "same-origin"}
        roles = {
            "anonymous": own,
            "wrong-cookie": {**own, "Cookie": cookie[:-6] + "AAAAAA"},
            "signed-out": {**own, "Cookie": ended},
            "foreign-host": {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin", "Cookie": cookie},
            "foreign-origin": {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Cookie": cookie},
            "locked-anonymous": own,
            "locked": {**own, "Cookie": cookie},
            "owner": {**own, "Cookie": cookie},
        }
        before = state(daemon)
        for role, headers in roles.items():
            if options.only and role not in options.only.split(","):
                continue
            if role.startswith("locked"):
                daemon.good("POST", "/vault/lock", {})
            start = time.monotonic()
            if options.short and role != "owner":
                found, calls = sweep(daemon, role, headers, document, known)
                fine, said = not found, "\n".join([f"{calls} generated, {len(found)} wrong", *found])
            else:
                fine, said = fuzz(daemon, folder, role, headers, known, options)
            (folder / f"{role}.txt").write_text(said)
            calls = next((line.strip() for line in said.splitlines() if " generated, " in line), "")
            print(f"{'passed' if fine else 'FAILED'}  {role}: {time.monotonic() - start:.0f} s; {calls}", flush=True)
            if not fine:
                wrong.append(role)
                print(said, flush=True)
            if role.startswith("locked"):
                daemon.good("POST", "/vault/unlock", {"way": "key-file"})
                until("the node", lambda: daemon.api("GET", "/status")[0] == 200)
            if role != "owner":
                now = state(daemon)
                wrong += [f"{role} changed {path}: {before[path]} {now.get(path)}" for path in before if now.get(path) != before[path]]
        if not options.only:
            try:
                last_things(daemon, cookie)
            except AssertionError as error:
                wrong.append(f"the last things: {error}")
        if daemon.process.poll() is not None:
            wrong.append(f"the daemon ended with {daemon.process.returncode}")
        if daemon.stop() != 0:
            wrong.append("the daemon did not end well")
        log = daemon.log.read_text(errors="replace")
        bad = [line for line in log.splitlines() if "panicked" in line or " ERROR " in line]
        wrong += bad[:20]
    finally:
        daemon.process.kill()
        if not os.environ.get("INFRAME_FUZZ_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}")
    for line in wrong:
        print(f"wrong: {line}")
    print(f"{len(roles) - len(wrong) if not options.only else '?'} of {len(roles)} ways to the door as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
