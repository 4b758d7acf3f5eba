"""What schemathesis is told beyond the document: who is asking, what they may get, ids that exist, and paths that do no harm."""

import json
import os
import random

import schemathesis

ROLE = os.environ["INFRAME_FUZZ_ROLE"]
PLAYGROUND = os.environ["INFRAME_FUZZ_FOLDER"]
KNOWN = json.loads(os.environ["INFRAME_FUZZ_KNOWN"])

# Only what these roles may get; each is refused before anything is looked at.
REFUSED = {"anonymous": {401}, "wrong-cookie": {401}, "signed-out": {401}, "locked-anonymous": {401, 423}, "foreign-host": {421}, "foreign-origin": {403}}
# Open to everybody on purpose: a page has to be able to ask whether it is signed in and whether the vault is locked, and to sign in.
OPEN = {"GET /api/v1/session", "POST /api/v1/session", "GET /api/v1/session/ways", "POST /api/v1/session/password", "GET /api/v1/vault", "POST /api/v1/vault/unlock"}
# What answers while the vault is locked; new recovery words are made up at random and open nothing until they are set.
LOCKED_TOO = {"GET /api/v1/lan", "GET /api/v1/session", "GET /api/v1/session/ways", "GET /api/v1/vault", "POST /api/v1/vault/recovery-words"}
# How often something that exists takes the place of something made up.
REAL = 0.6

chosen = random.Random(int(os.environ.get("INFRAME_FUZZ_SEED", "1")))

# Where ids come from: the list of an answer, and the field in it.
LISTS = {
    "list_events": ("event", None, "id"),
    "create_event": ("event", "", "id"),
    "list_invites": ("invite", None, "id"),
    "create_invite": ("invite", "", "id"),
    "upload": ("asset", "", "asset"),
    "get_people": ("person", "people", "id"),
    "get_profiles": ("profile", None, "id"),
    "list_approvals": ("approval", None, "id"),
    "list_imports": ("import", None, "id"),
    "list_transfers": ("transfer", "transfers", "id"),
    "begin_challenge": ("challenge", "", "id"),
}
# What stands at `{id}`, by the start of the path; the longest start counts.
AT_ID = {
    "/api/v1/approvals/": "approval",
    "/api/v1/assets/": "asset",
    "/api/v1/events/": "event",
    "/api/v1/imports/": "import",
    "/api/v1/people/": "person",
    "/api/v1/transfers/": "transfer",
    "/api/v1/profiles/{profile}/challenge/": "challenge",
    "/api/v1/profiles/{profile}/selfies/": "selfie",
}
IN_BODY = {"invite": "invite", "person": "person", "into": "person", "other": "person", "link": "link", "text_hash": "text", "profile": "profile"}
LISTED_IN_BODY = {"assets": "asset", "remove": "member"}
PATHS = ("folder", "path")


def real(kind, made_up):
    found = KNOWN.get(kind)
    return chosen.choice(found) if found and chosen.random() < REAL else made_up


def place(text):
    """A path from the generator, moved into the playground when it leads anywhere."""
    if not isinstance(text, str) or not text.startswith("/"):
        return os.path.join(PLAYGROUND, "folder") if isinstance(text, str) and chosen.random() < REAL else text
    return PLAYGROUND + text


def dressed(body):
    if not isinstance(body, dict):
        return body
    body = dict(body)
    for field, kind in IN_BODY.items():
        if isinstance(body.get(field), str):
            body[field] = real(kind, body[field])
    for field, kind in LISTED_IN_BODY.items():
        if isinstance(body.get(field), list):
            body[field] = [real(kind, one) for one in body[field]]
    for field in PATHS:
        if field in body:
            body[field] = place(body[field])
    # Nothing is fetched from, and nobody is dialled, outside this machine.
    if isinstance(body.get("url"), str) and "://" in body["url"]:
        body["url"] = "http://127.0.0.1:9/pack.toml"
    if isinstance(body.get("address"), str) and body["address"].startswith("/"):
        body["address"] = "/ip4/127.0.0.1/tcp/9"
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    start = case.operation.path
    parameters = case.path_parameters
    for name in list(parameters or {}):
        if name == "id":
            kind = next((AT_ID[known] for known in sorted(AT_ID, key=len, reverse=True) if start.startswith(known)), None)
        else:
            kind = name
        if kind:
            parameters[name] = real(kind, parameters[name])
    if parameters and "face" in parameters and chosen.random() < REAL:
        parameters["face"] = 0
    query = case.query
    if query and isinstance(query.get("path"), str):
        query["path"] = place(query["path"])
    case.body = dressed(case.body)
    # A real photo now and then, where bytes are asked for.
    if ROLE == "owner" and case.operation.label.endswith(("/uploads", "/selfies", "/frames")) and chosen.random() < 0.1:
        with open(os.environ["INFRAME_FUZZ_PHOTO"], "rb") as photo:
            case.body = photo.read()


@schemathesis.hook
def after_call(context, case, response):
    found = LISTS.get(case.operation.definition.raw.get("operationId"))
    if not found or response.status_code != 200:
        return
    kind, within, field = found
    try:
        answer = response.json()
    except ValueError:
        return
    rows = [answer] if within == "" else answer.get(within, []) if within and isinstance(answer, dict) else answer
    if isinstance(rows, list):
        known = KNOWN.setdefault(kind, [])
        for row in rows:
            if isinstance(row, dict) and isinstance(row.get(field), str) and row[field] not in known:
                known.append(row[field])
        del known[:-20]


@schemathesis.check
def only_what_the_role_may_get(ctx, response, case):
    """No success, and no other refusal either, for whoever is not the owner at the dashboard."""
    label = case.operation.label
    if ROLE == "owner":
        assert response.status_code != 401 or label == "POST /api/v1/session", "the owner was signed out"
    elif ROLE == "locked":
        success = 200 <= response.status_code < 300
        assert not success or label in LOCKED_TOO, f"{label} answered {response.status_code} while the vault is locked"
    elif ROLE in REFUSED:
        if ROLE in ("foreign-host", "foreign-origin"):
            assert response.status_code in REFUSED[ROLE] | {400}, f"{label} answered {response.status_code}"
        elif label in OPEN:
            assert response.status_code < 500 and "set-cookie" not in response.headers, f"{label} answered {response.status_code} with a cookie"
        else:
            assert response.status_code in REFUSED[ROLE] | {400, 405, 404}, f"{label} answered {response.status_code}"


@schemathesis.check
def a_refusal_says_what_to_do(ctx, response, case):
    """Every refusal is a problem document with a sentence, and gives away nothing of the machine."""
    if response.status_code < 400:
        return
    kind = (response.headers.get("content-type") or [""])[0]
    assert kind == "application/problem+json", f"a refusal as {kind!r}"
    problem = response.json()
    assert problem["status"] == response.status_code and problem["detail"].strip(), problem
    assert "panicked" not in problem["detail"] and ".rs:" not in problem["detail"], problem


@schemathesis.check
def nothing_is_cached_or_embedded(ctx, response, case):
    """Each answer carries the headers that keep it out of caches, frames and other pages."""
    headers = {name: value[0] for name, value in response.headers.items()}
    assert headers.get("x-content-type-options") == "nosniff", headers
    assert "default-src 'none'" in headers.get("content-security-policy", ""), headers
    assert "no-store" in headers.get("cache-control", "") or "no-cache" in headers.get("cache-control", ""), headers
    assert "access-control-allow-origin" not in headers, headers
