"""Signs people in with GitHub through a Trackeep broker (token mode) and tracks their repositories."""

import logging
import os
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from time import ctime, time
from urllib.parse import urlencode

import jwt
import requests
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.http import require_POST

PORT = int(os.environ.get("PORT", "3000"))
BASE = os.environ.get("BASE_URL", f"http://localhost:{PORT}")
BROKER = os.environ.get("BROKER_URL", "http://localhost:9090")
GITHUB = os.environ.get("GITHUB_API_URL", "https://api.github.com")
DATA = Path(os.environ.get("DATA_DIR", Path(__file__).with_name("data")))
HTTPS = BASE.startswith("https:")
LOGIN, SESSION = ("__Host-login", "__Host-session") if HTTPS else ("example-login", "example-session")
NEEDED = ["exp", "iat", "jti", "sub", "nonce", "github_id", "username", "access_token", "expires_at"]

DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
if not (DATA / "key").exists():
    (DATA / "key").touch(0o600)
    (DATA / "key").write_bytes(AESGCM.generate_key(256))
if len(KEY := (DATA / "key").read_bytes()) != 32:
    raise SystemExit(f"{DATA / 'key'} is not a key of 32 bytes.")
DB = sqlite3.connect(DATA / "example.db", isolation_level=None, check_same_thread=False)
DB.row_factory = sqlite3.Row
DB.executescript("""
    CREATE TABLE IF NOT EXISTS sessions (id PRIMARY KEY, jti UNIQUE, github_id, username, token, expires_at);
    CREATE TABLE IF NOT EXISTS activity (github_id, repository, commits, pulls, branches, last_activity,
        PRIMARY KEY (github_id, repository));""")
# A token that names a key we do not know makes us fetch the broker's keys, at most once a minute.
KEYS = jwt.PyJWKClient(f"{BROKER}/.well-known/jwks.json", cooldown_duration=60)
CIPHER, SEEN, PAUSED_UNTIL = AESGCM(KEY), {}, {}
PAGES = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent]}
PARTS = {"TEMPLATES": [PAGES], "ROOT_URLCONF": __name__, "MIDDLEWARE": [f"{__name__}.Refusals"]}
# Any host will do: our own address is BASE, whatever a request calls us.
settings.configure(ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, **PARTS)


class Refused(Exception):
    """The status of the answer and a sentence for the person."""


class Refusals(MiddlewareMixin):
    def process_exception(self, request, error):
        if isinstance(error, Refused):
            return render(request, "page.html", {"message": error.args[1]}, status=error.args[0])


def digest(text):
    """base64url(SHA-256(text)): the nonce claim, the id of a session."""
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def verify(token, nonce, now, issuer=BROKER, audience=BASE):
    """The claims of a token made by our broker, for us, for this login, just now; else InvalidTokenError."""
    # The algorithm is our choice, never the token's. The times are compared below.
    options = {"require": NEEDED, "strict_aud": True, "verify_exp": False, "verify_iat": False}
    key = KEYS.get_signing_key_from_jwt(token)
    decoded = jwt.decode_complete(token, key, ["ES256"], options, audience=audience, issuer=issuer)
    claims = decoded["payload"]
    ours = claims["nonce"] == nonce and claims["jti"] and claims["sub"] == str(claims["github_id"])
    # Two minutes for its way to us, and one by which clocks may differ.
    fresh = now - 180 <= claims["iat"] <= now + 60 and now - 60 <= claims["exp"]
    if not (ours and fresh and decoded["header"].get("typ") == "trackeep+jwt"):
        raise jwt.InvalidTokenError("This token does not belong to this login.")
    return claims


def github(session, where):
    """All pages of one of GitHub's lists; unchanged pages cost nothing, and GitHub's limits are obeyed."""
    token, url = session["token"], f"{GITHUB}{where}"
    while url:
        if time() < PAUSED_UNTIL.get(token, 0):
            raise Refused(503, f"GitHub asks us to wait until {ctime(PAUSED_UNTIL[token])}.")
        known = SEEN.setdefault(token, {}).get(url)
        headers = {"Authorization": f"Bearer {token}", "If-None-Match": known and known.headers["ETag"]}
        answer = requests.get(url, headers=headers, timeout=20)
        if answer.status_code in (403, 429) and "Retry-After" in answer.headers:
            PAUSED_UNTIL[token] = time() + int(answer.headers["Retry-After"])
        elif answer.status_code in (403, 429) and answer.headers.get("X-RateLimit-Remaining") == "0":
            PAUSED_UNTIL[token] = int(answer.headers["X-RateLimit-Reset"])
        elif answer.status_code in (200, 304):
            page = SEEN[token][url] = answer if answer.status_code == 200 else known
            yield from page.json()
            url = (answer.links or page.links).get("next", {}).get("url")
        else:
            if answer.status_code == 401:
                forget(session)
            raise Refused(502, f"GitHub answered {answer.status_code}.")


def session_of(request):
    """The session of who asks, GitHub's token in clear; None: they have to sign in, perhaps once more."""
    if request.method == "POST" and request.headers.get("origin") != BASE:
        raise Refused(403, "Not from a page of ours.")
    key = digest(request.COOKIES.get(SESSION, ""))
    row = DB.execute("SELECT * FROM sessions WHERE id = ? AND expires_at > ?", (key, time())).fetchone()
    try:
        # Sealed together with the id of its row: in another row it opens nothing.
        token = row and CIPHER.decrypt(row["token"][:12], row["token"][12:], key.encode()).decode()
    except InvalidTag:
        return None
    return row and {**row, "token": token}


def forget(session):
    SEEN.pop(session["token"], None)
    DB.execute("UPDATE sessions SET token = NULL, expires_at = ? WHERE id = ?", (time(), session["id"]))


def redirect(where, cookie, value, seconds):
    answer = HttpResponseRedirect(where, status=303)
    answer.set_cookie(cookie, value, seconds, secure=HTTPS, httponly=True, samesite="Lax")
    return answer


def home(request):
    if not (session := session_of(request)):
        return render(request, "page.html")
    query = "SELECT * FROM activity WHERE github_id = ?"
    shown = {"session": session, "tracked": DB.execute(query, (session["github_id"],)).fetchall()}
    shown["repositories"] = list(github(session, "/user/repos?per_page=100"))
    return render(request, "page.html", shown)


def login(request):
    state = secrets.token_urlsafe(32)
    query = urlencode({"redirect_uri": BASE, "state": state})
    return redirect(f"{BROKER}/auth/github?{query}", LOGIN, state, 600)


def callback(request):
    begun = request.COOKIES.get(LOGIN)
    # Only the browser that began this login may end it: a token alone could be anybody's.
    if not begun or request.GET.get("state") != begun:
        raise Refused(400, "This browser did not begin this login.")
    secret, nonce = secrets.token_urlsafe(32), secrets.token_bytes(12)
    try:
        claims = verify(request.GET.get("token", ""), digest(begun), time())
        sealed = nonce + CIPHER.encrypt(nonce, claims["access_token"].encode(), digest(secret).encode())
        row = {**claims, "id": digest(secret), "token": sealed}
        # Its `jti` is unique: no token is taken twice; one that is older than three minutes never is.
        DB.execute("DELETE FROM sessions WHERE expires_at < ?", (time() - 180,))
        DB.execute("INSERT INTO sessions VALUES (:id, :jti, :github_id, :username, :token, :expires_at)", row)
    except (jwt.PyJWTError, sqlite3.IntegrityError, LookupError, TypeError):
        raise Refused(400, "This login is not valid.") from None
    # To a clean address: the token leaves the address bar and the history.
    return redirect(f"{BASE}/", SESSION, secret, int(claims["expires_at"] - time()))


@require_POST
def logout(request):
    if session := session_of(request):
        forget(session)
    return redirect(f"{BASE}/", SESSION, "", 0)


@require_POST
def track(request, owner, name):
    if session := session_of(request):
        commits = list(github(session, f"/repos/{owner}/{name}/commits?per_page=100"))
        pulls = list(github(session, f"/repos/{owner}/{name}/pulls?state=all&per_page=100"))
        branches = list(github(session, f"/repos/{owner}/{name}/branches?per_page=100"))
        dates = [each["commit"]["committer"]["date"] for each in commits]
        last = max(dates + [each["updated_at"] for each in pulls], default=None)
        row = (session["github_id"], f"{owner}/{name}", len(commits), len(pulls), len(branches), last)
        DB.execute("INSERT OR REPLACE INTO activity VALUES (?, ?, ?, ?, ?, ?)", row)
    return HttpResponseRedirect(f"{BASE}/", status=303)


urlpatterns = [
    path("", home),
    path("auth/login", login),
    path("auth/callback", callback),
    path("logout", logout),
    path("track/<str:owner>/<str:name>", track),
]

if __name__ == "__main__":
    # The development server would write every address, and so every token, into its log.
    logging.getLogger("django.server").disabled = True
    execute_from_command_line(["app.py", "runserver", "--noreload", f"127.0.0.1:{PORT}"])
